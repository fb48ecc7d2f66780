// The form and its answer. URLs are relative, because a proxy may serve the page under a prefix.

import { byId, csrf } from "./core.js";
import { readRow } from "./pasted.js";
import { hideExplanation, showExplanation } from "./explanation.js";

// By default, Gunicorn kills a worker that is silent for 30 seconds, so there is no answer after that.
const TIMEOUT_MILLISECONDS = 30_000;

// The service itself checks for a new model once a second.
const CHECK_MODEL_MILLISECONDS = 2_000;

// Marks these rows among recorded ones.
const SEGMENT = "try";

if (byId("row")) {
  startForm(byId("row"));
} else {
  reloadWhenReady();
}

/** Make the form send rows, and show the same row in the command beside it. */
function startForm(form) {
  const inputs = [...form.querySelectorAll(".feature input")];
  const changed = () => {
    inputs.forEach(markRange);
    byId("curl-body").textContent = JSON.stringify(request(inputs));
  };
  // The browser's URL is correct even behind a proxy, where the service may not know its own. A URL may contain an
  // unescaped quote, which would end the shell's string.
  const address = new URL("prediction", document.baseURI).href.replaceAll("'", "%27");
  byId("curl-address").textContent = `'${address}'`;
  for (const button of form.querySelectorAll("[data-row]")) {
    button.addEventListener("click", () => {
      JSON.parse(button.dataset.row).forEach((number, index) => (inputs[index].value = number));
      changed();
    });
  }
  const names = [...form.querySelectorAll(".feature > label")].map((label) => label.textContent);
  byId("pasted").addEventListener("input", () => paste(names, inputs));
  form.querySelector(".features").addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text");
    // A number field would keep the first cell of several.
    if (!/[\t\n;{[]/.test(text.trim())) return;
    event.preventDefault();
    byId("pasted").closest("details").open = true;
    byId("pasted").value = text;
    paste(names, inputs);
    changed();
  });
  byId("find")?.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  byId("find")?.addEventListener("input", ({ target }) => {
    const wanted = target.value.trim().toLocaleLowerCase();
    inputs.forEach((input, index) => (input.parentElement.hidden = !names[index].toLocaleLowerCase().includes(wanted)));
  });
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, inputs);
  });
  offerToCopy();
  changed();
}

/** Fill in a pasted row, or say why not. */
function paste(names, inputs) {
  const text = byId("pasted").value;
  byId("pasted-result").textContent = "";
  if (!text.trim()) return;
  try {
    const { values, note } = readRow(text, names);
    values.forEach((value, index) => (inputs[index].value = value));
    // An input for numbers is empty after anything else.
    const refused = names.filter((_, index) => inputs[index].value !== values[index]);
    byId("pasted-result").textContent = refused.length ? `${note} Not a number: ${refused.slice(0, 5).join(", ")}.` : note;
  } catch (error) {
    byId("pasted-result").textContent = error.message;
  }
}

/** Mark an input whose number is outside of the range in training. */
function markRange(input) {
  const { low, high } = input.dataset;
  const isOutside = input.valueAsNumber < Number(low) || input.valueAsNumber > Number(high);
  input.parentElement.classList.toggle("beyond", isOutside);
}

/** Return the body of a request. Anything that is not a number becomes null, which the service then reports. */
function request(inputs) {
  const row = { feature_vector: inputs.map(valueOf), score: byId("score").checked };
  // A model of an old format cannot explain, and has no such box.
  return byId("explain")?.checked ? { ...row, explain: true } : row;
}

/** Return the value of an input; a text without anything in it is missing. */
function valueOf(input) {
  return input.type === "number" ? input.valueAsNumber : input.value || null;
}

/** Return the headers of a request; a key stays in the page, which stores nothing. */
function headers() {
  const key = byId("key").value;
  return { "Content-Type": "application/json", ...csrf, ...(key && { "X-API-Key": key }) };
}

