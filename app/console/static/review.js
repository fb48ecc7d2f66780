// The review queue: rows one at a time, by two people at once if they like; answers can be taken back.

import { inWords, strip } from "./alarm.js";
import { announce, byId, canLabel, el, number, onKeys, percent, problem, send, time, viewer } from "./core.js";

// Few enough that hardly any lease is left over when somebody stops, enough that nobody waits for the next row.
const BATCH = 5;

// Labels that make recall sure to ± 5 points: what "enough" means here.
const WANTED_HALF_WIDTH = 0.05;

const MAX_LISTED = 10;

// Nobody reads a row faster: an earlier key was meant for the row before.
const UNREAD_MILLISECONDS = 250;

// From fewer audited inliers, nobody can tell how many more are needed.
const FEW_AUDITED = 20;

// In this tab only, so that answers can be taken back after the page was loaded again.
const KEPT = `reviewed ${viewer}`;
const MAX_KEPT = 100;

// Hours in which people labelled: enough for a day of a team.
const MAX_EVENTS = 200;
const DAY_MILLISECONDS = 86_400_000;

let queue = [];
let done = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
let current = null;
let shownAt = 0;
let ranges = {};
let isLoading = false;

async function next() {
  current = null;
  enable(false);
  isLoading = true;
  try {
    if (!queue.length) {
      queue = (await send("audit/next?kind=mixed", { method: "POST", json: { n: BATCH } })).rows;
    }
    show(queue.shift() ?? null);
  } catch (error) {
    byId("row").replaceChildren(problem(error));
  } finally {
    isLoading = false;
  }
}

function show(row) {
  current = row;
  shownAt = performance.now();
  enable(Boolean(row));
  byId("note").value = row?.note ?? "";
  if (!row) {
    byId("row").replaceChildren(
      el("p", { class: "empty" }, "Nothing to review. A share of all answers is drawn for review (AUDIT_SHARE); once some are drawn, they appear here."),
      el("button", { type: "button", click: next }, "Look again"),
    );
    return;
  }
  for (const button of document.querySelectorAll("[data-say]")) button.ariaPressed = String(row.said === button.dataset.say);
  const values = Object.entries(row.features ?? {}).map(([name, value]) => {
    const place = row.places?.[name];
    const isKnown = place && place.share !== null;
    const [range, isOutside] = isKnown ? [inWords(place), place.share < 0 || place.share > 1] : rangeInWords(name, value);
    return el("div", { class: isOutside ? "outside" : null }, el("dt", {}, name), el("dd", {}, value === null ? "missing" : number(value, 6), el("small", {}, range), isKnown ? strip(place, name) : null));
  });
  byId("row").replaceChildren(
    el("p", { class: "small" }, time(row.answered_at), row.segment ? ` · ${row.segment}` : "", ` · ${row.record_id}`),
    values.length ? el("dl", { class: "row-values" }, ...values) : el("p", { class: "empty" }, "Values were not recorded (RECORD_FEATURES=false)."),
  );
  announce("Next row");
}

/** Return the training range of a column in words, and whether a value lies outside of it. */
function rangeInWords(name, value) {
  const [low, high] = ranges[name] ?? [];
  if (low === undefined || typeof value !== "number") return ["", false];
  const outside = value < low ? "below all in training, " : value > high ? "above all in training, " : "in training ";
  return [`${outside}${number(low)} to ${number(high)}`, value < low || value > high];
}

async function say(said) {
  if (!current || !canLabel || isLoading) return;
  const row = { ...current, said, note: byId("note").value };
  byId("failure").textContent = "";
  if (said !== "skip") {
    enable(false);
    isLoading = true; // until then, another key would answer the same row again
    const label = { request_id: row.record_id, row: row.row, is_inlier: said === "true" ? -1 : 1, source: "review", note: row.note };
    try {
      await send("feedback", { method: "POST", json: label });
    } catch (error) {
      byId("failure").textContent = error.message;
      enable(true);
      isLoading = false;
      return;
    }
  }
  done = [row, ...done];
  list();
  if (!queue.length) showProgress();
  await next();
}

/** Take back the answer to a row, by default the last one, and show it again. */
async function back(row = done[0]) {
  if (!row || isLoading) return;
  byId("failure").textContent = "";
  if (row.said !== "skip") {
    isLoading = true;
    try {
      await send("feedback/withdraw", { method: "POST", json: { request_id: row.record_id, row: row.row } });
    } catch (error) {
      byId("failure").textContent = error.message;
      return;
    } finally {
      isLoading = false;
    }
  }
  if (current) queue.unshift(current);
  done = done.filter((other) => other !== row);
  list();
  show({ ...row, said: undefined });
}

