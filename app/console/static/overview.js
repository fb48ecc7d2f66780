// The overview: asks every few seconds, and says when its figures are old.

import { draw } from "./chart.js";
import { DETECTORS, Refused, ago, byId, el, number, percent, problem, send, time } from "./core.js";

const POLL_MILLISECONDS = 5_000;

const MAX_EVENTS = 6;

// Three polls that failed.
const OLD_MILLISECONDS = 15_000;

let before = null;
let shownAt = 0;
let hadModel = null;
let drifts = [];
let chosen = { window: "24h", step: "15m" };

async function refresh() {
  let now;
  try {
    now = await send("overview");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    showAge();
    return;
  }
  if (hadModel === false && now.model) location.reload();
  hadModel = Boolean(now.model);
  byId("sentence").dataset.state = now.state;
  // Seen among other tabs.
  document.title = document.title.replace(/^\(!\) /, "").replace(/^/, now.state === "good" ? "" : "(!) ");
  if (byId("summary").textContent !== now.summary) byId("summary").textContent = now.summary;
  showNext(now.next_step);
  showRates(now);
  showQuality(now.quality);
  showDrift(now.drift);
  before ??= now;
  // Another model's rows are not compared with this one's training.
  if (before.model?.version !== now.model?.version) before = now;
  if (new Date(now.at) - new Date(before.at) > 4 * POLL_MILLISECONDS) before = now;
  shownAt = Date.now();
  showAge();
}

/** Link what to do next. */
function showNext(step) {
  byId("next").hidden = !step;
  if (!step) return;
  const link = byId("next").querySelector("a");
  link.href = step.view;
  link.textContent = step.text;
}

/** Show what changed since a few polls ago; at first, what there was since the start. */
function showRates(now) {
  const seconds = before ? (new Date(now.at) - new Date(before.at)) / 1000 : 0;
  const past = before?.counters ?? { requests: 0, rows: 0, outliers: 0, unfamiliar: 0, seconds: {} };
  const less = (name) => Math.max(0, now.counters[name] - past[name]);
  const isLive = seconds > 0 && less("requests") > 0;
  byId("rate").textContent = seconds > 0 ? number(less("requests") / seconds, 3) : "–";
  byId("rate-note").textContent = `a second; ${number(now.counters.requests, 12)} since the start`;
  const base = isLive ? past : { rows: 0, outliers: 0, unfamiliar: 0, seconds: {} };
  const buckets = Object.entries(now.counters.seconds).map(([limit, count]) => [Number(limit.replace("+Inf", "Infinity")), count - (base.seconds[limit] ?? 0)]);
  byId("p95").textContent = duration(quantile(buckets, 0.95));
  const rows = now.counters.rows - base.rows;
  const when = isLive ? "now" : "since the start";
  const training = now.model && isLive ? `, ${percent(now.model.training_outlier_share)} in training` : "";
  byId("alarms").textContent = seconds > 0 ? number((60 * less("outliers")) / seconds, 3) : "–";
  byId("share").textContent = `a minute; ${rows > 0 ? percent((now.counters.outliers - base.outliers) / rows) : "–"} of rows ${when}${training}`;
  byId("unfamiliar").textContent = rows > 0 ? number((100 * (now.counters.unfamiliar - base.unfamiliar)) / rows, 3) : "–";
  byId("unfamiliar-note").textContent = `unlike training, per 100 rows ${when}`;
}

/** Return a quantile of a cumulative histogram, as Prometheus interpolates it. */
function quantile(buckets, share) {
  buckets.sort(([one], [other]) => one - other);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  let [low, below] = [0, 0];
  for (const [limit, count] of buckets) {
    if (count >= share * total) return limit === Infinity ? low : low + ((limit - low) * (share * total - below)) / (count - below);
    [low, below] = [limit, count];
  }
  return low;
}

function duration(seconds) {
  if (seconds === null) return "–";
  return seconds < 1 ? `${number(1000 * seconds, 2)} ms` : `${number(seconds, 2)} s`;
}