/** Send the row, and show the answer or the error. */
async function send(form, inputs) {
  const answer = byId("answer");
  if (answer.ariaBusy === "true") return;
  answer.ariaBusy = "true";
  const started = performance.now();
  try {
    const response = await fetch("prediction", {
      method: "POST",
      headers: headers(),
      body: JSON.stringify({ ...request(inputs), segment: SEGMENT }),
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
    const text = await response.text();
    const milliseconds = performance.now() - started;
    clear(inputs);
    showRaw(response, text);
    const body = parse(text);
    if (response.ok && body) showLabel(form, body, milliseconds, response.headers.get("X-Model-Version"));
    else showProblem(inputs, response, body);
  } catch (error) {
    clear(inputs);
    byId("raw").hidden = true;
    show("problem", "No answer", `The service could not be reached (${error.message}). Is it still running?`);
  } finally {
    answer.ariaBusy = "false";
  }
}

/** Parse JSON; return null for anything else, which a proxy in between may send. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Show the raw answer; JSON is indented. */
function showRaw(response, text) {
  const body = parse(text);
  byId("raw").textContent = `HTTP ${response.status}\n${body ? JSON.stringify(body, null, 2) : text}`;
  byId("raw").hidden = false;
}

/** Show the label in words, and the score on its scale if it was requested. */
function showLabel(form, body, milliseconds, version) {
  const threshold = Number(form.dataset.threshold);
  const score = body.anomaly_score;
  const isScored = score !== undefined;
  let reason = "";
  // The label decides: at the threshold, the last bit of a score depends on the service's processor.
  const side = body.is_inlier === 1 ? "not below" : "below";
  // The threshold on the page belongs to the page's model, so it does not apply to an answer of another one.
  const isSameModel = version === form.dataset.version;
  if (!isSameModel) reason = "Another model has gone live since this page was loaded: reload it.";
  else if (isScored) reason = `Its score is ${side} the threshold.`;
  const unfamiliar = Object.entries(body.unfamiliar ?? {}).map(([name, why]) => `${name}: ${why}`);
  if (unfamiliar.length) reason += ` Unlike all training rows, which the model cannot judge: ${unfamiliar.join("; ")}.`;
  if (body.is_inlier === 1) show("inlier", "Inlier: a normal row", reason);
  else show("outlier", "Outlier: an abnormal row", reason);
  byId("measured-score").textContent = isScored ? score.toFixed(6) : "not requested";
  byId("measured-time").textContent = `${milliseconds.toFixed(1)} ms`;
  byId("measured-version").textContent = version;
  byId("measured").hidden = false;
  showExplanation(body);
  if (!isScored || !isSameModel) return;
  // Scores lie in [-1, 0], and the scale runs from left to right.
  byId("scale").style.setProperty("--threshold", `${(threshold + 1) * 100}%`);
  byId("scale").style.setProperty("--score", `${(score + 1) * 100}%`);
  byId("scale").hidden = false;
}

/** Show why the row was refused, beside the inputs with mistakes. */
function showProblem(inputs, response, body) {
  // Keys may have been introduced since the page was loaded.
  if (response.status === 401) byId("key-field").hidden = false;
  const elsewhere = [];
  const invalid = [];
  for (const { field, message } of body?.errors ?? []) {
    const index = field.match(/^feature_vector\[(\d+)\]$/)?.[1];
    const input = inputs[index];
    if (input === undefined) {
      elsewhere.push(message);
      continue;
    }
    input.ariaInvalid = "true";
    input.parentElement.hidden = false; // the search for a column may have hidden it
    byId(`error-${index}`).textContent = message;
    invalid.push(input);
  }
  const known = invalid.length ? "See the messages beside the inputs. " + elsewhere.join(" ") : body?.detail;
  show("problem", `Refused: ${body?.title ?? `HTTP ${response.status}`}`, known ?? "A proxy answered instead of the service.");
  invalid[0]?.focus();
}

/** Show an outcome in words. */
function show(outcome, verdict, reason) {
  byId("answer").dataset.outcome = outcome;
  byId("verdict").textContent = verdict;
  byId("reason").textContent = reason;
}

/** Remove the previous answer. */
function clear(inputs) {
  for (const [index, input] of inputs.entries()) {
    input.ariaInvalid = null;
    byId(`error-${index}`).textContent = "";
  }
  byId("scale").hidden = byId("measured").hidden = true;
  hideExplanation();
}

/** Show the copy button if the browser allows copying, which it does not on plain HTTP from another machine. */
function offerToCopy() {
  if (!navigator.clipboard) return;
  const button = byId("copy");
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("curl").textContent);
    button.textContent = "Copied";
  });
}

/** Reload the page as soon as there is a model. */
function reloadWhenReady() {
  setInterval(async () => {
    // A hidden page need not check. If the service is being restarted, the next check succeeds.
    if (document.hidden) return;
    const response = await fetch("readyz").catch(() => null);
    if (response?.ok) location.reload();
  }, CHECK_MODEL_MILLISECONDS);
}
