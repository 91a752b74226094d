// The takes of the last request: which there are, which is heard, and what is lit in the roll.

import { chordFit } from "./harmony.js";
import { showTracks } from "./panel.js";
import { isNew, notesOf, withBar } from "./song.js";
import { showTakes } from "./verdict.js";

export class Takes {
  constructor(roll, player, find, shown) {
    Object.assign(this, { roll, player, find, shown });
    roll.fresh = (track, bar) => this.freshCells.has(`${track}:${bar}`);
    roll.lit = (track, note) => this.isLit(track, note);
    roll.silent = (track) => !player.heard(track);
    this.base = null; // the song in use
    this.freshCells = new Set();
    this.cells = []; // what is written anew, as "track:bar"
    this.forget();
  }

  /** There are no takes yet of this song. */
  of(base) {
    this.base = base;
    this.begin([]);
  }

  /** Takes of these cells are to come. */
  begin(cells) {
    this.cells = cells;
    this.forget();
    this.present(this.base, []);
    this.show();
  }

  forget() {
    this.list = [];
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
    if (candidate || this.list.length || this.choosing || !this.base.tracks[track]) return;
    this.growing = withBar(this.growing ?? this.base, track, bar, notes);
    this.light(this.growing, this.cells);
    this.roll.show(this.growing);
  }

  add(take) {
    this.list.push({ ...take, change: changeOf(take.song, this.base, this.cells) });
    this.list.sort((one, other) => one.number - other.number);
    if (this.heard < 0 && !this.choosing) this.hear(this.list.findIndex((row) => row.number === take.number));
    this.show();
  }

  /** No more will come: hear the best, unless the user has chosen. */
  end() {
    this.best = this.list.reduce((best, take) => (!best || take.consensus > best.consensus ? take : best), null);
    if (this.best && !this.choosing) this.hear(this.list.indexOf(this.best));
    this.show();
  }

  /** Hear and see a take, or with -1 the song as it was. */
  hear(index) {
    if (index >= 0) this.lastHeard = index;
    this.heard = index;
    if (index < 0) this.present(this.base, []);
    else this.present(this.list[index].song, this.cells);
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

  /** Show and play a song in which these cells were written. */
  present(song, cells) {
    this.light(song, cells);
    this.player.use(song);
    this.roll.show(song);
    this.shown(song);
    showTracks(this.find("tracks"), song, this.roll.lanes, this.player, (number) => this.mixed(number));
  }

  /** Of these cells, light the notes that the song in use has not; all, where it is the song in use. */
  light(song, cells) {
    this.freshCells = new Set(cells);
    this.old = song === this.base ? null : this.base.tracks.map(notesOf);
  }

  isLit(track, note) {
    return this.freshCells.has(`${track}:${note.bar}`) && (!this.old || isNew(note, this.old[track] ?? new Set()));
  }

  /** A track was muted or is heard again. */
  mixed(number) {
    this.player.mix();
    const at = document.activeElement?.getAttribute("aria-label");
    this.present(this.roll.song, [...this.freshCells]);
    for (const button of this.find("tracks").children[number].querySelectorAll("button"))
      if (button.getAttribute("aria-label") === at) button.focus();
  }

  show() {
    this.find("no-takes").hidden = this.list.length > 0;
    this.find("hear").hidden = !this.list.length;
    this.find("keep").disabled = this.heard < 0;
    showTakes(this.find("takes"), this, (index) => this.choose(index));
  }
}

/** What a song has that its base has not: how many notes, how they fit the chords; whether nothing stood there before. */
function changeOf(song, base, cells) {
  const old = song.tracks.map((_, number) => notesOf(base.tracks[number]));
  const fresh = song.tracks.reduce((sum, track, number) => sum + track.notes.filter((note) => isNew(note, old[number])).length, 0);
  const there = new Set(cells);
  const empty = !base.tracks.some((track) => track.notes.some((note) => there.has(`${track.number}:${note.bar}`)));
  return { empty, fresh, fit: chordFit(song, (number, note) => isNew(note, old[number])) };
}
