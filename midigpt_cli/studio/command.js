// The request on the screen as a line for a shell, and back.

const NAMES = { num_candidates: "takes" };
const OTHER_NAMES = { takes: "num_candidates", key: "scale", window: "model_dim" };
const SHORT = { b: "bars", t: "track", s: "seed", a: "attribute", m: "model", T: "temperature" };
const SWITCH = "on|off";
const ALONE = { rhythm_lock: "on|off|onsets", keep_range: SWITCH, keep_contour: SWITCH, velocity: "on|off|own|\\d+-\\d+" }; // may have a value
const OF_FILES = new Set(["output", "filename", "render", "keep_best", "device", "dtype", "threads", "o"]);
const OF_FILES_FLAGS = new Set(["force", "json", "json_lines", "quiet", "verbose", "progress", "no_progress", "play",
  "dry_run", "allow_partial", "f", "q", "v"]);

const quoted = (text) => (/^[\w.,:=/+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** `midigpt infill ...` for a file and the fields of the request; `seed` of the last run if none is asked. */
export function commandOf(file, fields, seed) {
  const words = ["midigpt", "infill", quoted(file)];
  const all = fields.some(([name]) => name === "seed") || seed === null ? fields : [...fields, ["seed", String(seed)]];
  for (const [name, value] of all) {
    const option = (NAMES[name] ?? name).replaceAll("_", "-");
    if (value === "true") words.push(`--${option}`);
    else if (value === "false") words.push(`--no-${option}`);
    else if (value.startsWith("-")) words.push(`--${option}=${quoted(value)}`);
    else words.push(`--${option}`, quoted(value));
  }
  return words.join(" ");
}

/** A sentence for the user. */
export class CommandError extends Error {}

/** The fields of a pasted `midigpt infill ...`, as [name, value]; `known` fields of the server, `flags` those without a value. */
export function fieldsOf(line, known, flags) {
  const words = wordsOf(line);
  if (words[0] !== "midigpt" || words[1] !== "infill") throw new CommandError("Paste a line that begins with midigpt infill.");
  const fields = [];
  for (let at = 2; at < words.length; at++) {
    if (!/^-{1,2}[a-zA-Z]/.test(words[at])) continue; // the song
    const [, dashes, written, given] = words[at].match(/^(--?)([\w-]+)(?:=(.*))?$/s) ?? [];
    const name = nameOf(dashes, written);
    if (OF_FILES_FLAGS.has(name)) continue;
    if (standsAlone(name, given, words[at + 1])) fields.push([name, "true"]);
    else if (flags.has(name)) fields.push([name, "true"]);
    else if (name?.startsWith("no_") && (flags.has(name.slice(3)) || name.slice(3) in ALONE)) fields.push([name.slice(3), "false"]);
    else if (!known.has(name) && !OF_FILES.has(name) && name !== "preset")
      throw new CommandError(`The page does not know ${words[at]}.`);
    else {
      const value = given ?? words[++at];
      if (value === undefined) throw new CommandError(`${words[at - 1]} has no value.`);
      if (!OF_FILES.has(name)) fields.push([name, value]);
    }
  }
  return fields;
}

function standsAlone(name, given, next = "") {
  return name in ALONE && given === undefined && !new RegExp(`^(.+[/:])?(${ALONE[name]})$`).test(next);
}

function nameOf(dashes, written = "") {
  if (dashes === "-") return SHORT[written] ?? written;
  const name = written.replaceAll("-", "_");
  return OTHER_NAMES[name] ?? name;
}

/** The words of a line as a shell would split it: quotes, and a backslash before any character. */
function wordsOf(line) {
  const words = [];
  for (const [word] of line.trim().matchAll(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/gs))
    words.push(word.replace(/\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"/gs, (_, one, plain, rich) => one ?? plain ?? rich.replace(/\\(.)/gs, "$1")));
  return words;
}
