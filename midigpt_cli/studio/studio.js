// The state of the page and what can be done with it: open, choose, write, hear, keep, undo.

import * as api from "./api.js";
import { Additions } from "./additions.js";
import { Asking } from "./asking.js";
import { CommandError, commandOf, fieldsOf } from "./command.js";
import { downloadMidi, downloadRendered } from "./downloads.js";
import { listen } from "./gestures.js";
import { showHistory, showTakes, showTracks } from "./panel.js";
import { Player } from "./player.js";
import { Project } from "./project.js";
import { Roll } from "./roll.js";
import { Selection } from "./selection.js";
import { barAt, isNew, makeSong, notesOf, secondsAt, withBar } from "./song.js";
import { save } from "./store.js";
import { Writer } from "./writer.js";

const find = (id) => document.getElementById(id);

export class Studio {
  constructor() {
    this.roll = new Roll(find("roll"), find("scroller"), find("sizer"), find("overview"));
    this.player = new Player(() => this.showPlace());
    this.selection = new Selection();
    this.asking = new Asking(find);
    this.additions = new Additions();
    this.roll.selection = this.selection;
    this.roll.fresh = (track, bar) => this.freshCells.has(`${track}:${bar}`);
    this.roll.lit = (track, note) => this.isLit(track, note);
    this.roll.silent = (track) => !this.player.heard(track);
    this.project = null;
    this.base = null; // the song in use
    this.freshCells = new Set();
    this.writer = null;
    this.seed = null;
    this.forget();
    listen(this.roll, this.selection, (what, where) => this.heardGesture(what, where));
    this.ready = this.describe();
  }

  /** Ask the server what may be asked of it. */
  async describe() {
    try {
      await this.asking.describe();
      find("add-track").append(...this.asking.instruments.map((name) => new Option(name, name)));
    } catch (error) {
      this.fail(error);
    }
  }

  say(text, bad = false) {
    const box = find("message");
    box.hidden = !text;
    box.className = bad ? "bad" : "";
    box.textContent = text;
  }

  /** Show a failure as a sentence; what is no failure of server or file is a fault of ours and goes on. */
  fail(error) {
    if (!(error instanceof api.ServerError || error instanceof CommandError)) throw error;
    this.say(error.message, true);
  }

  // ---- open ----

  async open(name, bytes) {
    try {
      await this.use(Project.from(name, bytes));
    } catch (error) {
      this.fail(error instanceof api.ServerError && error.status ? new api.ServerError(`${name}: ${error.message}`) : error);
    }
  }

  async use(project) {
    const score = await api.scoreOf(project.now.bytes);
    const song = makeSong(score, project.now.bytes);
    if (!song.tracks.length || !song.bars.length) throw new api.ServerError("This file has no notes to show.", 400);
    this.cancel();
    this.writer = null; // what it still finds is of no interest
    this.busy(false);
    if (!this.asking.described) await this.describe();
    this.player.stop();
    this.player.loop = this.roll.loop = null;
    find("loop").setAttribute("aria-pressed", "false");
    this.player.muted.clear();
    this.player.solo.clear();
    this.player.position = 0;
    this.project = project;
    this.selection.clear();
    this.roll.cursor = null;
    this.say("");
    find("empty").hidden = true;
    find("work").hidden = find("panel").hidden = false;
    find("song-name").textContent = project.name;
    document.title = `${project.name} – midigpt studio`;
    this.settle(song, score);
    this.roll.scroller.scrollTo(0, 0);
    this.roll.resize();
    this.roll.fit();
    this.present(song, project.now.cells);
    this.showSelection();
    await save(project.plain());
  }

  // ---- choose ----

  heardGesture(what, where) {
    if (what === "seek") this.player.seek(where);
    this.showSelection();
    this.roll.draw();
  }

  clear() {
    this.selection.clear();
    this.showSelection();
    this.roll.draw();
  }

  showSelection() {
    const { selection, roll, base } = this;
    const names = selection.trackList.map((track) => base.tracks[track].name);
    const bars = `Bar${selection.bars.size > 1 ? "s" : ""} ${selection.barText}`;
    find("chosen").textContent = selection.empty
      ? "Drag over bars, or click one."
      : `${bars} of ${names.length > 4 ? `${names.length} tracks` : names.join(", ")}`;
    find("write").disabled = find("copy").disabled = selection.empty;
    if (roll.cursor) {
      const [track, bar] = roll.cursor;
      const count = (roll.song ?? base).tracks[track].notes.filter((note) => note.bar === bar).length;
      const chosen = selection.has(track, bar) ? `, chosen: ${bars}` : "";
      find("where").textContent = `${base.tracks[track].name}, bar ${bar + 1}, ${count} notes${chosen}`;
    } else find("where").textContent = "";
    if (this.player.loop && !selection.empty) this.setLoop();
  }

  // ---- write ----