/** Answer by a key, unless it is held down or the row has only just appeared. */
function sayByKey(said, { repeat }) {
  if (!repeat && performance.now() - shownAt >= UNREAD_MILLISECONDS) say(said);
}

function enable(isOn) {
  for (const button of document.querySelectorAll("[data-say]")) button.disabled = !isOn || !canLabel;
}

function list() {
  sessionStorage.setItem(KEPT, JSON.stringify(done.slice(0, MAX_KEPT)));
  const labelled = done.filter(({ said }) => said !== "skip");
  byId("back").disabled = !done.length || !canLabel;
  byId("mine").textContent = labelled.length ? `You have labelled ${labelled.length} in this tab.` : "You have labelled nothing in this tab.";
  byId("done").replaceChildren(
    ...done.slice(0, MAX_LISTED).map((row) => {
      const words = { true: "abnormal", false: "ordinary", skip: "skipped" }[row.said];
      const values = Object.entries(row.features ?? {}).slice(0, 3).map(([name, value]) => `${name} = ${number(value)}`);
      return el("li", {}, el("button", { type: "button", title: "Take back", click: () => back(row) }, el("span", { class: "reason" }, values.join(", ") || row.record_id), el("span", { class: `badge ${row.said === "skip" ? "unsure" : row.said}` }, words)));
    }),
  );
}

/** Show who labelled how many rows in the last day. */
async function showPeople() {
  const counts = new Map();
  try {
    const { events } = await send(`events?about=labels&n=${MAX_EVENTS}`);
    for (const { who, what, note, at } of events) {
      if (what === "labels" && Date.now() - new Date(at) < DAY_MILLISECONDS) counts.set(who, (counts.get(who) ?? 0) + parseInt(note.replaceAll(",", ""), 10));
    }
  } catch {
    return; // the page says so elsewhere
  }
  const words = [...counts].map(([who, count]) => `${who === "unknown" ? "people on this host" : who} ${number(count, 6)}`);
  byId("people").textContent = words.length ? `Labels in the last 24 hours: ${words.join(", ")}.` : "";
}

/** Show how far the labels are from recall to ± 5 points. */
async function showProgress() {
  showPeople();
  let overall;
  try {
    ({ overall } = await send("quality"));
  } catch (error) {
    byId("needed").textContent = error.message;
    return;
  }
  const { recall } = overall.figures;
  const labels = overall.labelled_alarms + overall.audited_inliers;
  const count = `Of this model's answers in a week, ${number(labels, 6)} labels count: ${number(overall.labelled_alarms, 6)} of alarms, ${number(overall.audited_inliers, 6)} of ordinary answers`;
  byId("progress").hidden = false;
  if (recall.value === null) {
    byId("needed").textContent = `${count}. Recall unknown: ${recall.reason}.`;
    return;
  }
  const half = (recall.high - recall.low) / 2;
  // The width of an interval falls with the square root of the number of labels.
  const share = Math.min(1, (WANTED_HALF_WIDTH / Math.max(half, Number.EPSILON)) ** 2);
  byId("progress").value = share;
  const more = Math.ceil(labels / share) - labels;
  const few = overall.audited_inliers < FEW_AUDITED ? "too few ordinary answers to say how many make it ±5" : null;
  const words = share < 1 ? (few ?? `about ${number(more, 2)} more make it ±5`) : "enough for ±5";
  byId("needed").textContent = `${count}. Recall ${percent(recall.value, 2)}, ± ${number(100 * half, 2)} points; ${words}.`;
}

for (const button of document.querySelectorAll("[data-say]")) button.addEventListener("click", () => say(button.dataset.say));
byId("back").addEventListener("click", () => back());
onKeys({
  y: (event) => sayByKey("true", event),
  n: (event) => sayByKey("false", event),
  u: (event) => sayByKey("skip", event),
  z: () => back(),
});
list();

if (canLabel) {
  const information = await send("model_information").catch(() => null);
  const { feature_names: names = [], feature_ranges: spans = [] } = information?.model ?? {};
  ranges = Object.fromEntries(names.map((name, index) => [name, spans[index]]));
  await next();
} else {
  byId("row").replaceChildren(el("p", { class: "notice" }, "Your key may see records, not label them: sign in with a key that has the role labeller."));
}
showProgress();
