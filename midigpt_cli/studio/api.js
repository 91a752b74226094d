// The server's documented routes, relative to this page so that a path prefix does no harm; failures become sentences.

const root = new URL(".", document.baseURI);
const AWAY = "The server does not answer. Your song is safe in this page; start the server again and try once more.";

/** A failure whose message is a sentence for the user. */
export class ServerError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

let askForKey = async () => "";
/** `ask` is called when the server wants a key; it resolves to what the user typed. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

async function call(path, options = {}) {
  const key = sessionStorage.getItem("midigpt-key");
  const headers = { ...(options.headers ?? {}), ...(key ? { "X-API-Key": key } : {}) };
  let answer;
  try {
    answer = await fetch(new URL(path, root), { ...options, headers });
  } catch {
    throw new ServerError(AWAY);
  }
  if (answer.status === 401) {
    const typed = await askForKey(Boolean(key));
    if (typed) {
      sessionStorage.setItem("midigpt-key", typed);
      return call(path, options);
    }
  }
  if (!answer.ok) throw new ServerError(await sentenceOf(answer), answer.status);
  return answer;
}

/** A websocket of the server, with the key if there is one. */
export function openSocket(path) {
  const key = sessionStorage.getItem("midigpt-key");
  const url = new URL(path, root);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url, ["midigpt", ...(key ? [`key.${key}`] : [])]);
}

async function sentenceOf(answer) {
  try {
    const body = await answer.json();
    return sentence(body.detail ?? body.error);
  } catch {
    return `The server answered ${answer.status} ${answer.statusText}.`;
  }
}

let labels = {}; // field of a request -> what the page calls it
/** From now on sentences about these fields use their labels. */
export function useLabels(known) {
  labels = known;
}

/** `text` with a capital first letter and a full stop; a field that it begins with is called by its label. */
export function sentence(text) {
  const words = String(text).trim().replace(/^(\w+) = /, (start, field) => (labels[field] ? `${labels[field]}: ` : start));
  return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}

const json = async (path, options) => (await call(path, options)).json();

export const schema = () => json("openapi.json");
export const info = () => json("info");
export const models = () => json("models");

export const presets = () => json("presets");

/** The song that the server was started with, as [name, bytes], or null. */
export async function openedSong() {
  const answer = await call("song");
  if (answer.status === 204) return null;
  const [, name] = answer.headers.get("Content-Disposition").match(/filename\*=UTF-8''(\S+)/);
  return [decodeURIComponent(name), new Uint8Array(await answer.arrayBuffer())];
}

/** Score JSON of a .mid file. */
export const scoreOf = (bytes) =>
  json("score", { method: "POST", headers: { "Content-Type": "audio/midi" }, body: bytes });

/** What is in a .mid file: keys, chords, metres. */
export const factsOf = (bytes) =>
  json("song", { method: "POST", headers: { "Content-Type": "audio/midi" }, body: bytes });

/** Start writing; `fields` is a list of [name, value]. Resolves to the job. */
export function startJob(name, bytes, fields) {
  const form = new FormData();
  form.append("file", new Blob([bytes], { type: "audio/midi" }), name);
  for (const [field, value] of fields) form.append(field, value);
  return json("jobs", { method: "POST", body: form });
}

/** Have a recording turned into MIDI; resolves to {task_id} of the job. */
export function startListening(name, bytes) {
  const form = new FormData();
  form.append("audio_file", new Blob([bytes]), name);
  return json("audio_to_midi", { method: "POST", body: form });
}

export const job = (id) => json(`jobs/${id}`);

/** Call `tell(frame)` for what a job does, until it has ended. */
export async function followJob(id, tell) {
  const { body } = await call(`jobs/${id}/events`);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n\n");
    rest = lines.pop();
    for (const line of lines) tell(JSON.parse(line.slice("data: ".length)));
  }
}

/** The song as a sound or a picture file; `highlight` is a list of TRACK:BARS. */
export async function rendered(name, bytes, format, highlight) {
  const form = new FormData();
  form.append("file", new Blob([bytes], { type: "audio/midi" }), name);
  form.append("format", format);
  for (const place of highlight) form.append("highlight", place);
  return (await call("render", { method: "POST", body: form })).blob();
}

export const stopJob = (id) => json(`jobs/${id}`, { method: "DELETE" });
export const takeFile = async (id, take) =>
  new Uint8Array(await (await call(`jobs/${id}/takes/${take}.mid`)).arrayBuffer());
