// The controls of a request, built from the server's own description, so that they cannot differ from what it takes.

const FIRST = ["prompt", "num_candidates", "temperature", "remix", "rhythm_lock", "scale", "pitch_range", "seed"];
const FIRST_ATTRIBUTES = ["note_density"];
const NOT_HERE = new Set(["file", "bars", "track", "region", "request", "request_id", "plan_only", "webhook_url", "attribute",
  "add_bars", "add_track"]);
const STARTS_AS = { num_candidates: "3" }; // a page to compare takes on begins with several
const GRAMMAR = /^((?:\[|[A-Z]{2})\S*): /; // how the command line writes a value, such as [TRACK/][BARS:]SHARE
const SEPARATOR = ";"; // between the values of an option that may be given several times
const GUIDE = / \(docs\/[^)]*\)/; // a file that the page has not

/** Fill the two boxes with a control per option of the form of POST /jobs and per attribute of the model. */
export function buildControls({ schema, info, models }, first, more) {
  const form = schema.paths["/jobs"].post.requestBody.content["multipart/form-data"].schema.properties;
  const rows = Object.entries(form).map(([name, row]) => ({ name, section: row["x-section"], ...row }));
  const options = rows.filter((row) => !NOT_HERE.has(row.name)).map((row) => ofModel(row, info, models)).filter(Boolean);
  const place = (row) => FIRST.indexOf(row.name);
  const early = options.filter((row) => place(row) >= 0).sort((one, other) => place(one) - place(other));
  const shown = attributes(info, form.attribute.title);
  first.append(...[...early, ...shown.filter((row) => FIRST_ATTRIBUTES.includes(row.attribute))].map(control));
  const late = options.filter((row) => place(row) < 0);
  const after = late.findLastIndex((row) => row.section === form.attribute["x-section"]) + 1;
  more.append(...sections(late.toSpliced(after, 0, ...shown.filter((row) => !FIRST_ATTRIBUTES.includes(row.attribute)))));
}

/** A row with the values that this server's model knows; null where it has none to choose from. */
function ofModel(row, { capabilities }, { models }) {
  const known = { time_signature: capabilities.time_signatures, genre: capabilities.genres, model: models.map((model) => model.id) }[row.name];
  if (!known) return row;
  if (row.name === "model") return known.length > 1 ? { ...row, enum: known } : null;
  if (!known.length) return row.name === "genre" ? null : row;
  return { ...row, items: undefined, examples: [...new Set([...(row.items?.examples ?? []), ...known])] };
}

/** The controls under the headings of the command's help, each to be folded out; those without one come first. */
function sections(rows) {
  const names = [...new Set(rows.map((row) => row.section))];
  return names.flatMap((name) => {
    const controls = rows.filter((row) => row.section === name).map(control);
    if (!name) return controls;
    const box = document.createElement("details");
    box.className = "section";
    const heading = document.createElement("summary");
    heading.textContent = name;
    box.append(heading, ...controls);
    return box;
  });
}

const KINDS = { both: "All tracks", drum: "Drum tracks", melodic: "Melodic tracks" };

/** A row per attribute of the model, all in one section. */
function attributes(info, section) {
  return Object.entries(info.attributes).map(([name, size]) => {
    const labels = info.attribute_labels[name] ?? [];
    return {
      name: "attribute",
      attribute: name,
      title: info.attribute_titles[name],
      section,
      description: `${KINDS[info.attribute_track_types[name]]}; the same in ${info.attribute_levels[name] === "bar" ? "each bar" : "the whole track"}`,
      choices: Array.from({ length: size }, (_, level) => [`${name}=${level}`, labels[level] ?? String(level)]),
    };
  });
}

/** A label, a field and its help for a row of the schema. */
export function control(row) {
  const id = `ask-${row.attribute ? `attribute-${row.attribute}` : row.name}`;
  const box = document.createElement("div");
  box.className = "control";
  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = row.title;
  const input = inputFor(row);
  Object.assign(input, { id, name: row.name });
  input.dataset.many = row.type === "array";
  const help = document.createElement("small");
  help.id = `${id}-help`;
  help.textContent = plain(row.description ?? "");
  input.setAttribute("aria-describedby", help.id);
  input.value = STARTS_AS[row.name] ?? "";
  box.append(label, input, help);
  const values = (row.items ?? row).examples ?? [];
  if (values.length && input.tagName === "INPUT") box.append(offered(input, values));
  return box;
}

/** The values that a text field offers as one types. */
function offered(input, values) {
  const list = document.createElement("datalist");
  list.id = `${input.id}-values`;
  list.append(...values.map((value) => new Option(value)));
  input.setAttribute("list", list.id);
  return list;
}

/** A description as a sentence: without the grammar of the command line, which the field's title tells. */
function plain(description) {
  const several = `(several: with ${SEPARATOR} between them)`;
  const text = description.replace(GRAMMAR, "").replace(GUIDE, "").replace("(repeatable)", several);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function inputFor(row) {
  if (row.choices) return select([["", "any"], ...row.choices]);
  if (row.enum) return select([["", row.default ? `${spaced(row.default)} (default)` : "default"], ...row.enum.map((word) => [word, spaced(word)])]);
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

const flagWord = (usual) => (usual === undefined ? "default" : `${usual ? "yes" : "no"} (default)`);
const spaced = (word) => word.replaceAll("_", " ");

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
  const rest = fields.filter(([name, value]) => {
    const input = inputs.find((row) => row.name === name && holds(row, value) && (many(row) || !filled.has(row)));
    if (!input) return true;
    input.value = many(input) && filled.has(input) ? `${input.value}${SEPARATOR} ${value}` : value;
    filled.add(input);
    return false;
  });
  for (const input of filled) unfold(input);
  return rest;
}

/** Open the sections in which a control stands. */
function unfold(input) {
  for (let box = input.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
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
