// The controls of a request, built from the server's own description, so that they cannot differ from what it takes.

const FIRST = ["prompt", "num_candidates", "seed", "temperature", "remix", "rhythm_lock", "scale", "pitch_range"];
const FIRST_ATTRIBUTES = ["note_density"];
const NOT_HERE = new Set(["file", "bars", "track", "region", "request", "request_id", "plan_only", "webhook_url", "attribute",
  "add_bars", "add_track"]);
const STARTS_AS = { num_candidates: "3" }; // a page to compare takes on begins with several
const WORDS = { num_candidates: "takes" }; // the one word that the command line has for it too
const GRAMMAR = /^((?:\[|[A-Z]{2})\S*): /; // how the command line writes a value, such as [TRACK/][BARS:]SHARE
const SEPARATOR = ";"; // between the values of an option that may be given several times
const GUIDE = / \(docs\/[^)]*\)/; // a file that the page has not

/** Fill the two boxes with a control per option of the form of POST /jobs and per attribute of the model. */
export function buildControls({ schema, info, models }, first, more) {
  const form = schema.paths["/jobs"].post.requestBody.content["multipart/form-data"].schema.properties;
  const settings = schema.components.schemas.InferenceConfig.properties;
  const rows = Object.entries(form)
    .filter(([name]) => !NOT_HERE.has(name))
    .map(([name, row]) => ({ name, ...row, ...typed(settings[name]) }));
  for (const row of rows) if (row.name === "model") row.enum = models.models.map((model) => model.id);
  const options = rows.filter((row) => row.name !== "model" || models.models.length > 1);
  const place = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  options.sort((one, other) => place(one.name) - place(other.name));
  for (const row of options) (FIRST.includes(row.name) ? first : more).append(control(row));
  const taken = new Set(options.map((row) => row.name));
  for (const row of attributes(info, taken)) (FIRST_ATTRIBUTES.includes(row.attribute) ? first : more).append(control(row));
}

/** What the settings' own description adds: default, range and choices. */
function typed(setting = {}) {
  const plain = [setting, ...(setting.anyOf ?? [])].find((row) => row.type && row.type !== "null") ?? setting;
  const found = {};
  if (setting.default !== undefined) found.default = setting.default;
  if (plain.enum) found.enum = plain.enum;
  for (const key of ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]) {
    const bound = setting[key] ?? plain[key];
    if (bound !== undefined) found[key] = bound;
  }
  return found;
}

/** A control per attribute; one that is called like an option says what it is. */
function attributes(info, taken) {
  return Object.entries(info.attributes).map(([name, size]) => {
    const labels = info.attribute_labels[name] ?? [];
    const kind = info.attribute_track_types[name];
    const span = labels.length ? "" : `; 0 to ${size - 1}`;
    return {
      name: "attribute",
      attribute: taken.has(name) ? `${name} (attribute)` : name,
      description: `${kind === "both" ? "all" : kind} tracks, by ${info.attribute_levels[name]}${span}`,
      choices: Array.from({ length: size }, (_, level) => [`${name}=${level}`, labels[level] ?? String(level)]),
    };
  });
}

function control(row) {
  const id = `ask-${row.attribute ?? row.name}`.replace(/\W+/g, "-");
  const box = document.createElement("div");
  box.className = "control";
  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = (row.attribute ?? WORDS[row.name] ?? row.name).replaceAll("_", " ");
  const input = inputFor(row);
  Object.assign(input, { id, name: row.name });
  input.dataset.many = row.type === "array";
  const help = document.createElement("small");
  help.id = `${id}-help`;
  help.textContent = plain(row.description ?? "");
  input.setAttribute("aria-describedby", help.id);
  input.value = STARTS_AS[row.name] ?? "";
  box.append(label, input, help);
  return box;
}

/** A description as a sentence: without the grammar of the command line, which the field's title tells. */
function plain(description) {
  const several = `(several: with ${SEPARATOR} between them)`;
  const text = description.replace(GRAMMAR, "").replace(GUIDE, "").replace("(repeatable)", several);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function inputFor(row) {
  if (row.choices) return select([["", "as it comes"], ...row.choices]);
  if (row.enum) return select([["", row.default ? `${row.default} (default)` : "default"], ...row.enum.map((word) => [word, word])]);
  if (row.type === "boolean") return select([["", flagWord(row.default)], ["true", "yes"], ["false", "no"]]);
  const input = document.createElement("input");
  input.spellcheck = false;
  const example = (row.items ?? row).examples?.[0];
  if (example) input.placeholder = `e.g. ${example}`;
  const grammar = row.description?.match(GRAMMAR);
  const several = row.type === "array" ? `; several with ${SEPARATOR} between them` : "";
  if (grammar) input.title = `As in a command: ${grammar[1]}${several}`;
  if (row.type === "integer" || row.type === "number") {
    input.type = "number";
    input.step = row.type === "integer" ? "1" : "any";
    input.placeholder = row.name === "seed" ? "drawn" : String(row.default ?? "");
    input.min = row.minimum ?? row.exclusiveMinimum ?? "";
    const most = row.maximum ?? row.exclusiveMaximum;
    if (most !== undefined && most <= Number.MAX_SAFE_INTEGER) input.max = most;
  }
  return input;
}

const flagWord = (usual) => (usual === undefined ? "as it comes" : `${usual ? "yes" : "no"} (default)`);

function select(choices) {
  const box = document.createElement("select");
  for (const [value, text] of choices) box.append(new Option(text, value));
  return box;
}

const inputsOf = (form) => [...form.querySelectorAll(".control input, .control select")];

/** Set the controls to these [name, value], the others as they start; what no control can hold is given back. */
export function fill(form, fields) {
  const inputs = inputsOf(form);
  for (const input of inputs) input.value = STARTS_AS[input.name] ?? "";
  const filled = new Set();
  return fields.filter(([name, value]) => {
    const input = inputs.find((row) => row.name === name && holds(row, value) && (many(row) || !filled.has(row)));
    if (!input) return true;
    input.value = many(input) && filled.has(input) ? `${input.value}${SEPARATOR} ${value}` : value;
    filled.add(input);
    return false;
  });
}

const many = (input) => input.dataset.many === "true";
const holds = (input, value) =>
  input.options ? [...input.options].some((option) => option.value === value) : !many(input) || !value.includes(SEPARATOR);

/** What was asked for, as [name, value] of the form; what was left alone is left out. */
export function asked(form) {
  const fields = [];
  for (const input of inputsOf(form)) {
    const values = many(input) ? input.value.split(SEPARATOR) : [input.value];
    for (const value of values) if (value.trim()) fields.push([input.name, value.trim()]);
  }
  return fields;
}
