-- Script for wrk: POST the bodies of a file, one per line, repeatedly; each connection pauses for PAUSE milliseconds
-- before its next request.
--   wrk ... --script post.lua URL -- FILE PAUSE
-- Its last line starts with `measured`, followed by the figures that benchmarks/wrk.py parses.

local requests = {}
local at = 0

function init(arguments)
   wrk.headers["Content-Type"] = "application/json"
   for body in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("POST", nil, nil, body)
   end
   local pause = tonumber(arguments[2])
   if pause > 0 then
      -- wrk checks for this function after init(), and schedules requests differently if it exists.
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
