// Plays a song a fraction of a second ahead of the clock; the song may be exchanged at any moment without a gap.

import { firstNote, positionAt, secondsAt } from "./song.js";
import { Synth } from "./synth.js";

const AHEAD = 0.14; // seconds that are handed to the synthesiser in advance
const TICK = 35; // milliseconds between two looks

export class Player {
  constructor(told) {
    this.told = told;
    this.song = null;
    this.position = 0;
    this.loop = null; // [start, end] in quarter notes
    this.until = null; // where it stops of itself, if before the end
    this.muted = new Set();
    this.solo = new Set();
    this.playing = false;
    this.synth = null;
  }

  heard(track) {
    return this.solo.size ? this.solo.has(track) : !this.muted.has(track);
  }

  /** Exchange the song; what is already sounding rings on, what comes next is the new song's. */
  use(song) {
    this.song = song;
    this.mix();
  }

  mix() {
    if (this.synth && this.song) for (const { number } of this.song.tracks) this.synth.open(number, this.heard(number));
  }

  /** Play on from here; up to `until`, if given, and back to where it began. */
  async play(until = null) {
    if (!this.song || this.playing) return;
    this.until = until;
    this.from = until === null ? 0 : this.position;
    this.synth ??= new Synth();
    await this.synth.context.resume();
    this.playing = true;
    this.mix();
    this.begin(this.loop && until === null && !this.inLoop(this.position) ? this.loop[0] : this.position);
    this.timer = setInterval(() => this.schedule(), TICK);
    this.schedule();
    this.told();
    this.watch();
  }

  stop() {
    if (!this.playing) return;
    this.position = this.heardPosition();
    this.playing = false;
    this.until = null;
    clearInterval(this.timer);
    this.synth.silence();
    this.told();
  }

  seek(position) {
    this.until = null;
    this.position = Math.max(0, Math.min(position, this.song?.end ?? 0));
    if (this.playing) {
      this.synth.silence();
      this.begin(this.position);
      this.schedule();
    }
    this.told();
  }

  inLoop(position) {
    return position >= this.loop[0] && position < this.loop[1];
  }

  /** From here on, position `from` sounds at this moment of the audio clock. */
  begin(from) {
    this.anchors = [];
    this.anchor(from, this.synth.now + 0.05);
  }

  anchor(position, time) {
    this.anchors.push({ position, time, seconds: secondsAt(this.song, position) });
    this.next = position;
  }

  schedule() {
    const until = this.synth.now + AHEAD;
    for (let rounds = 0; rounds < 64; rounds++) {
      const last = this.anchors.at(-1);
      const turning = this.loop && this.until === null && this.next < this.loop[1];
      const edge = turning ? this.loop[1] : this.last;
      const reach = positionAt(this.song, last.seconds + (until - last.time));
      this.hand(this.next, Math.min(reach, edge), last);
      if (reach < edge) {
        this.next = Math.max(this.next, reach);
        return;
      }
      const time = last.time + secondsAt(this.song, edge) - last.seconds;
      if (!turning) {
        this.next = edge;
        if (this.synth.now > time + 1) this.finish();
        return;
      }
      this.anchor(this.loop[0], time);
      if (this.anchors.length > 8) this.anchors.shift();
    }
  }

  /** Give the notes between two positions to the synthesiser. */
  hand(from, to, anchor) {
    for (const track of this.song.tracks) {
      for (let i = firstNote(track.notes, from); i < track.notes.length; i++) {
        const note = track.notes[i];
        if (note.start >= to) break;
        const begins = secondsAt(this.song, note.start);
        const lasts = secondsAt(this.song, note.start + note.length) - begins;
        this.synth.play(track, note, anchor.time + begins - anchor.seconds, lasts);
      }
    }
  }

  finish() {
    this.stop();
    this.seek(this.from);
  }

  /** The last position that is played. */
  get last() {
    return this.until ?? this.song.end;
  }

  /** Where in the song the sound is at this moment. */
  heardPosition() {
    if (!this.playing) return this.position;
    const { now } = this.synth;
    const anchor = this.anchors.findLast((row) => row.time <= now) ?? this.anchors[0];
    return Math.min(this.last, positionAt(this.song, anchor.seconds + Math.max(0, now - anchor.time)));
  }

  watch() {
    if (!this.playing) return;
    this.told();
    requestAnimationFrame(() => this.watch());
  }
}
