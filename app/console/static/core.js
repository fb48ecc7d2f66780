// What all views share: requests, elements, numbers and times. Texts of strangers only ever become text nodes.

const body = document.body;

export const canLabel = body.dataset.canLabel === "yes";
export const isAdmin = body.dataset.isAdmin === "yes";
/** The name of the key with which the browser signed in; empty without one. */
export const viewer = body.dataset.viewer;
/** The token that writes of a signed-in browser need, as a header. */
export const csrf = body.dataset.csrf ? { "X-CSRF-Token": body.dataset.csrf } : {};

export const byId = (id) => document.getElementById(id);

// Longer than any route takes; after it, the service counts as unreachable.
const TIMEOUT_MILLISECONDS = 30_000;

/** A request that was refused, or got no answer (status 0). */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Send a request and return the decoded answer; a session that ended leads to the page to sign in on. */
export async function send(path, { method = "GET", json, isOptional = false } = {}) {
  const headers = { Accept: "application/json" };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") Object.assign(headers, csrf);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: json === undefined ? undefined : JSON.stringify(json),
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
  } catch (error) {
    throw new Refused(0, `The service could not be reached (${error.message}). Is it still running?`);
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  if (response.status === 401 && !isOptional && body.dataset.view !== "sign_in") location.assign(body.dataset.signIn);
  const problem = await response.json().catch(() => null);
  throw new Refused(response.status, problem?.detail ?? `A proxy answered with ${response.status} instead of the service.`);
}

// They would change the order of the text around them, and nobody needs them: letters have a direction of their own.
const DIRECTIONS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Return a text with its invisible marks of direction made visible. */
const visible = (text) => text.replace(DIRECTIONS, (mark) => `[U+${mark.charCodeAt(0).toString(16).toUpperCase()}]`);

/** Create an element. Attributes that are functions are listeners; children are elements or texts. */
export function el(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") created.addEventListener(name, value);
    else if (value === true) created.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) created.setAttribute(name, value);
  }
  const shown = children.filter((child) => child !== null && child !== undefined && child !== false);
  created.append(...shown.map((child) => (child instanceof Node ? child : visible(String(child)))));
  return created;
}

/** Return a number with up to some significant digits, in the reader's locale. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString(undefined, { maximumSignificantDigits: digits });
}

/** Return a score with as many digits as all others, so that they line up. */
export function score(value) {
  return value.toLocaleString(undefined, { minimumFractionDigits: 4, maximumFractionDigits: 4 });
}

/** Return a share in percent. */
export function percent(value, digits = 3) {
  return value === null || value === undefined ? "–" : `${number(100 * value, digits)} %`;
}

/** Return a time element in the reader's zone, with UTC as its title. */
export function time(text, options = { dateStyle: "medium", timeStyle: "medium" }) {
  return el("time", { datetime: text, title: `${text.replace("T", " ").replace("Z", "")} UTC` }, new Date(text).toLocaleString(undefined, options));
}

/** Return "5 min ago" for a time. */
export function ago(text) {
  const seconds = (Date.now() - new Date(text)) / 1000;
  const [unit, size] = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]].find(([, length]) => seconds >= length) ?? ["second", 1];
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(-Math.round(seconds / size), unit);
}

/** What each drift detector compares with training. */
export const DETECTORS = { mmd: "all columns together", cvm: "each column", score: "anomaly scores", outlier_rate: "share of alarms", counts: "small lasting changes" };

/** Tell screen readers what has happened. */
export function announce(text) {
  byId("announcement").textContent = text;
}

/** Return a paragraph that says why something is not shown. */
export function problem(error) {
  if (!(error instanceof Refused)) throw error;
  return el("p", { class: "notice bad", role: "alert" }, error.message);
}

/** Call a function for keys that are pressed outside of fields, by name. */
export function onKeys(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

byId("sign-out")?.addEventListener("click", async () => {
  await send("sign-out", { method: "POST" });
  sessionStorage.clear();
  location.assign("./");
});
