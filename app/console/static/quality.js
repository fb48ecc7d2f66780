// Precision, recall and related figures with their intervals, in total and by group.

import { byId, el, number, percent, problem, send, time } from "./core.js";

// As long as the service answers with the same figures.
const POLL_MILLISECONDS = 20_000;

const FIGURES = [
  ["precision", "Precision", "of the alarms are true"],
  ["recall", "Recall", "of the outliers were alarms"],
  ["f1", "F1", "precision and recall in one"],
  ["roc_auc", "ROC AUC", "an outlier ranks before an inlier"],
  ["average_precision", "Average precision", "over all thresholds"],
];

async function load(span) {
  let report;
  try {
    report = await send(`quality${span ? `?window=${span}` : ""}`);
  } catch (error) {
    byId("problem").replaceChildren(problem(error));
    return;
  }
  byId("problem").replaceChildren();
  const { overall, window: covered } = report;
  byId("about").replaceChildren(`${number(overall.rows, 12)} rows, ${number(overall.outliers, 12)} alarms; labels: ${number(overall.labelled_alarms, 12)} of alarms, ${number(overall.audited_inliers, 12)} from review. From `, time(covered.since), " to ", time(covered.until), ".");
  byId("tiles").replaceChildren(...FIGURES.map(([name, title, meaning]) => tile(title, meaning, overall.figures[name])));
  const groups = [
    ...report.by_model_version.map((group) => [group.model_version, group]),
    ...report.by_segment.map((group) => [group.segment || "no segment", group]),
    ...report.by_day.map((group) => [group.day, group]),
  ];
  const titles = ["Group", "Rows", "Alarms", "Share", "Precision", "Recall"];
  byId("table").replaceChildren(
    el("thead", {}, el("tr", {}, ...titles.map((title, index) => el("th", { scope: "col", class: index ? "number" : null }, title)))),
    el("tbody", {}, ...groups.map(([name, group]) => row(name, group))),
  );
  byId("assumption-list").replaceChildren(...report.assumptions.map((text) => el("li", {}, text)));
}

function tile(title, meaning, { value, low, high, labels, reason }) {
  const note = value === null ? [reason[0].toUpperCase() + reason.slice(1), ". ", el("a", { href: "review" }, "Review rows")] : [`${percent(low, 2)} to ${percent(high, 2)}, from ${labels} labels; ${meaning}`];
  return el("section", {}, el("h2", {}, title), el("p", { class: "figure", "data-figure": title }, percent(value, 2)), el("p", { class: "small" }, ...note));
}

function row(name, { rows, outliers, outlier_ratio: ratio, figures }) {
  const interval = ({ value, low, high }) => (value === null ? "–" : `${percent(value, 2)} (${percent(low, 2)} to ${percent(high, 2)})`);
  const cells = [number(rows, 12), number(outliers, 12), percent(ratio.value), interval(figures.precision), interval(figures.recall)];
  return el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((text) => el("td", { class: "number" }, text)));
}

for (const button of byId("windows").children) {
  button.addEventListener("click", () => {
    for (const other of byId("windows").children) other.ariaPressed = String(other === button);
    chosen = button.dataset.window;
    load(chosen);
  });
}
let chosen = "";
load(chosen);
setInterval(() => document.hidden || load(chosen), POLL_MILLISECONDS);
