// A jam: bars that the server writes without end, sent over its websocket, played by this page or on a MIDI output.

import * as api from "./api.js";
import { asked, control } from "./controls.js";
import { MidiOut } from "./midi_out.js";
import { askForKey, preferredTheme } from "./page.js";
import { element } from "./panel.js";
import { Synth } from "./synth.js";

const SETTINGS = ["prompt", "bpm", "temperature", "bars_per_chunk", "late", "seed"];
const STARTS_AS = { prompt: "jazz" };
const LEAD = 0.2; // seconds from the arrival of a chunk to its first note, at least
const AHEAD = 0.15; // seconds that are handed to the sound in advance
const TICK = 35; // milliseconds between two looks

const find = (id) => document.getElementById(id);

class JamPage {
  constructor() {
    this.socket = null;
    this.muted = new Set();
    this.ports = new Map(); // MIDI outputs by id
  }

  /** Build the form from the server's own description. */
  async describe() {
    const { schemas } = (await api.schema()).components;
    const known = { ...schemas.InferenceConfig.properties, ...schemas.JamStart.properties };
    this.rows = SETTINGS.map((name) => ({ name, ...known[name], ...known[name].anyOf?.find((kind) => kind.type !== "null") }));
    find("ask").replaceChildren(...this.rows.map(control));
    for (const [name, value] of Object.entries(STARTS_AS)) find(`ask-${name}`).value = value;
    await api.info(); // asks for the key, if there is one
    this.say("Ready");
    find("toggle").disabled = false;
  }

  /** The settings that are filled in; of one field alone, if named. */
  settings(only) {
    const fields = asked(find("ask")).filter(([name]) => !only || name === only);
    const isNumber = (name) => ["integer", "number"].includes(this.rows.find((row) => row.name === name).type);
    return Object.fromEntries(fields.map(([name, value]) => [name, isNumber(name) ? Number(value) : value]));
  }

  async start() {
    this.fail("");
    this.synth ??= new Synth();
    await this.synth.context.resume();
    this.choose();
    this.notes = []; // [time, track, note, seconds], in order, not yet handed to the sound
    this.chunks = []; // [time, first bar, bars, seconds]
    this.next = 0;
    const socket = api.openSocket("ws/jam");
    this.socket = socket;
    socket.onopen = () => this.send({ type: "start", pace: "realtime", ...this.settings() });
    socket.onmessage = ({ data }) => socket === this.socket && this.hear(JSON.parse(data));
    socket.onclose = () => socket === this.socket && this.stop("The connection to the server was lost. Press Start to begin again.");
    this.timer = setInterval(() => this.play(), TICK);
    find("toggle").textContent = "Stop";
    this.say("Starting…");
  }

  stop(why = "") {
    const { socket } = this;
    this.socket = null;
    clearInterval(this.timer);
    socket?.close();
    this.out.silence();
    find("toggle").textContent = "Start";
    this.say("Stopped");
    this.fail(why);
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** A message of the server. */
  hear(message) {
    if (message.type === "started") this.show(message);
    else if (message.type === "chunk") this.take(message);
    else if (message.type === "error" && message.of === "start") this.stop(api.sentence(message.detail));
    else if (message.type === "error") this.fail(api.sentence(message.detail));
    else if (message.type === "stopped") this.stop("The server ended the jam. Press Start to begin again.");
  }

  /** Line up the notes of a chunk behind those of the chunk before. */
  take(chunk) {
    const second = 60 / chunk.bpm / chunk.resolution; // of a tick
    const begin = Math.max(this.next, this.synth.now + LEAD);
    chunk.tracks.forEach(({ notes, instrument, track_type }, number) => {
      const track = { number, program: instrument, drum: track_type === "drum" };
      for (const [pitch, velocity, onset, length] of notes)
        this.notes.push([begin + onset * second, track, { pitch, velocity }, length * second]);
    });
    this.notes.sort((one, other) => one[0] - other[0]);
    this.chunks.push([begin, chunk.start_bar, chunk.bars, chunk.ticks * second]);
    this.next = begin + chunk.ticks * second;
  }

  /** Hand what comes next to the sound, and say which bar it is. */
  play() {
    const { now } = this.synth;
    while (this.notes.length && this.notes[0][0] < now + AHEAD) {
      const [time, track, note, seconds] = this.notes.shift();
      if (!this.muted.has(track.number)) this.out.play(track, note, Math.max(time, now), seconds);
    }
    while (this.chunks.length > 1 && this.chunks[1][0] <= now) this.chunks.shift();
    const [begin, first, bars, seconds] = this.chunks[0] ?? [Infinity];
    if (begin <= now) this.say(`Bar ${first + 1 + Math.min(bars - 1, Math.floor(((now - begin) / seconds) * bars))}`);
  }

  /** The parts and the tempo of a jam that has started. */
  show({ tracks, bpm }) {
    find("ask-bpm").placeholder = String(bpm);
    this.muted.clear();
    const rows = tracks.map(({ name }, number) => {
      const button = element("button", { type: "button", textContent: "Mute" });
      button.setAttribute("aria-label", `Mute ${name}`);
      button.setAttribute("aria-pressed", "false");
      button.onclick = () => {
        if (!this.muted.delete(number)) this.muted.add(number);
        button.setAttribute("aria-pressed", String(this.muted.has(number)));
      };
      return element("li", {}, button, ` ${name}`);
    });
    find("parts").replaceChildren(...rows);
  }

  /** Play on what is chosen under Sound. */
  choose() {
    this.out?.silence();
    const port = this.ports.get(find("sound").value);
    this.out = port ? new MidiOut(port, this.synth.context) : this.synth;
  }

  async connect() {
    try {
      const access = await navigator.requestMIDIAccess();
      this.ports = new Map([...access.outputs.values()].map((port) => [port.id, port]));
      const options = [...this.ports.values()].map((port) => new Option(port.name, port.id));
      find("sound").replaceChildren(new Option("This page", ""), ...options);
      this.fail(options.length ? "" : "No MIDI output was found. Connect one, then look again.");
    } catch {
      this.fail("The browser does not let this page use MIDI. Allow it in the settings of the page, then look again.");
    }
  }

  say(text) {
    if (find("where").textContent !== text) find("where").textContent = text;
  }

  fail(text) {
    find("message").textContent = text;
    find("message").hidden = !text;
    find("message").classList.toggle("bad", Boolean(text));
  }
}

document.documentElement.dataset.theme = preferredTheme();
api.onKeyNeeded(askForKey);
const page = new JamPage();
find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (page.socket) page.stop();
  else page.start();
});
find("ask").addEventListener("change", ({ target }) => {
  if (page.socket?.readyState === WebSocket.OPEN && target.value) page.send({ type: "update", ...page.settings(target.name) });
});
find("sound").addEventListener("change", () => page.socket && page.choose());
find("connect").hidden = !navigator.requestMIDIAccess;
find("connect").addEventListener("click", () => page.connect());
page
  .describe()
  .then(() => (document.documentElement.dataset.ready = "yes"))
  .catch((error) => page.fail(error.message));
