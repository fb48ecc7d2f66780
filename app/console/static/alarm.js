// One alarm: reasons, values with their place in training, what would change it, similar ones, and buttons to label it.

import { announce, byId, canLabel, el, number, problem, send, time, viewer } from "./core.js";

// Nobody compares more at a glance; the rest unfolds.
const FIRST_VALUES = 10;

// As many fit on a line of the list.
const SUMMARY_VALUES = 3;

export const address = ({ record_id: id, row }) => `alarms/${id}${row ? `?row=${row}` : ""}`;

/** Return what people said about an alarm: true, false, unsure, or nothing. */
export function known({ label, note }) {
  if (label) return label.is_inlier === 1 ? "false" : "true";
  return note?.is_unsure ? "unsure" : "";
}

const WORDS = { true: "true alarm", false: "false alarm", unsure: "unsure" };

/** Return a badge with what people said. */
export function badge(alarm) {
  const said = known(alarm);
  return said ? el("span", { class: `badge ${said}` }, WORDS[said]) : "";
}

/** Return the first reason in words, or the first values of an alarm that was not explained. */
export function summary({ explanation, features }) {
  if (explanation?.reasons?.length) return explanation.reasons[0];
  const values = Object.entries(features ?? {}).slice(0, SUMMARY_VALUES).map(([name, value]) => `${name} = ${number(value)}`);
  return values.join(", ") || "values were not recorded";
}

/** Label some rows, or say that one is unsure; return in words what was done. */
export async function label(alarm, said, note, others = []) {
  if (said === "unsure") {
    await send(`alarms/${alarm.record_id}/note`, { method: "POST", json: { row: alarm.row, is_unsure: true, note } });
  } else {
    const is_inlier = said === "true" ? -1 : 1;
    const labels = [alarm, ...others].map(({ record_id, row }) => ({ request_id: record_id, row, is_inlier, source: "console", note }));
    await send("feedback", { method: "POST", json: labels });
  }
  if (others.length) batches.set(address(alarm), others);
  return `Saved: ${WORDS[said]}${others.length ? `, with ${number(others.length)} identical` : ""}.`;
}

// What was labelled at once, by the address of the alarm from which it was: it is taken back at once too.
const batches = new Map();

/** Take back what the viewer said about an alarm, and about those that were labelled with it; return in words how many. */
async function withdraw(alarm) {
  const others = batches.get(address(alarm)) ?? [];
  const rows = [alarm, ...others].map(({ record_id, row }) => ({ request_id: record_id, row }));
  await send("feedback/withdraw", { method: "POST", json: rows });
  batches.delete(address(alarm));
  return others.length ? `Taken back, with ${number(others.length)} identical.` : "Taken back.";
}

/** Load an alarm and show it; `changed` is called with the alarms that were labelled. */
export async function show(place, alarm, changed = () => {}) {
  if (place.dataset.key !== address(alarm)) {
    // Otherwise somebody who is quick would label the alarm that was here before.
    place.replaceChildren(el("p", { class: "empty" }, "Loading …"));
    delete place.dataset.pending;
  }
  place.dataset.key = address(alarm);
  let detail;
  try {
    detail = await send(address(alarm));
  } catch (error) {
    place.replaceChildren(problem(error));
    return;
  }
  if (place.dataset.key !== address(alarm)) return; // another one was chosen meanwhile
  const again = () => show(place, alarm, changed);
  place.replaceChildren(
    heading(detail),
    buttons(detail, async (said, note, others) => {
      const touched = [detail, ...(others ?? batches.get(address(detail)) ?? [])];
      const done = await (said === "undo" ? withdraw(detail) : label(detail, said, note, others));
      await Promise.all([again(), changed(touched)]);
      announce(done);
      place.querySelector(".done")?.replaceChildren(done);
    }),
    reasons(detail),
    values(detail),
    similar(detail),
  );
  const { pending } = place.dataset;
  delete place.dataset.pending;
  if (pending) press(pending);
}

function heading(detail) {
  const place = detail.segment ? ` in ${detail.segment}` : "";
  return el(
    "div",
    {},
    el("h2", {}, "Alarm of ", time(detail.answered_at), place),
    el("p", { class: "small" }, el("a", { href: address(detail) }, "Permanent link"), ` · row ${detail.row} of ${detail.record_id} · model ${detail.model_version}`),
  );
}

function buttons(detail, act) {
  const note = el("input", { id: "note", maxlength: 1000, value: detail.label?.note || detail.note?.note || "", disabled: !canLabel });
  const failure = el("p", { class: "error", role: "alert" });
  const said = known(detail);
  const choose = async (choice, others) => {
    try {
      await act(choice, note.value, others);
    } catch (error) {
      failure.textContent = error.message;
    }
  };
  const button = (choice, words, key, meaning) =>
    el(
      "button",
      { type: "button", class: meaning, "data-say": choice, "aria-pressed": String(said === choice), disabled: !canLabel, click: () => choose(choice) },
      words,
      el("kbd", { "aria-hidden": "true" }, key),
    );
  const who = said ? (detail.label ?? detail.note) : null;
  const isOwn = who !== null && (viewer === "" || who.given_by === viewer);
  return el(
    "div",
    { class: "card actions" },
    button("true", "True alarm", "y", "alarm"),
    button("false", "False alarm", "n", "inlier"),
    button("unsure", "Unsure", "u", ""),
    isOwn && canLabel ? button("undo", "Undo", "z", "quiet") : null,
    said && said !== "unsure" && detail.identical.length > 0 && canLabel
      ? el("button", { type: "button", id: "twins", click: () => choose(said, detail.identical) }, `Say the same about ${number(detail.identical.length)} identical`)
      : null,
    el("label", { for: "note", class: "small" }, "Note"),
    note,
    el("p", { class: "small done" }),
    !said && detail.identical.length > 0 ? el("p", { class: "small" }, `${number(detail.identical.length)} earlier alarms with these values have no label; label this one to label them too.`) : null,
    who ? el("p", { class: "small" }, `${who.given_by ?? "somebody on this host"}, `, time(who.given_at)) : null,
    canLabel ? null : el("p", { class: "small" }, "Your key may see alarms, not label them."),
    failure,
  );
}

