-- What wrk sends and says: POSTs the bodies of a file, one a line, round and round; each connection pauses for so many
-- milliseconds before its next request.
--   wrk ... --script post.lua URL -- FILE PAUSE
-- The last line that it writes is `measured`, then figures for benchmarks/wrk.py.

local requests = {}
local at = 0

function init(arguments)
   wrk.headers["Content-Type"] = "application/json"
   for body in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("POST", nil, nil, body)
   end
   local pause = tonumber(arguments[2])
   if pause > 0 then
      -- wrk looks for it after this function, and works in another way if it is there.
      delay = function() return pause end
   end
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      "measured requests=%d microseconds=%d p50=%d p99=%d refused=%d broken=%d\n",
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