function showQuality(quality) {
  for (const name of ["precision", "recall"]) {
    const figure = quality?.[name];
    byId(name).textContent = percent(figure?.value, 2);
    byId(`${name}-note`).textContent = !quality ? "needs records" : figure.value === null ? quality[`${name}_reason`] : `${percent(figure.low, 2)} to ${percent(figure.high, 2)}, 95 % interval`;
  }
}

function showDrift(drift) {
  const colours = { "no drift": "good", drift: "true" };
  const lines = Object.entries(drift ?? {}).map(([name, { state, feature }]) =>
    el("li", {}, el("span", {}, name, el("span", { class: "about" }, DETECTORS[name])), el("span", { class: `badge ${colours[state] ?? "unsure"}` }, state === "drift" && feature ? `drift of ${feature}` : state)),
  );
  if (!lines.length) lines.push(el("li", { class: "small" }, drift ? "This model has no detectors: it was trained on too few rows." : "Nothing is known: the recorder has not reported."));
  byId("drift").replaceChildren(...lines);
  drifts = Object.entries(drift ?? {})
    .filter(([, detector]) => detector.last_event_at)
    .map(([name, { feature, last_event_at: at }]) => ({ at, who: `detector ${name}`, what: "drift", after: feature }));
}

async function showEvents() {
  try {
    const { events: steps } = await send(`events?about=changes&n=${MAX_EVENTS}`, { isOptional: true });
    const events = [...steps, ...drifts].sort((one, other) => (one.at < other.at ? 1 : -1)).slice(0, MAX_EVENTS);
    const lines = events.map(({ at, who, what, before: was, after, note }) =>
      el("li", {}, el("span", {}, what, after ? ` ${after}` : ""), el("span", { class: "small" }, time(at), ` · ${who}${note ? ` · ${note}` : ""}${was && after ? ` · before: ${was}` : ""}`)),
    );
    byId("events").replaceChildren(...(lines.length ? lines : [el("li", { class: "small" }, "Nothing yet: promotions, moved thresholds, drift and deletions appear here.")]));
  } catch (error) {
    const text = error.status === 401 ? "Sign in to see who did what." : error.message;
    byId("events").replaceChildren(el("li", { class: "small" }, text));
  }
}

async function showTimeline() {
  const { window: span, step } = chosen;
  try {
    const { starts, rows, alarms, step_seconds: seconds } = await send(`timeline?window=${span}&step=${step}`);
    const unit = seconds === 60 ? "minute" : seconds === 3600 ? "hour" : `${seconds / 60} minutes`;
    byId("charts").replaceChildren();
    draw(byId("charts"), `Rows per ${unit}`, starts, [{ label: "Rows", color: "inlier", values: rows, fill: true }], { height: 150 });
    draw(byId("charts"), `Alarms per ${unit}`, starts, [{ label: "Alarms", color: "alarm", values: alarms, fill: true }], { height: 120 });
  } catch (error) {
    byId("charts").replaceChildren(problem(error));
  }
}

function showAge() {
  const isOld = shownAt > 0 && Date.now() - shownAt > OLD_MILLISECONDS;
  byId("age").classList.toggle("old", isOld);
  const at = shownAt ? new Date(shownAt).toLocaleTimeString() : "";
  byId("age").textContent = isOld ? `The service does not answer. These figures are from ${at}.` : at ? `As of ${at}.` : "The service does not answer.";
}

for (const button of byId("windows").children) {
  button.addEventListener("click", () => {
    for (const other of byId("windows").children) other.ariaPressed = String(other === button);
    chosen = button.dataset;
    showTimeline();
  });
}
const trained = byId("trained");
if (trained) trained.replaceChildren(ago(trained.dataset.at), ", ", time(trained.dataset.at, { dateStyle: "medium" }));

await refresh();
await Promise.all([showTimeline(), showEvents()]);
setInterval(() => document.hidden || refresh(), POLL_MILLISECONDS);
setInterval(() => document.hidden || (showTimeline(), showEvents()), 12 * POLL_MILLISECONDS);
