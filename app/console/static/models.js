// The versions of the model: compare two, and make one live.

import { byId, el, isAdmin, number, percent, problem, score, send, time, viewer } from "./core.js";

// The service loads a new version within two seconds.
const LOAD_MILLISECONDS = 2_000;

const FACTS = [
  ["Name", ({ name }) => name],
  ["Trained", ({ trained_at: at }) => time(at)],
  ["Training rows", ({ training_rows: rows }) => number(rows, 12)],
  ["Columns", ({ columns }) => number(columns)],
  ["Threshold", ({ threshold }) => score(threshold)],
  ["Flagged in training", ({ training_outlier_share: share }) => percent(share)],
];

let versions = [];
let chosen = [];
let candidate = null;

async function load() {
  try {
    ({ versions } = await send("models"));
  } catch (error) {
    byId("failure").replaceChildren(problem(error));
    return;
  }
  byId("empty").hidden = versions.length > 0;
  byId("versions").hidden = versions.length === 0;
  const titles = ["Compare", "Version", ...FACTS.map(([title]) => title), "Report", "Action"];
  const numbers = new Set(["Training rows", "Columns", "Threshold", "Flagged in training"]);
  const head = el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", { scope: "col", class: numbers.has(title) ? "number" : null }, title))));
  byId("versions").replaceChildren(head, el("tbody", {}, ...versions.map((version) => row(version, numbers))));
}

function row(version, numbers) {
  const box = el("input", { type: "checkbox", "aria-label": `Compare ${version.version}`, change: () => compare(version, box.checked) });
  const names = el("td", {}, el("code", {}, version.version), version.is_live ? el("span", { class: "badge good" }, "live") : "", version.moved_from ? el("p", { class: "small" }, `threshold of ${version.moved_from} moved`) : null);
  if (version.problem) return el("tr", {}, el("td"), names, el("td", { colspan: FACTS.length + 2, class: "error" }, version.problem));
  const facts = FACTS.map(([title, read]) => el("td", { class: numbers.has(title) ? "number" : null }, read(version)));
  const report = version.has_report ? el("a", { href: `models/${version.version}/report` }, "Report") : "";
  const promote = version.is_live
    ? ""
    : el("button", { type: "button", disabled: !isAdmin, title: isAdmin ? null : "Needs a key with the role admin.", click: () => ask(version) }, "Make live");
  return el("tr", { class: version.is_live ? "live" : null }, el("td", {}, box), names, ...facts, el("td", {}, report), el("td", {}, promote));
}

function compare(version, isChosen) {
  chosen = isChosen ? [...chosen, version].slice(-2) : chosen.filter((other) => other !== version);
  for (const box of byId("versions").querySelectorAll("input")) box.checked = chosen.some((one) => box.ariaLabel === `Compare ${one.version}`);
  byId("compare").hidden = chosen.length < 2;
  if (chosen.length < 2) return;
  const head = el("thead", {}, el("tr", {}, el("td"), ...chosen.map(({ version: name }) => el("th", { scope: "col" }, name))));
  const lines = [...FACTS, ["For callers, against the live one", ({ differences }) => differences.join("; ") || "the same"], ["Doubts", ({ doubts }) => doubts.join("; ") || "none"]];
  byId("comparison").replaceChildren(head, el("tbody", {}, ...lines.map(([title, read]) => el("tr", {}, el("th", { scope: "row" }, title), ...chosen.map((one) => el("td", {}, read(one)))))));
}

/** Ask before a version goes live, naming what speaks against it. */
function ask(version) {
  candidate = version;
  const reasons = [...version.differences.map((text) => `For callers, ${text}.`), ...version.doubts.map((text) => `It is probably of no use: ${text}.`)];
  byId("sure-text").textContent = `${version.version} answers all requests within two seconds; the audit trail records ${viewer || "this host"}.`;
  byId("sure-reasons").replaceChildren(...reasons.map((text) => el("li", {}, text)));
  byId("consent-field").hidden = !reasons.length;
  byId("consent").checked = false;
  byId("yes").disabled = reasons.length > 0;
  byId("sure").showModal();
}

byId("consent").addEventListener("change", () => (byId("yes").disabled = !byId("consent").checked));
byId("sure").addEventListener("close", async () => {
  if (byId("sure").returnValue !== "yes" || !candidate) return;
  byId("failure").textContent = byId("success").textContent = "";
  const json = { replace: candidate.differences.length > 0, force: candidate.doubts.length > 0 };
  try {
    const { version, change } = await send(`models/${candidate.version}/promote`, { method: "POST", json });
    byId("success").textContent = change || `${version} is live.`;
    await load();
    setTimeout(load, LOAD_MILLISECONDS);
  } catch (error) {
    byId("failure").textContent = error.message;
  }
});

load();
