// The key and the chords of the song that is shown, as the server hears them; the page works without them too.

import * as api from "./api.js";

const UNSURE = 0.5; // confidence below which a chord is told with a question mark, as by `midigpt info`
const KEYS_SHOWN = 3;

export class Chords {
  /** `changed` is called when there are others to show. */
  constructor(changed) {
    this.changed = changed;
    this.asked = new WeakMap(); // bytes of a song -> what the server tells of it, on its way or there
    this.clear();
  }

  clear() {
    this.song = null; // the one that is shown
    this.byBar = []; // bar -> [{quarter, name, sure}]
    this.key = "";
  }

  /**
   * This song is shown now: its chords follow when the server has heard them, until then the last ones stay.
   * Of a take, those of the bars that it wrote, where they are sure; the others, and the key, are those of its base.
   */
  async show(song, base = song, written = []) {
    this.song = song;
    const [told, before] = await Promise.all([this.ask(song.bytes), this.ask(base.bytes)]);
    if (song !== this.song) return; // another is shown by now
    const found = byBarOf(told);
    this.byBar = byBarOf(before);
    for (const bar of written)
      if (!this.byBar[bar] || found[bar]?.every(({ sure }) => sure)) this.byBar[bar] = found[bar];
    this.key = keyOf(before);
    this.changed();
  }

  ask(bytes) {
    if (!this.asked.has(bytes)) this.asked.set(bytes, this.factsOf(bytes));
    return this.asked.get(bytes);
  }

  async factsOf(bytes) {
    try {
      return await api.factsOf(bytes);
    } catch (error) {
      if (!(error instanceof api.ServerError)) throw error;
      this.asked.delete(bytes); // to be asked again when it is shown again
      return { chords: [], keys: [], key_by_notes: null };
    }
  }

  /** The chords of a bar in words; nothing where none is heard. */
  inBar(bar) {
    return (this.byBar[bar] ?? []).map((chord) => `${fromBeat(chord)}${chord.name}${chord.sure ? "" : " (uncertain)"}`).join(", ");
  }
}

const fromBeat = ({ quarter }) => (quarter > 0 ? `from beat ${+(quarter + 1).toFixed(2)} ` : "");

/** The chords that the server told, by bar. */
function byBarOf({ chords }) {
  const found = [];
  for (const { bar, beat, chord, confidence } of chords)
    (found[bar - 1] ??= []).push({ quarter: beat - 1, name: chord, sure: confidence >= UNSURE });
  return found;
}

export const textOf = ({ name, sure }) => (sure ? name : `${name}?`);

/** A key signature, C or F#m, as C major or F# minor. */
const inWords = (key) => (key.endsWith("m") ? `${key.slice(0, -1)} minor` : `${key} major`);

/** The keys that the file names, else the one that its notes suggest. */
function keyOf({ keys, key_by_notes: byNotes }) {
  if (!keys.length) return byNotes ? `${byNotes}, by its notes` : "";
  const words = keys.slice(0, KEYS_SHOWN).map(({ bar, key }) => (bar > 1 ? `${inWords(key)} from bar ${bar}` : inWords(key)));
  return words.join(", ") + (keys.length > KEYS_SHOWN ? ", …" : "");
}
