// The page's form and its answer. Addresses are relative: the page may be served under a prefix.

// Gunicorn ends a worker that is silent for 30 seconds by default: nobody answers after that.
const PATIENCE_MILLISECONDS = 30_000;

// The service itself looks for a new model once a second.
const LOOK_FOR_MODEL_MILLISECONDS = 2_000;

const byId = (id) => document.getElementById(id);

if (byId("row")) {
  startForm(byId("row"));
} else {
  reloadWhenReady();
}

/** Let the form send rows, and keep the command beside it the same row. */
function startForm(form) {
  const inputs = [...form.querySelectorAll("input[type=number]")];
  const changed = () => {
    inputs.forEach(markRange);
    byId("curl-body").textContent = JSON.stringify(request(inputs));
  };
  // What the browser's address says is right behind a proxy too, where the service may not know its own.
  // A quote in it, which an address may hold as it is, would end the shell's word.
  const address = new URL("prediction", document.baseURI).href.replaceAll("'", "%27");
  byId("curl-address").textContent = `'${address}'`;
  for (const button of form.querySelectorAll("[data-row]")) {
    button.addEventListener("click", () => {
      JSON.parse(button.dataset.row).forEach((number, place) => (inputs[place].value = number));
      changed();
    });
  }
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, inputs);
  });
  offerToCopy();
  changed();
}

/** Say beside an input that its number is beyond what the model saw in training. */
function markRange(input) {
  const { low, high } = input.dataset;
  const isBeyond = input.valueAsNumber < Number(low) || input.valueAsNumber > Number(high);
  input.parentElement.classList.toggle("beyond", isBeyond);
}

/** Make the body of a request. What is no number is sent as null, so that the service says what is wrong. */
function request(inputs) {
  return { feature_vector: inputs.map((input) => input.valueAsNumber), score: byId("score").checked };
}

/** Send the row, and show whatever comes back. */
async function send(form, inputs) {
  const answer = byId("answer");
  if (answer.ariaBusy === "true") return;
  answer.ariaBusy = "true";
  const begun = performance.now();
  try {
    const response = await fetch("prediction", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request(inputs)),
      signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
    });
    const text = await response.text();
    const milliseconds = performance.now() - begun;
    clear(inputs);
    showRaw(response, text);
    const body = parse(text);
    if (response.ok && body) showLabel(form, body, milliseconds, response.headers.get("X-Model-Version"));
    else showProblem(inputs, response, body);
  } catch (error) {
    clear(inputs);
    byId("raw").hidden = true;
    show("problem", "No answer", `The service could not be reached (${error.message}). Does it still run?`);
  } finally {
    answer.ariaBusy = "false";
  }
}

/** Read JSON; a proxy in between may answer with something else. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Show the answer as it came; JSON is laid out. */
function showRaw(response, text) {
  const body = parse(text);
  byId("raw").textContent = `HTTP ${response.status}\n${body ? JSON.stringify(body, null, 2) : text}`;
  byId("raw").hidden = false;
}

/** Show the label in words, and the score on its scale if it was asked for. */
function showLabel(form, body, milliseconds, version) {
  const threshold = Number(form.dataset.threshold);
  const score = body.anomaly_score;
  const isScored = score !== undefined;
  let reason = "";
  // The threshold shown is that of the page's model: it says nothing of an answer by another.
  const isSameModel = version === form.dataset.version;
  if (!isSameModel) reason = "Another model has gone live since this page was loaded: reload it.";
  else if (isScored) reason = `Its score is ${score < threshold ? "below" : "not below"} the threshold.`;
  if (body.is_inlier === 1) show("inlier", "Inlier: a normal row", reason);
  else show("outlier", "Outlier: an abnormal row", reason);
  byId("measured-score").textContent = isScored ? score.toFixed(6) : "not asked for";
  byId("measured-time").textContent = `${milliseconds.toFixed(1)} ms`;
  byId("measured-version").textContent = version;
  byId("measured").hidden = false;
  if (!isScored || !isSameModel) return;
  // Scores lie in [-1, 0], and the scale runs from left to right.
  byId("scale").style.setProperty("--threshold", `${(threshold + 1) * 100}%`);
  byId("scale").style.setProperty("--score", `${(score + 1) * 100}%`);
  byId("scale").hidden = false;
}

/** Show why the row was refused, beside the inputs that are to blame. */
function showProblem(inputs, response, body) {
  const elsewhere = [];
  const blamed = [];
  for (const { field, message } of body?.errors ?? []) {
    const place = field.match(/^feature_vector\[(\d+)\]$/)?.[1];
    const input = inputs[place];
    if (input === undefined) {
      elsewhere.push(message);
      continue;
    }
    input.ariaInvalid = "true";
    byId(`error-${place}`).textContent = message;
    blamed.push(input);
  }
  const known = blamed.length ? "See beside the inputs. " + elsewhere.join(" ") : body?.detail;
  show("problem", `Refused: ${body?.title ?? `HTTP ${response.status}`}`, known ?? "Something in between answered.");
  blamed[0]?.focus();
}

/** Show an outcome in words. */
function show(outcome, verdict, reason) {
  byId("answer").dataset.outcome = outcome;
  byId("verdict").textContent = verdict;
  byId("reason").textContent = reason;
}

/** Forget the answer before. */
function clear(inputs) {
  for (const [place, input] of inputs.entries()) {
    input.ariaInvalid = null;
    byId(`error-${place}`).textContent = "";
  }
  byId("scale").hidden = byId("measured").hidden = true;
}

/** Show the button that copies the command, where the browser allows it: not on plain HTTP from another machine. */
function offerToCopy() {
  if (!navigator.clipboard) return;
  const button = byId("copy");
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("curl").textContent);
    button.textContent = "Copied";
  });
}

/** Wait for a model. */
function reloadWhenReady() {
  setInterval(async () => {
    // A page that nobody sees need not ask; a service that is being restarted is asked again.
    if (document.hidden) return;
    const response = await fetch("readyz").catch(() => null);
    if (response?.ok) location.reload();
  }, LOOK_FOR_MODEL_MILLISECONDS);
}
