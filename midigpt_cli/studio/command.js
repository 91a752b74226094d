// The request on the screen as a line for a shell.

const NAMES = { num_candidates: "takes" };

const quoted = (text) => (/^[\w.,:=/+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** `midigpt infill ...` for a file, a selection and the fields of the form; `seed` of the last run where none is asked. */
export function commandOf(file, selection, fields, seed) {
  const words = ["midigpt", "infill", quoted(file), "--bars", selection.barText];
  for (const track of selection.trackList) words.push("--track", String(track + 1));
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
