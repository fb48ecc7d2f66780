// What other thresholds would do: a slider over the candidates, curves, and the rows that would change sides.

import { address, badge, summary } from "./alarm.js";
import { draw } from "./chart.js";
import { byId, el, isAdmin, number, percent, problem, score, send, time, viewer } from "./core.js";

const MAX_LISTED = 20;

// The service loads a new version within two seconds.
const POLL_MILLISECONDS = 500;
const MAX_POLLS = 20;

// Longer than the service needs for ten million rows.
const RELOAD_MILLISECONDS = 30_000;

let report = null;
let effects = [];
let charts = [];
let search = 0;

const chosen = () => effects[byId("slider").valueAsNumber];

async function load() {
  byId("problem").replaceChildren();
  try {
    report = await send("thresholds");
  } catch (error) {
    byId("problem").replaceChildren(problem(error));
    return;
  }
  effects = [...report.thresholds, report.live].sort((one, other) => one.threshold - other.threshold);
  effects = effects.filter((effect, index) => effect === report.live || effect.threshold !== effects[index - 1]?.threshold);
  byId("about").textContent = `${report.model_version}; ${number(report.rows, 12)} rows in ${span(report.days)}`;
  byId("choice").hidden = byId("charts").hidden = false;
  byId("slider").max = effects.length - 1;
  byId("slider").value = effects.indexOf(report.live);
  byId("charts").replaceChildren();
  const xs = effects.map(({ threshold }) => threshold);
  const marks = () => [{ x: report.live.threshold, color: "quiet", dash: true }, { x: chosen().threshold, color: "accent" }];
  const options = { isTime: false, marks };
  const curve = (name) => {
    const [values, ...interval] = ["value", "low", "high"].map((part) => effects.map((effect) => effect[name.toLowerCase()][part]));
    return draw(byId("charts"), name, xs, [{ label: name, color: name === "Recall" ? "inlier" : "alarm", values }], { ...options, interval, format: (value) => percent(value, 2) });
  };
  const isKnown = effects.some(({ recall, precision }) => recall.value !== null || precision.value !== null);
  charts = [draw(byId("charts"), "Alarms a day", xs, [{ label: "Alarms a day", color: "alarm", values: effects.map((effect) => effect.alarms_per_day), fill: true }], options)];
  if (isKnown) charts.push(...["Precision", "Recall"].map(curve));
  else byId("charts").append(el("p", { class: "small" }, `Precision and recall are unknown: ${report.live.recall.reason}. `, el("a", { href: "review" }, "Review rows"), " to know them."));
  show();
}

/** Return a time span in words; less than two days in hours. */
function span(days) {
  return days < 2 ? `${number(24 * days, 2)} hours` : `${number(days, 2)} days`;
}

function show() {
  const effect = chosen();
  const isLive = effect === report.live;
  byId("chosen").textContent = `${score(effect.threshold)}${isLive ? " (live)" : ""}`;
  byId("slider").setAttribute("aria-valuetext", byId("chosen").textContent);
  byId("alarms").textContent = number(effect.alarms_per_day, 3);
  byId("alarms-note").textContent = `${percent(effect.share)} of all rows; ${number(effect.alarms, 6)} in the window, ${number(report.live.alarms, 6)} with the live one`;
  for (const name of ["precision", "recall"]) {
    const figure = effect[name];
    byId(name).textContent = percent(figure.value, 2);
    byId(`${name}-note`).textContent = figure.value === null ? figure.reason : `${percent(figure.low, 2)} to ${percent(figure.high, 2)}, from ${figure.labels} labels`;
  }
  byId("p").textContent = number(effect.p_value, 2);
  byId("move").disabled = isLive || !isAdmin;
  byId("may").textContent = isAdmin ? "" : "Needs a key with the role admin.";
  charts.forEach((chart) => chart.redraw(false));
}

/** List the alarms between the live threshold and a stricter one: they would be inliers. */
async function showChanging() {
  const current = ++search;
  const effect = chosen();
  const difference = effect.alarms - report.live.alarms;
  byId("changing").hidden = effect === report.live;
  byId("list").replaceChildren();
  const words = difference < 0 ? "fewer alarms: these would be inliers" : "more alarms: inliers of today, whose rows are not listed";
  byId("sides-note").textContent = difference === 0 ? "None in the window." : `About ${number(Math.abs(difference), 3)} ${words}.`;
  if (difference >= 0) return;
  try {
    const page = await send(`alarms?${new URLSearchParams({ min_score: effect.threshold.toFixed(12), n: MAX_LISTED, since: report.window.since })}`, { isOptional: true });
    if (current !== search) return;
    byId("list").replaceChildren(
      ...page.alarms.map((alarm) => el("li", {}, el("a", { href: address(alarm) }, el("span", { class: "reason" }, summary(alarm)), el("span", { class: "number score" }, score(alarm.anomaly_score)), el("span", { class: "meta" }, time(alarm.answered_at)), badge(alarm)))),
    );
  } catch (error) {
    byId("sides-note").textContent += error.status === 401 ? " Sign in to see them." : ` ${error.message}`;
  }
}

byId("slider").addEventListener("input", show);
byId("slider").addEventListener("change", showChanging);
byId("reset").addEventListener("click", () => {
  byId("slider").value = effects.indexOf(report.live);
  show();
  showChanging();
});
byId("move").addEventListener("click", () => {
  byId("sure-text").textContent = `From ${score(report.live.threshold)} to ${score(chosen().threshold)}: about ${number(chosen().alarms_per_day, 3)} alarms a day instead of ${number(report.live.alarms_per_day, 3)}. A new version is made and goes live; the audit trail records ${viewer || "this host"}.`;
  byId("sure").showModal();
});
byId("sure").addEventListener("close", () => (byId("sure").returnValue === "yes" ? move() : byId("slider").focus()));

async function move() {
  byId("failure").textContent = byId("success").textContent = "";
  byId("move").disabled = true;
  try {
    const { version } = await send("thresholds", { method: "POST", json: { threshold: chosen().threshold, model_version: report.model_version } });
    byId("success").textContent = `${version} goes live …`;
    await waitFor(version);
    byId("success").textContent = `${version} is live.`;
    await load();
    await showChanging();
  } catch (error) {
    byId("failure").textContent = error.message;
    show();
  }
}

/** Wait until the service answers with a version. */
async function waitFor(version) {
  for (let polls = 0; polls < MAX_POLLS; polls += 1) {
    if ((await send("model_information")).model.version === version) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
}

load();
// The first figures may be those of an earlier visit; they do not change under somebody who is choosing.
setTimeout(() => chosen() === report?.live && load(), RELOAD_MILLISECONDS);
