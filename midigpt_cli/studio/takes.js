// The takes of the last request: which there are, which is heard, and what is lit in the roll.

import { chordFit } from "./harmony.js";
import { showTracks } from "./panel.js";
import { keyOf, keysIn, notesIn, withBar } from "./song.js";
import { showSentences, showTakes } from "./verdict.js";

export class Takes {
  /** `shown(song)` is called when another song is shown, `changed()` when the list is another. */
  constructor(roll, player, find, { shown, changed }) {
    Object.assign(this, { roll, player, find, shown, changed });
    roll.fresh = (track, bar) => this.freshCells.has(`${track}:${bar}`);
    roll.lit = (track, note) => this.lit.size > 0 && this.lit.has(keyOf(track, note));
    roll.silent = (track) => !player.heard(track);
    this.base = null; // the song in use
    this.freshCells = new Set();
    this.lit = new Set(); // keys of the notes that are new
    this.forget();
  }

  /** There are no takes yet of this song, in which these cells were written last, with the notes of these keys. */
  of(base, { cells = [], fresh = [] } = {}) {
    this.base = base;
    this.last = [cells, fresh];
    this.forget();
    this.hear(-1);
  }

  /** Takes of these cells are to come; those that are there stay until the first of them. */
  begin(cells, label) {
    this.coming = { cells, label, stood: keysIn(this.base, cells) };
    this.before = this.heard;
    this.choosing = false;
    this.hear(-1);
  }

  /** No takes, but some may come: of these cells, in words, with the keys of the notes that stood there. */
  forget({ cells = [], label = "", stood = new Set() } = {}) {
    Object.assign(this, { cells, label, stood });
    this.list = [];
    this.coming = null;
    this.growing = null;
    this.heard = -1;
    this.best = null;
    this.choosing = false; // whether the user has chosen a take
  }

  /** The bars that are written anew. */
  get bars() {
    return this.cells.map((cell) => Number(cell.split(":")[1]));
  }

  /** The take that is heard, if any. */
  get now() {
    return this.list[this.heard] ?? null;
  }

  /** Show the first take while it is written, as long as none is finished. */
  grow({ candidate, track, bar, notes }) {
    if (candidate || !this.coming || this.choosing || !this.base.tracks[track]) return;
    const { cells, stood } = this.coming;
    this.growing = withBar(this.growing ?? this.base, track, bar, notes);
    this.light(cells, newIn(this.growing, cells, stood));
    this.roll.show(this.growing);
  }

  add(take) {
    if (this.coming) this.forget(this.coming);
    const fresh = newIn(take.song, this.cells, this.stood);
    this.list.push({ ...take, fresh, change: changeOf(take.song, this.cells, this.stood, fresh) });
    this.list.sort((one, other) => one.number - other.number);
    if (this.heard < 0 && !this.choosing) this.hear(this.list.findIndex((row) => row.number === take.number));
    this.show();
  }

  /** No more will come: hear the best, unless the user has chosen; where none came, what was heard before. */
  end() {
    const none = this.coming;
    this.coming = this.growing = null;
    if (none) return this.choosing || this.hear(this.before);
    this.best = this.list.reduce((best, take) => (!best || take.consensus > best.consensus ? take : best), null);
    if (this.best && !this.choosing) this.hear(this.list.indexOf(this.best));
    this.show();
  }

  /** Hear and see a take, or with -1 the song as it was. */
  hear(index) {
    if (index >= 0) this.lastHeard = index;
    this.heard = index;
    if (index < 0) this.present(this.base, ...(this.list.length || this.coming ? [] : this.last));
    else this.present(this.list[index].song, this.cells, this.list[index].fresh);
    this.show();
  }

  /** The user's own choice, which later takes do not change. */
  choose(index) {
    if (index >= this.list.length) return;
    this.choosing = true;
    this.hear(index);
  }

  /** Before and after, one key apart. */
  compare() {
    if (this.list.length) this.choose(this.heard < 0 ? Math.min(this.lastHeard, this.list.length - 1) : -1);
  }

  /** Show and play a song in which these cells were written, with the notes of these keys. */
  present(song, cells = [], fresh = []) {
    this.light(cells, fresh);
    this.player.use(song);
    this.roll.show(song);
    this.shown(song);
    this.showHeads();
  }

  /** The heads of the tracks, each beside its lane. */
  showHeads() {
    showTracks(this.find("tracks"), this.roll.song, this.roll.lanes, this.player, (number) => this.mixed(number));
  }

  /** Light these cells, and in them the notes that are new; a legend says so. */
  light(cells, fresh) {
    this.freshCells = new Set(cells);
    this.lit = new Set(fresh);
    this.find("legend").classList.toggle("off", !cells.length);
  }

  /** A track was muted or is heard again. */
  mixed(number) {
    this.player.mix();
    const at = document.activeElement?.getAttribute("aria-label");
    this.present(this.roll.song, [...this.freshCells], this.lit);
    for (const button of this.find("tracks").children[number].querySelectorAll("button"))
      if (button.getAttribute("aria-label") === at) button.focus();
  }

  show() {
    this.find("no-takes").hidden = this.list.length > 0;
    this.find("hear").hidden = !this.list.length;
    this.find("keep").hidden = !this.list.length;
    this.find("keep").disabled = this.heard < 0;
    this.find("about").hidden = !this.now;
    showSentences(this.find("told"), this.now, this.list.length < 2);
    showTakes(this.find("takes"), this, (index) => this.choose(index));
    this.changed();
  }
}

/** Keys of the notes in the written cells that did not stand there. */
const newIn = (song, cells, stood) => new Set([...keysIn(song, cells)].filter((key) => !stood.has(key)));

/** What a take changed in its cells: of its notes, how many are new; of those that stood there, how many are left. */
function changeOf(song, cells, stood, fresh) {
  const notes = notesIn(song, cells);
  const isFresh = (track, note) => fresh.has(keyOf(track, note));
  const count = notes.filter(([track, note]) => isFresh(track, note)).length;
  const left = keysIn(song, cells).size - fresh.size;
  return { notes: notes.length, fresh: count, stood: stood.size, left, fit: chordFit(song, isFresh) };
}
