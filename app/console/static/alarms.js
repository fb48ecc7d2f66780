// The list of alarms: filters, pages, the keyboard, and the chosen alarm beside it.

import { address, badge, press, show, summary } from "./alarm.js";
import { announce, byId, el, onKeys, problem, score, send, time } from "./core.js";

const PAGE = 50;

// A rare filter may need several pages of the service to find something.
const MAX_EMPTY_PAGES = 50;

const POLL_MILLISECONDS = 15_000;

const form = byId("filters");
const list = byId("list");
let alarms = [];
let cursor = null;
let chosen = -1;
let search = 0;

// As in console.css: there is room for the chosen alarm beside the list.
const isWide = () => matchMedia("(min-width: 64rem)").matches;

/** Return the filters that are set. */
function query() {
  return new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));
}

/** Load the first page, or the next one. */
async function load(isFirst) {
  const current = isFirst ? ++search : search;
  const wanted = query();
  wanted.set("n", PAGE);
  byId("more").disabled = true;
  try {
    const found = [];
    let next = isFirst ? null : cursor;
    for (let pages = 0; pages < MAX_EMPTY_PAGES && found.length === 0; pages += 1) {
      if (next) wanted.set("cursor", next);
      const page = await send(`alarms?${wanted}`);
      if (current !== search) return;
      found.push(...page.alarms);
      next = page.next_cursor;
      if (!next) break;
    }
    cursor = next;
    add(found, isFirst);
  } catch (error) {
    list.replaceChildren();
    byId("more").hidden = true;
    byId("empty").hidden = false;
    byId("empty").replaceChildren(problem(error));
  }
}

function add(found, isFirst) {
  if (isFirst) {
    byId("newer").hidden = true;
    alarms = [];
    list.replaceChildren();
    byId("detail").replaceChildren();
    chosen = -1;
  }
  alarms.push(...found);
  list.append(...found.map((alarm) => item(alarm)));
  byId("more").hidden = !cursor;
  byId("more").disabled = false;
  byId("empty").hidden = alarms.length > 0;
  byId("empty").replaceChildren(
    ...([...query()].length
      ? ["No alarm matches these filters."]
      : ["No alarm is recorded yet. Send rows to /prediction, or ", el("a", { href: "try" }, "try one"), "; alarms appear here within a second."]),
  );
  announce(`${found.length} alarms`);
  if (isFirst && alarms.length && isWide()) choose(0, false);
}

function item(alarm) {
  const link = el(
    "a",
    {
      href: address(alarm),
      click: (event) => {
        if (!isWide() || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        choose(alarms.indexOf(alarm));
      },
    },
    ...content(alarm),
  );
  return el("li", {}, link);
}

function content(alarm) {
  const meta = [alarm.segment, alarm.model_version].filter(Boolean).join(" · ");
  return [
    el("span", { class: "reason" }, summary(alarm)),
    el("span", { class: "number score" }, score(alarm.anomaly_score)),
    el("span", { class: "meta" }, time(alarm.answered_at, { dateStyle: "short", timeStyle: "medium" }), ` · ${meta}`),
    badge(alarm),
  ];
}

/** Offer to load the list again if there is a newer alarm; nobody wants it to move while they read. */
async function lookForNewer() {
  const wanted = query();
  wanted.set("n", 1);
  const page = await send(`alarms?${wanted}`).catch(() => null);
  const [newest] = page?.alarms ?? [];
  byId("newer").hidden = !newest || (alarms.length > 0 && address(newest) === address(alarms[0]));
}

/** Show an alarm beside the list. */
function choose(index, takesFocus = true) {
  if (index < 0 || index >= alarms.length) return;
  list.querySelector("[aria-current]")?.removeAttribute("aria-current");
  chosen = index;
  const link = list.children[index].firstChild;
  link.setAttribute("aria-current", "true");
  if (takesFocus) link.focus();
  link.scrollIntoView({ block: "nearest" });
  if (isWide()) show(byId("detail"), alarms[index], refresh);
}

/** Show in the list what was said about some alarms. */
async function refresh(touched) {
  const addresses = new Set(touched.map(address));
  const places = [...alarms.keys()].filter((index) => addresses.has(address(alarms[index])));
  for (const index of places) {
    alarms[index] = await send(address(alarms[index]));
    list.children[index].replaceWith(item(alarms[index]));
    if (index === chosen) list.children[index].firstChild.setAttribute("aria-current", "true");
  }
}

/** Label the chosen alarm; then the next one without a label is chosen by j. */
function say(said) {
  if (chosen >= 0) press(said);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  history.replaceState(null, "", `alarms${[...query()].length ? `?${query()}` : ""}`);
  load(true);
});
form.addEventListener("change", () => form.requestSubmit());
form.addEventListener("reset", () => setTimeout(() => form.requestSubmit()));
byId("newer").addEventListener("click", () => load(true));
byId("more").addEventListener("click", () => load(false));
byId("csv").addEventListener("click", async (event) => {
  event.preventDefault();
  const answer = await fetch(`alarms?${query()}&n=1000`, { headers: { Accept: "text/csv" } });
  const file = URL.createObjectURL(await answer.blob());
  el("a", { href: file, download: "alarms.csv" }).click();
  URL.revokeObjectURL(file);
});
onKeys({ j: () => choose(chosen + 1), k: () => choose(chosen - 1), y: () => say("true"), n: () => say("false"), u: () => say("unsure"), z: () => say("undo") });

// On a phone, the filters would push the list off the screen.
if (!isWide()) form.parentElement.open = [...query()].length > 0;
for (const [name, value] of new URLSearchParams(location.search)) {
  if (form.elements[name]) form.elements[name].value = value;
}
await load(true);
setInterval(() => document.hidden || lookForNewer(), POLL_MILLISECONDS);