  async write() {
    if (!this.project || this.writer) return;
    if (this.selection.empty) return this.say("Choose bars first: drag over them, or use the arrow keys with Shift.");
    if (!find("ask").reportValidity()) return;
    const fields = [...this.additions.fields, ...this.asking.fields];
    const where = [["bars", this.selection.barText], ...this.selection.trackList.map((track) => ["track", track + 1])];
    this.forget();
    this.showTakes();
    this.cells = this.selection.barList.flatMap((bar) => this.selection.trackList.map((track) => `${track}:${bar}`));
    this.label = `${find("chosen").textContent}`;
    this.say("");
    this.busy(true);
    const writer = (this.writer = new Writer({
      progress: (share) => (find("progress").value = share),
      notes: (frame) => writer === this.writer && this.grows(frame),
      take: (take) => writer === this.writer && this.arrived(take),
    }));
    try {
      const job = await writer.run(this.project.name, this.project.now.bytes, [...where, ...fields]);
      if (writer === this.writer) this.written(job);
    } catch (error) {
      if (writer === this.writer) this.fail(error);
    } finally {
      if (writer === this.writer) {
        this.writer = null;
        this.busy(false);
      }
    }
  }

  busy(yes) {
    find("write").disabled = yes || this.selection.empty;
    find("stop").hidden = find("progress").hidden = !yes;
    find("progress").value = 0;
  }

  /** Show the first take while it is written, as long as none is finished. */
  grows({ candidate, track, bar, notes }) {
    if (candidate || this.takes.length || this.choosing || !this.base.tracks[track]) return;
    this.growing = withBar(this.growing ?? this.base, track, bar, notes);
    this.freshCells = new Set(this.cells);
    this.old = this.base.tracks.map(notesOf);
    this.roll.show(this.growing);
  }

  arrived(take) {
    this.takes.push(take);
    this.takes.sort((one, other) => one.number - other.number);
    if (this.heard < 0 && !this.choosing) this.hear(this.takes.indexOf(take));
    this.showTakes();
  }

  written(job) {
    this.seed = job.summary?.base_seed ?? job.summary?.seed ?? this.takes[0]?.seed ?? null;
    if (job.status === "cancelled") this.say("Stopped; finished takes are below.");
    this.best = this.takes.reduce((best, take) => (!best || take.consensus > best.consensus ? take : best), null);
    if (this.best && !this.choosing) this.hear(this.takes.indexOf(this.best));
    this.showTakes();
  }

  /** Stop what is being written. */
  async cancel() {
    const writer = this.writer;
    try {
      await writer?.stop();
    } catch (error) {
      this.fail(error);
    }
  }

  // ---- hear ----

  forget() {
    this.takes = [];
    this.growing = null;
    this.heard = -1;
    this.best = null;
    this.choosing = false; // whether the user has chosen a take
    if (this.base) this.present(this.base, []);
  }

  /** Hear and see a take, or with -1 the song as it was. */
  hear(index) {
    if (index >= 0) this.lastHeard = index;
    this.heard = index;
    if (index < 0) this.present(this.base, []);
    else this.present(this.takes[index].song, this.cells);
    this.showTakes();
  }

  /** The user's own choice, which later takes do not change. */
  choose(index) {
    if (index >= this.takes.length) return;
    this.choosing = true;
    this.hear(index);
  }

  /** Before and after, one key apart. */
  compare() {
    if (this.takes.length) this.choose(this.heard < 0 ? Math.min(this.lastHeard, this.takes.length - 1) : -1);
  }

  /** Show and play a song in which these cells were written; of a take, the notes that the song in use has not are lit. */
  present(song, cells) {
    this.freshCells = new Set(cells);
    this.old = song === this.base ? null : this.base.tracks.map(notesOf);
    this.player.use(song);
    this.roll.show(song);
    showTracks(find("tracks"), song, this.roll.lanes, this.player, (number) => this.mixed(number));
  }

  isLit(track, note) {
    return this.freshCells.has(`${track}:${note.bar}`) && (!this.old || isNew(note, this.old[track]));
  }

  mixed(number) {
    this.player.mix();
    const at = document.activeElement?.getAttribute("aria-label");
    this.present(this.roll.song, [...this.freshCells]);
    for (const button of find("tracks").children[number].querySelectorAll("button"))
      if (button.getAttribute("aria-label") === at) button.focus();
  }

  showTakes() {
    find("no-takes").hidden = this.takes.length > 0;
    find("keep").disabled = this.heard < 0;
    showTakes(find("takes"), this, (index) => this.choose(index));
  }

  playOrStop() {
    if (this.player.playing) this.player.stop();
    else this.player.play();
  }

  setLoop() {
    const bars = this.selection.barList.map((bar) => this.base.bars[bar]);
    if (!bars.length) return this.say("Choose the bars to loop first.");
    this.player.loop = this.roll.loop = [bars[0].start, bars.at(-1).start + bars.at(-1).length];
    this.roll.draw();
  }