function reasons({ explanation, anomaly_score: score }) {
  if (!explanation) return el("p", { class: "empty" }, `Score ${number(score)}. It was not explained: too many alarms came at once, or the model cannot explain.`);
  const { p_value: p, counterfactual, notes = {} } = explanation;
  const rarity = p === null || p === undefined ? null : `As rare as 1 in ${number(1 / p, 2)} ordinary rows.`;
  const note = notes.counterfactual;
  const shown = (value) => (typeof value === "number" ? number(value) : value);
  const changes = Object.entries(counterfactual ?? {}).map(([name, { from, to }]) => `${name} were ${shown(to)} instead of ${from === null ? "missing" : shown(from)}`);
  return el(
    "div",
    {},
    el("h3", {}, "Why"),
    el("ol", { class: "reasons" }, ...explanation.reasons.map((reason) => el("li", {}, reason))),
    el("p", {}, [
        `Score ${number(score)}.`,
        rarity,
        changes.length ? `It would be ordinary if ${changes.join(" and ")}${note ? ` (${note})` : ""}.` : null,
        !changes.length && note ? `No small change makes it ordinary: ${note}.` : null,
      ]
        .filter(Boolean)
        .join(" ")),
  );
}

/** Return the table of values, the one that contributes most first. */
function values({ features, places, explanation }) {
  if (!features) return el("p", { class: "empty" }, "Values were not recorded (RECORD_FEATURES=false).");
  const contributions = explanation?.contributions ?? {};
  const largest = Math.max(...Object.values(contributions).map(Math.abs), Number.MIN_VALUE);
  const names = Object.keys(features).sort((one, other) => (contributions[other] ?? 0) - (contributions[one] ?? 0));
  const rows = names.map((name, index) =>
    el(
      "tr",
      { hidden: index >= FIRST_VALUES },
      el("th", { scope: "row" }, name),
      el("td", { class: "number" }, number(features[name], 6)),
      el("td", {}, strip(places[name])),
      el("td", {}, bar(contributions[name], largest)),
    ),
  );
  const more = names.length - FIRST_VALUES;
  const head = ["Column", "Value", "Among training rows", "Contribution"].map((title, index) => el("th", { scope: "col", class: index === 1 ? "number" : null }, title));
  const table = el("table", { class: "values" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
  const unfold = el("button", { type: "button", class: "quiet", click: () => (rows.forEach((row) => (row.hidden = false)), unfold.remove()) }, `Show ${more} more columns`);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values" }, table, more > 0 ? unfold : null);
}

/** Return where a value lies in words. */
export function inWords({ share }) {
  return share < 0 ? "below all training rows" : share > 1 ? "above all training rows" : `above ${number(100 * share, 3)} % of training rows`;
}

/** Draw where a value lies: the training rows are the middle, by rank; what is outside of their range lies at the ends. */
export function strip(place, name = "") {
  if (!place || place.share === null) return "–";
  const { share, low, median, high } = place;
  const isOutside = share < 0 || share > 1;
  const marker = el("i", { class: isOutside ? "outside" : null });
  marker.style.left = `${share < 0 ? 5 : share > 1 ? 95 : 12 + 76 * share}%`;
  const title = `${name ? `${name}: ` : ""}${inWords(place)}; these reach from ${number(low)} to ${number(high)}, half are below ${number(median)}`;
  return el("span", { class: "strip", role: "img", "aria-label": title, title }, marker);
}

function bar(value, largest) {
  if (value === undefined) return "–";
  const fill = el("i", { class: value < 0 ? "normal" : "abnormal" });
  fill.style.width = `${(50 * Math.abs(value)) / largest}%`;
  const title = `${number(value, 3)}: ${value < 0 ? "more normal" : "more abnormal"}`;
  return el("span", { class: "bar", role: "img", "aria-label": title, title }, fill);
}

function similar({ similar: others }) {
  if (!others.length) return el("p", { class: "small" }, "No earlier alarm to compare it with.");
  const rows = others.map((other) =>
    el("li", {}, el("a", { href: address(other) }, el("span", { class: "reason" }, summary(other)), badge(other), el("span", { class: "meta" }, time(other.answered_at), ` · differs by ${number(other.distance, 2)}`))),
  );
  return el("div", {}, el("h3", {}, "Similar earlier alarms"), el("ol", { class: "list" }, ...rows));
}

/** Press a button of the alarm that is shown, or that is being loaded. */
export function press(said) {
  const isLoading = !byId("detail").querySelector("[data-say]");
  if (isLoading) byId("detail").dataset.pending = said;
  else byId("detail").querySelector(`[data-say="${said}"]`)?.click();
}
