// The state of the page and what can be done with it: open, choose, write, hear, keep, undo.

import * as api from "./api.js";
import { Additions } from "./additions.js";
import { Asking } from "./asking.js";
import { Bolder } from "./bolder.js";
import { Chords } from "./chords.js";
import { mayLeave } from "./downloads.js";
import { listen } from "./gestures.js";
import { heardIn, isRecording, midiNameOf } from "./listening.js";
import { fail, say } from "./message.js";
import { learnInstruments } from "./names.js";
import { showNext } from "./next.js";
import { showHistory } from "./panel.js";
import { Player } from "./player.js";
import { Project } from "./project.js";
import { Roll } from "./roll.js";
import { Selection } from "./selection.js";
import { makeSong } from "./song.js";
import { lastOf, save } from "./store.js";
import { Takes } from "./takes.js";
import { Transport } from "./transport.js";
import { inWords } from "./where.js";
import { Writer } from "./writer.js";

const ADD = "; now drag over others, or click one.";

const find = (id) => document.getElementById(id);

export class Studio {
  constructor() {
    this.roll = new Roll(find("roll"), find("scroller"), find("sizer"), find("overview"));
    this.player = new Player(() => this.transport.show());
    this.selection = new Selection();
    this.asking = new Asking(find);
    this.additions = new Additions();
    this.roll.selection = this.selection;
    this.transport = new Transport(this.player, this.roll, find, () => this.selection.barList.map((bar) => this.base.bars[bar]));
    this.chords = new Chords(() => this.showChords());
    this.takes = new Takes(this.roll, this.player, find, { shown: (song) => this.heard(song), changed: () => this.listed() });
    this.bolder = new Bolder(this.asking, this.takes, find, () => this.writeAgain());
    this.project = null;
    this.base = null; // the song in use
    this.writer = null;
    this.seed = null;
    listen(this.roll, this.selection, (what, where) => this.heardGesture(what, where));
    this.ready = this.describe();
  }

  /** Ask the server what may be asked of it. */
  async describe() {
    try {
      await this.asking.describe();
      learnInstruments(this.asking.instruments);
      find("add-track").append(...this.asking.instruments.map((name) => new Option(name, name)));
    } catch (error) {
      fail(error);
    }
  }

  // ---- open ----

  async open(name, bytes) {
    const opening = (this.opening = {}); // a file that is opened later wins
    try {
      const song = isRecording(name) ? await this.listenTo(name, bytes) : bytes;
      if (opening === this.opening) await this.useAsLeft(isRecording(name) ? midiNameOf(name) : name, song);
    } catch (error) {
      fail(error instanceof api.ServerError && error.status ? new api.ServerError(`${name}: ${error.message}`) : error);
    }
  }

  /** Use a song, with what was kept of it before. */
  async useAsLeft(name, bytes) {
    const before = await lastOf(name, bytes);
    const used = await this.use(before ? new Project({ ...before, id: undefined }) : Project.from(name, bytes));
    if (used && before) say(`${name} is as you left it; the original is the first line of the history.`);
  }

  /** A recording as MIDI, with what is done told in tenths. */
  listenTo(name, bytes) {
    const { opening } = this;
    const tell = (share) => opening === this.opening && say(`Listening to ${name}: ${Math.floor(share * 10) * 10} %`);
    tell(0);
    return heardIn(name, bytes, tell);
  }

  /** Show another song; false where the user would rather keep the one that is shown. */
  async use(project) {
    const score = await api.scoreOf(project.now.bytes);
    const song = makeSong(score, project.now.bytes);
    if (!song.tracks.length || !song.bars.length) throw new api.ServerError("This file has no notes to show.", 400);
    say("");
    if (!(await mayLeave(this))) return false;
    this.abandon();
    if (!this.asking.described) await this.describe();
    this.player.stop();
    this.transport.dropLoop();
    this.player.muted.clear();
    this.player.solo.clear();
    this.player.position = 0;
    this.project = project;
    this.selection.clear();
    this.roll.cursor = null;
    this.chords.clear();
    this.showChords();
    find("empty").hidden = true;
    find("work").hidden = find("panel").hidden = false;
    find("song-name").textContent = project.name;
    document.title = `${project.name} – midigpt studio`;
    this.settle(song, score);
    this.roll.scroller.scrollTo(0, 0);
    this.roll.resize();
    this.roll.fit();
    this.takes.showHeads();
    await save(project.plain());
    return true;
  }

  // ---- choose ----

  heardGesture(what, where) {
    if (what === "choose") say("");
    if (what === "seek") this.player.seek(where);
    else if (!this.player.playing && !this.selection.empty) this.transport.seekChosen();
    this.showSelection();
    this.roll.draw();
  }

  showChords() {
    this.roll.chords = this.chords.byBar;
    find("song-key").textContent = this.chords.key;
    this.showWhere();
    this.roll.draw();
  }

