// Shows why a row has its score: reasons, contributions as bars, and what would make it an inlier.

import { byId, el } from "./core.js";

// A person compares no more bars; the raw answer has all.
const MAX_BARS = 10;

/** Show the explanation in an answer, if it has one. */
export function showExplanation(body) {
  byId("why").hidden = !body.contributions;
  if (!body.contributions) return;
  byId("reasons").replaceChildren(...body.reasons.map((reason) => el("li", {}, reason)));
  showBars(Object.entries(body.contributions));
  byId("counterfactual").textContent = describeChange(body);
  byId("rarity").textContent = describeRarity(body.p_value);
  byId("rarity-note").textContent = body.notes.p_value ?? "ordinary rows are as abnormal";
}

/** Hide the explanation of the previous answer. */
export function hideExplanation() {
  byId("why").hidden = true;
}

/** Draw the largest contributions: to the right more abnormal, to the left more normal. */
function showBars(contributions) {
  contributions.sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  const largest = Math.max(...contributions.map(([, value]) => Math.abs(value)), Number.MIN_VALUE);
  const bars = contributions.slice(0, MAX_BARS).map(([name, value]) => {
    const fill = el("i", { class: value < 0 ? "normal" : "abnormal" });
    fill.style.setProperty("--size", `${(50 * Math.abs(value)) / largest}%`);
    const signed = `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
    return el("li", {}, el("span", {}, name), el("span", { class: "track" }, fill), el("span", {}, signed));
  });
  byId("contributions").replaceChildren(...bars);
  const rest = contributions.length - MAX_BARS;
  byId("more-contributions").textContent = rest > 0 ? `and ${rest} smaller ones, in the raw answer` : "";
}

/** Say what would make an outlier an inlier. */
function describeChange({ is_inlier: label, counterfactual, notes }) {
  if (label === 1) return "";
  if (!counterfactual) return `No change was found that makes it an inlier: ${notes.counterfactual}.`;
  const changes = Object.entries(counterfactual).map(
    ([name, { from, to }]) => `${name} = ${to} instead of ${from ?? "no value"}`,
  );
  const note = notes.counterfactual ? ` (${notes.counterfactual})` : "";
  return `It would be an inlier with ${changes.join(" and ")}${note}.`;
}

/** Return "1 in 2,300" for a p-value, with two digits. */
function describeRarity(pValue) {
  if (pValue === null) return "unknown";
  return `1 in ${Number((1 / pValue).toPrecision(2)).toLocaleString("en")}`;
}
