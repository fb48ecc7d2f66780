// The state of the drift detectors, and how far each column is from training.

import { DETECTORS, byId, el, number, percent, problem, send, time } from "./core.js";

const POLL_MILLISECONDS = 5_000;

const COLOURS = { "no drift": "good", drift: "true", "alarm, being confirmed": "true" };

async function load() {
  let report;
  try {
    report = await send("drift");
  } catch (error) {
    byId("problem").replaceChildren(problem(error));
    return;
  }
  byId("problem").replaceChildren();
  const { detectors, rows_seen: rows, window: size, window_fill: fill, model_version: version, dependence, state } = report;
  byId("about").replaceChildren(version ?? "no model", rows === undefined ? "" : ` · ${number(rows, 12)} rows seen · window of ${size}, ${percent(fill, 2)} full`, dependence > 1 ? ` · thresholds times ${number(dependence, 2)}, for rows that depend on each other` : "", " · ", time(report.updated_at));
  if (!report.recorder_up) byId("problem").replaceChildren(el("p", { class: "notice bad" }, "The recorder does not answer: this is out of date."));
  const names = Object.keys(detectors);
  byId("empty").hidden = names.length > 0;
  byId("empty").textContent = state === "no model" ? "No model is live." : "This model has no detectors: it was trained on too few rows to calibrate them.";
  byId("table").hidden = names.length === 0;
  const titles = ["Detector", "State", "Statistic", "Threshold", "Crossings", "Drift events", "Last drift event"];
  byId("table").replaceChildren(
    el("thead", {}, el("tr", {}, ...titles.map((title, index) => el("th", { scope: "col", class: index > 1 && index < 6 ? "number" : null }, title)))),
    el("tbody", {}, ...names.map((name) => row(name, detectors[name]))),
  );
  showColumns(Object.values(detectors).find(({ features }) => features)?.features ?? {});
}

function row(name, { state, statistic, threshold, alarms, events, last_event: last }) {
  const event = last ? el("span", {}, time(last.at), last.feature ? ` · ${last.feature}` : "") : "–";
  const numbers = [number(statistic), number(threshold), number(alarms), number(events)].map((text) => el("td", { class: "number" }, text));
  return el("tr", {}, el("th", { scope: "row" }, name, el("span", { class: "about" }, DETECTORS[name])), el("td", {}, el("span", { class: `badge ${COLOURS[state] ?? "unsure"}` }, state)), ...numbers, el("td", {}, event));
}

function showColumns(distances) {
  const entries = Object.entries(distances);
  byId("by-column").hidden = entries.length === 0;
  const largest = Math.max(...entries.map(([, distance]) => distance), 1);
  byId("distances").replaceChildren(
    el("tbody", {}, ...entries.map(([name, distance]) => {
      const fill = el("i", { class: distance > 1 ? "abnormal from-left" : "normal from-left" });
      fill.style.width = `${(100 * distance) / largest}%`;
      return el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "number" }, number(distance, 3)), el("td", { class: "wide" }, el("span", { class: "bar plain-bar" }, fill)));
    })),
  );
}

await load();
setInterval(() => document.hidden || load(), POLL_MILLISECONDS);