  /** Keep what is chosen and choose more beside it. */
  holdSelection() {
    if (!this.base || this.selection.empty) return;
    this.selection.hold();
    this.showSelection();
  }

  clear() {
    say("");
    this.selection.clear();
    this.showSelection();
    this.roll.draw();
  }

  /** Another song is on the screen: the song as it is, or a take of it. */
  heard(song) {
    this.showWhere();
    return song === this.base ? this.chords.show(song) : this.chords.show(song, this.base, this.takes.bars);
  }

  /** The takes on the screen are others. */
  listed() {
    if (!this.project) return;
    this.bolder.show();
    showNext(this, find);
  }

  showWhere() {
    const { roll, selection, base } = this;
    if (!base) return;
    const place = inWords(roll.song ?? base, roll.cursor ?? undefined, this.chords);
    const chosen = place && selection.has(...roll.cursor) ? `; chosen: ${selection.inWords(base.tracks)}` : "";
    find("where").textContent = place + chosen;
  }

  showSelection() {
    const { selection } = this;
    const words = selection.inWords(this.base.tracks);
    find("chosen").textContent = (words || "Drag over bars, or click one.") + (selection.waiting ? ADD : "");
    find("region").setAttribute("aria-pressed", String(selection.waiting));
    find("write").disabled = find("copy").disabled = find("region").disabled = selection.empty;
    this.showWhere();
    showNext(this, find);
    if (this.player.loop && !selection.empty) this.transport.setLoop();
  }

  /** All that is asked for, as [name, value] of the server's form. */
  get fields() {
    return [...this.selection.fields, ...this.additions.fields, ...this.asking.fields];
  }

  // ---- write ----

  async write() {
    if (!this.project || this.writer) return;
    if (this.selection.empty) return say("Choose bars first: drag over them, or use the arrow keys with Shift.");
    if (!find("ask").reportValidity()) return;
    const { fields } = this;
    this.takes.begin(this.selection.keys, find("chosen").textContent);
    say("");
    this.busy(true);
    const writer = (this.writer = new Writer({
      progress: (share) => (find("progress").value = share),
      notes: (frame) => writer === this.writer && this.takes.grow(frame),
      take: (take) => writer === this.writer && this.takes.add(take),
    }));
    try {
      const job = await writer.run(this.project.name, this.project.now.bytes, fields);
      if (writer === this.writer) this.written(job);
    } catch (error) {
      if (writer === this.writer) fail(error);
    } finally {
      if (writer === this.writer) {
        this.takes.end();
        this.writer = null;
        this.busy(false);
      }
    }
  }

  /** Write the bars of the takes once more, whatever is chosen by now. */
  writeAgain() {
    this.selection.put(this.takes.cells);
    this.showSelection();
    return this.write();
  }

  busy(yes) {
    find("write").disabled = yes || this.selection.empty;
    find("stop").hidden = find("progress").hidden = !yes;
    find("progress").value = 0;
  }

  written(job) {
    this.seed = job.summary?.base_seed ?? job.summary?.seed ?? this.takes.list[0]?.seed ?? null;
    if (job.status === "cancelled") say(this.takes.coming ? "Stopped; no take was finished." : "Stopped; finished takes are below.");
  }

  /** Stop what is being written. */
  async cancel() {
    const writer = this.writer;
    try {
      await writer?.stop();
    } catch (error) {
      fail(error);
    }
  }

  /** Stop it, and take no interest in what it still finds. */
  abandon() {
    this.cancel();
    this.writer = null;
    this.busy(false);
  }

  // ---- keep ----

  async keep() {
    const take = this.takes.now;
    if (!take) return;
    if (this.writer) this.abandon();
    say("");
    this.bolder.kept();
    this.project.keep(take.bytes, `${this.takes.label}, take ${take.number + 1}`, this.takes.cells, [...take.fresh]);
    this.settle(take.song, take.score);
    await save(this.project.plain());
  }

  async go(index) {
    if (!this.project || index < 0 || index >= this.project.versions.length || this.writer) return;
    const { bytes } = this.project.versions[index];
    try {
      const score = await api.scoreOf(bytes);
      this.project.go(index);
      this.settle(makeSong(score, bytes), score);
      say("");
      await save(this.project.plain());
    } catch (error) {
      fail(error);
    }
  }

  /** A version is in use now; there are no takes of it yet. */
  settle(song, score) {
    this.score = score;
    this.base = song;
    this.selection.limitTo(song);
    this.transport.limitTo(song);
    this.additions.clear();
    this.showAdditions();
    this.takes.of(song, this.project.now);
    find("undo").disabled = this.project.at === 0;
    find("redo").disabled = this.project.at === this.project.versions.length - 1;
    for (const id of ["download", "download-wav", "download-png"]) find(id).disabled = false;
    showHistory(find("history"), this.project, (index) => this.go(index));
    this.showSelection();
  }

  showAdditions() {
    find("add-none").hidden = this.additions.empty;
  }
}
