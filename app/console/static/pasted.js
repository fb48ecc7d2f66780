// Reads a row that somebody pasted: JSON, or a line of cells, with or without a line of column names before it.

// The fields of requests that hold rows.
const WRAPPERS = ["feature_vector", "features", "feature_vectors", "rows"];

/** Return the value of each column as a text, empty for a missing one, and what to say about it; an error says why not. */
export function readRow(text, names) {
  const [given, rest] = /^\s*[[{]/.test(text) ? readJson(text) : readCells(text, names);
  if (Array.isArray(given)) {
    if (given.length !== names.length) throw new Error(`${given.length} values, but the model has ${names.length} columns: paste the header as well.`);
    return { values: given.map(asText), note: `All ${names.length} columns are filled in${rest}.` };
  }
  const missing = names.filter((name) => !Object.hasOwn(given, name));
  const unknown = Object.keys(given).filter((name) => !names.includes(name));
  if (missing.length === names.length) throw new Error(`None of these columns is one of the model's, such as ${names[0]}.`);
  const notes = [`${names.length - missing.length} of ${names.length} columns are filled in${rest}`];
  if (missing.length) notes.push(`empty: ${list(missing)}`);
  if (unknown.length) notes.push(`not used: ${list(unknown)}`);
  return { values: names.map((name) => asText(given[name])), note: `${notes.join("; ")}.` };
}

/** Return the values of a JSON text by name or in order; a request's body has them inside. */
function readJson(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${error.message}`);
  }
  let rest = "";
  const wrapper = WRAPPERS.find((name) => typeof found[name] === "object" && found[name] !== null);
  if (wrapper) found = found[wrapper];
  if (Array.isArray(found) && typeof found[0] === "object" && found[0] !== null) {
    rest = found.length > 1 ? `, from the first of ${found.length} rows` : "";
    found = found[0];
  }
  return [found, rest];
}

/** Return the values of a line of cells: by name if the line before has names, otherwise in order. */
function readCells(text, names) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim());
  const separator = ["\t", ";", ","].find((each) => lines[0].includes(each)) ?? ",";
  const rows = lines.map((line) => split(line, separator));
  const hasHeader = rows[0].some((cell) => names.includes(cell));
  const first = hasHeader ? rows[1] : rows[0];
  if (!first) throw new Error("Below the column names, a row is missing.");
  const nRows = rows.length - hasHeader;
  const rest = nRows > 1 ? `, from the first of ${nRows} rows` : "";
  // Where a comma does not separate cells, it may be the decimal sign.
  const cells = first.map((cell) => (separator !== "," && /^[+-]?[0-9]+,[0-9]+$/.test(cell) ? cell.replace(",", ".") : cell));
  if (!hasHeader) return [cells, rest];
  return [Object.fromEntries(rows[0].map((name, index) => [name, cells[index] ?? ""])), rest];
}

/** Split a line at separators outside of quotes; within them, two quotes stand for one. */
function split(line, separator) {
  const cells = [""];
  let isQuoted = false;
  for (let place = 0; place < line.length; place += 1) {
    const character = line[place];
    const isEscaped = isQuoted && character === '"' && line[place + 1] === '"';
    if (isEscaped) place += 1;
    if (character === '"' && !isEscaped) isQuoted = !isQuoted;
    else if (character === separator && !isQuoted) cells.push("");
    else cells[cells.length - 1] += character;
  }
  return cells.map((cell) => cell.trim());
}

const asText = (value) => (value === null || value === undefined ? "" : String(value));

/** Name the first few. */
function list(names) {
  return names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
}