  toggleLoop() {
    if (!this.base) return;
    if (this.player.loop) this.player.loop = this.roll.loop = null;
    else this.setLoop();
    find("loop").setAttribute("aria-pressed", String(Boolean(this.player.loop)));
    this.roll.draw();
  }

  showPlace() {
    const { player, roll } = this;
    if (!player.song) return;
    const at = player.heardPosition();
    const bar = player.song.bars[barAt(player.song, at)];
    const beat = Math.floor(((at - bar.start) * bar.bottom) / 4) + 1;
    const seconds = Math.floor(secondsAt(player.song, at));
    find("clock").textContent = `${barAt(player.song, at) + 1}.${beat} · ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    find("play").textContent = player.playing ? "■ Stop" : "▶ Play";
    roll.playhead = at;
    if (player.playing) roll.follow(at);
    roll.draw();
  }

  // ---- keep ----

  async keep() {
    if (this.heard < 0) return;
    const take = this.takes[this.heard];
    this.project.keep(take.bytes, `${this.label}, take ${take.number + 1}`, this.cells);
    this.settle(take.song, await api.scoreOf(take.bytes));
    await save(this.project.plain());
  }

  async go(index) {
    if (!this.project || index < 0 || index >= this.project.versions.length || this.writer) return;
    const { bytes } = this.project.versions[index];
    try {
      const score = await api.scoreOf(bytes);
      this.project.go(index);
      this.settle(makeSong(score, bytes), score);
      await save(this.project.plain());
    } catch (error) {
      this.fail(error);
    }
  }

  /** A version is in use now; there are no takes of it yet. */
  settle(song, score) {
    this.score = score;
    this.base = song;
    this.additions.clear();
    this.showAdditions();
    this.forget();
    this.present(song, this.project.now.cells);
    this.showTakes();
    find("undo").disabled = this.project.at === 0;
    find("redo").disabled = this.project.at === this.project.versions.length - 1;
    for (const id of ["download", "download-wav", "download-png"]) find(id).disabled = false;
    showHistory(find("history"), this.project, (index) => this.go(index));
  }

  download() {
    if (this.project) downloadMidi(this.project);
  }

  async downloadAs(format) {
    if (!this.project) return;
    this.say(`Making the .${format} …`);
    try {
      await downloadRendered(this.project, format);
      this.say("");
    } catch (error) {
      this.fail(error);
    }
  }

  // ---- new bars and tracks ----

  /** Show the empty bars and tracks that the next request writes; nothing is added to the song before. */
  add(change) {
    if (!this.base || this.writer) return;
    change(this.additions);
    this.base = makeSong(this.additions.added(this.score, this.asking.instruments), this.project.now.bytes);
    this.forget();
    this.showTakes();
    this.showAdditions();
    this.chooseAdded();
  }

  /** Choose what was added, which is most often what is to be written. */
  chooseAdded() {
    const { tracks, bars } = this.base;
    this.selection.clear();
    this.roll.cursor = null;
    const old = { tracks: this.score.tracks.length, bars: bars.length - this.additions.bars };
    if (!this.additions.empty) {
      const from = [this.additions.tracks.length ? old.tracks : 0, this.additions.bars ? old.bars : 0];
      this.selection.rectangle(from, [tracks.length - 1, bars.length - 1]);
      this.roll.cursor = from;
      this.roll.reveal(from);
    }
    this.showSelection();
    this.roll.draw();
  }

  showAdditions() {
    find("add-none").hidden = this.additions.empty;
  }

  // ---- the same as a command ----

  async copy() {
    if (!this.project || this.selection.empty) return;
    const fields = [...this.additions.fields, ...this.asking.fields];
    const line = commandOf(this.project.fileName, this.selection, fields, this.seed);
    try {
      await navigator.clipboard.writeText(line);
      this.say(`Copied: ${line}`);
    } catch {
      this.say(line); // no clipboard here: to be copied by hand
    }
  }

  /** Ask for what a command asks for: its bars and tracks, and its options. */
  paste(line) {
    try {
      const fields = fieldsOf(line, this.asking.known, this.asking.flags);
      const of = (name) => fields.filter(([field]) => field === name).map(([, value]) => value);
      this.add((additions) => {
        additions.bars = Number(of("add_bars").at(-1) ?? 0);
        additions.tracks = of("add_track");
      });
      const preset = of("preset").flatMap((name) => this.asking.usePreset(name));
      const own = ["bars", "track", "add_bars", "add_track", "preset"];
      this.asking.put([...preset, ...fields.filter(([field]) => !own.includes(field))]);
      this.selection.read(of("bars").at(-1) ?? "", of("track"), this.base);
      this.say("");
    } catch (error) {
      this.fail(error);
    }
    this.showSelection();
    this.roll.draw();
  }
}
