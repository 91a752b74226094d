// Draws the song: a lane per track under a ruler of bars, and the overview; only what is in sight.

import { textOf } from "./chords.js";
import { barAt, firstNote } from "./song.js";

const RULER = 26;
export const HEAD = RULER + 20; // bar numbers, and the chords below them
const LANE = 64;
const DRUM_ROW = 11;
const COLOURS = 8;

export class Roll {
  constructor(canvas, scroller, sizer, overview) {
    Object.assign(this, { canvas, scroller, sizer, overview });
    this.scale = 24; // pixels per quarter note
    this.tall = 1;
    this.song = null;
    this.selection = null;
    this.cursor = null; // [track, bar] of the keyboard
    this.playhead = 0;
    this.loop = null; // [start, end] in quarter notes
    this.chords = []; // bar -> [{quarter, name, sure}]
    this.fresh = () => false; // (track, bar) -> was it written
    this.lit = () => false; // (track, note) -> is it new there
    this.silent = () => false; // track -> is it not heard
    this.dirty = false;
    this.readTheme();
    new ResizeObserver(() => this.resize()).observe(scroller);
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
  }

  readTheme() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.theme = { tracks: Array.from({ length: COLOURS }, (_, i) => colour(`--track-${i}`)) };
    for (const name of ["ground", "lane", "line", "strong", "text", "soft", "accent", "chosen", "fresh"])
      this.theme[name] = colour(`--${name}`);
    this.map = null;
    this.draw();
  }

  show(song) {
    this.song = song;
    this.map = null;
    this.layout();
  }

  /** Where lanes lie, from the top of the whole drawing. */
  layout() {
    if (!this.song) return;
    let top = HEAD;
    this.lanes = this.song.tracks.map((track) => {
      const height = Math.round(Math.max(LANE, track.rows.length * DRUM_ROW + 10) * this.tall);
      const lane = { top, height };
      top += height;
      return lane;
    });
    this.height = top;
    this.sizer.style.width = `${Math.max(this.scroller.clientWidth, this.song.end * this.scale)}px`;
    this.sizer.style.height = `${Math.max(this.scroller.clientHeight, top)}px`;
    this.draw();
  }

  /** Choose both scales so that a good part of the song fills the view. */
  fit() {
    const { clientWidth, clientHeight } = this.scroller;
    this.scale = Math.min(48, Math.max(12, clientWidth / Math.min(this.song.end, 64)));
    this.tall = 1;
    this.layout();
    this.tall = Math.min(3, Math.max(0.8, (clientHeight - HEAD - 4) / (this.height - HEAD)));
    this.layout();
  }

  resize() {
    this.map = null;
    for (const [canvas, width, height] of [
      [this.canvas, this.scroller.clientWidth, this.scroller.clientHeight],
      [this.overview, this.overview.clientWidth, this.overview.clientHeight],
    ]) {
      const sharp = window.devicePixelRatio || 1;
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.round(height * sharp);
      if (canvas === this.canvas) {
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
      }
    }
    this.layout();
  }

  /** Change the horizontal scale around a point of the canvas (the middle if left out). */
  zoom(factor, x = this.scroller.clientWidth / 2) {
    const at = (this.scroller.scrollLeft + x) / this.scale;
    const least = Math.min(4, this.scroller.clientWidth / this.song.end);
    this.scale = Math.min(240, Math.max(least, this.scale * factor));
    this.layout();
    this.scroller.scrollLeft = at * this.scale - x;
  }

  /** The cell [track, bar] under a point of the canvas; track -1 is the ruler. */
  cellAt(x, y) {
    const position = (x + this.scroller.scrollLeft) / this.scale;
    const depth = y + this.scroller.scrollTop;
    let track = this.lanes.findIndex((lane) => depth < lane.top + lane.height);
    if (track < 0) track = this.lanes.length - 1;
    return [y < HEAD ? -1 : track, barAt(this.song, position)];
  }

  /** Scroll so that a cell is in sight. */
  reveal([track, bar]) {
    const { start, length } = this.song.bars[bar];
    const { scrollLeft, clientWidth, scrollTop, clientHeight } = this.scroller;
    if (start * this.scale < scrollLeft) this.scroller.scrollLeft = start * this.scale - 20;
    else if ((start + length) * this.scale > scrollLeft + clientWidth)
      this.scroller.scrollLeft = (start + length) * this.scale - clientWidth + 20;
    const lane = this.lanes[Math.max(0, track)];
    if (lane.top - HEAD < scrollTop) this.scroller.scrollTop = lane.top - HEAD;
    else if (lane.top + lane.height > scrollTop + clientHeight)
      this.scroller.scrollTop = lane.top + lane.height - clientHeight;
  }

  /** Keep the play-head in sight by turning pages. */
  follow(position) {
    const x = position * this.scale - this.scroller.scrollLeft;
    if (x < 0 || x > this.scroller.clientWidth - 8) this.scroller.scrollLeft = position * this.scale - 40;
  }

  draw() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      if (this.song && this.lanes) {
        this.paint();
        this.paintOverview();
      }
    });
  }

  paint() {
    const pen = this.canvas.getContext("2d");
    const sharp = window.devicePixelRatio || 1;
    const width = this.canvas.width / sharp;
    const height = this.canvas.height / sharp;
    const { scrollLeft, scrollTop } = this.scroller;
    const sight = {
      pen, width, height, left: scrollLeft, top: scrollTop,
      first: barAt(this.song, scrollLeft / this.scale),
      last: barAt(this.song, (scrollLeft + width) / this.scale),
    };
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.fillStyle = this.theme.ground;
    pen.fillRect(0, 0, width, height);
    this.lanes.forEach((lane, track) => {
      if (lane.top + lane.height >= scrollTop && lane.top <= scrollTop + height) this.paintLane(sight, lane, track);
    });
    this.paintRuler(sight);
    this.paintChords(sight);
    this.paintPlayhead(sight);
  }

  paintLane({ pen, width, left, top, first, last }, lane, track) {
    const y = lane.top - top;
    pen.fillStyle = track % 2 ? this.theme.ground : this.theme.lane;
    pen.fillRect(0, y, width, lane.height);
    for (let bar = first; bar <= last; bar++) {
      const { start, length } = this.song.bars[bar];
      const x = start * this.scale - left;
      const chosen = this.selection?.has(track, bar);
      if (chosen || this.fresh(track, bar)) {
        pen.fillStyle = chosen ? this.theme.chosen : this.theme.fresh;
        pen.fillRect(x, y, length * this.scale, lane.height);
      }
      pen.fillStyle = this.theme.line;
      pen.fillRect(Math.round(x), y, 1, lane.height);
    }
    pen.fillRect(0, y + lane.height - 1, width, 1);
    this.paintNotes({ pen, width, left }, lane, track, y);
    if (this.cursor?.[0] === track && document.activeElement === this.canvas) {
      const { start, length } = this.song.bars[this.cursor[1]];
      pen.strokeStyle = this.theme.accent;
      pen.lineWidth = 2;
      pen.strokeRect(start * this.scale - left + 1, y + 1, length * this.scale - 2, lane.height - 3);
    }
  }

  paintNotes({ pen, width, left }, lane, number, y) {
    const track = this.song.tracks[number];
    const row = rowsOf(track, lane.height);
    const from = left / this.scale;
    const until = (left + width) / this.scale;
    const silent = this.silent(number);
    for (let i = firstNote(track.notes, from - track.longest); i < track.notes.length; i++) {
      const note = track.notes[i];
      if (note.start > until) break;
      const x = note.start * this.scale - left;
      const long = track.drum ? Math.min(row.size, this.scale / 4) : note.length * this.scale;
      pen.globalAlpha = (silent ? 0.25 : 0.55) + (silent ? 0 : (0.45 * note.velocity) / 127);
      pen.fillStyle = this.lit(number, note) ? this.theme.accent : this.theme.tracks[number % COLOURS];
      pen.fillRect(x, y + row.at(note.pitch), Math.max(2, long - 1), Math.max(2, row.size - 1));
    }
    pen.globalAlpha = 1;
  }

  paintRuler({ pen, width, left, first, last }) {
    pen.fillStyle = this.theme.ground;
    pen.fillRect(0, 0, width, RULER);
    if (this.loop) {
      pen.fillStyle = this.theme.chosen;
      pen.fillRect(this.loop[0] * this.scale - left, 0, (this.loop[1] - this.loop[0]) * this.scale, RULER);
    }
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const every = spacing(this.song.bars[first].length * this.scale);
    let free = -Infinity;
    for (let bar = first; bar <= last; bar++) {
      const { start, top, bottom } = this.song.bars[bar];
      const before = this.song.bars[bar - 1];
      const metre = !before || before.top !== top || before.bottom !== bottom ? ` ${top}/${bottom}` : "";
      const x = Math.round(start * this.scale - left);
      if ((bar % every && !metre) || x < free) continue;
      pen.fillStyle = this.theme.strong;
      pen.fillRect(x, 4, 1, RULER - 4);
      pen.fillStyle = this.theme.text;
      const text = `${bar + 1}${this.scale > 8 ? metre : ""}`;
      pen.fillText(text, x + 5, RULER / 2);
      free = x + pen.measureText(text).width + 4;
    }
    pen.fillStyle = this.theme.strong;
    pen.fillRect(0, RULER - 1, width, 1);
  }

  /** The names of the chords over the bars; of those that would run into one another, the first. */
  paintChords({ pen, width, left, first, last }) {
    pen.fillStyle = this.theme.ground;
    pen.fillRect(0, RULER, width, HEAD - RULER);
    let free = -Infinity;
    for (let bar = first; bar <= last; bar++)
      for (const chord of this.chords[bar] ?? []) {
        const x = Math.round((this.song.bars[bar].start + chord.quarter) * this.scale - left) + 5;
        if (x < free) continue;
        const text = textOf(chord);
        pen.font = `${chord.sure ? 600 : 400} 12px system-ui, sans-serif`;
        pen.fillStyle = chord.sure ? this.theme.text : this.theme.soft;
        pen.fillText(text, x, (RULER + HEAD) / 2);
        free = x + pen.measureText(text).width + 8;
      }
    pen.fillStyle = this.theme.strong;
    pen.fillRect(0, HEAD - 1, width, 1);
  }

  paintPlayhead({ pen, height, left }) {
    pen.fillStyle = this.theme.accent;
    pen.fillRect(Math.round(this.playhead * this.scale - left), 0, 2, height);
  }

  paintOverview() {
    const pen = this.overview.getContext("2d");
    const { width, height } = this.overview;
    if (!width || !height) return;
    const across = width / this.song.end;
    this.map ??= this.drawMap(width, height, across);
    pen.drawImage(this.map, 0, 0);
    pen.strokeStyle = this.theme.accent;
    pen.lineWidth = 2;
    const seen = (across / this.scale) * this.scroller.clientWidth;
    pen.strokeRect((this.scroller.scrollLeft / this.scale) * across + 1, 1, Math.min(seen, width) - 2, height - 2);
    pen.fillStyle = this.theme.accent;
    pen.fillRect(this.playhead * across, 0, 2, height);
  }

  /** The whole song in small, drawn once per song, size and theme. */
  drawMap(width, height, across) {
    const map = new OffscreenCanvas(width, height);
    const pen = map.getContext("2d");
    const down = height / this.song.tracks.length;
    pen.fillStyle = this.theme.lane;
    pen.fillRect(0, 0, width, height);
    this.song.tracks.forEach((track, number) => {
      pen.fillStyle = this.theme.tracks[number % COLOURS];
      const row = rowsOf(track, down);
      let bar = -1;
      for (const note of track.notes) {
        if (across < 1 && note.bar === bar) continue; // long songs: a mark per bar is all that can be seen
        bar = note.bar;
        pen.fillRect(note.start * across, number * down + row.at(note.pitch), Math.max(1, note.length * across), 2);
      }
    });
    return map;
  }
}

/** How pitches become heights in a lane: a row per drum sound, or the range of the track. */
export function rowsOf(track, height) {
  const room = height - 8;
  if (track.drum) {
    const size = room / Math.max(1, track.rows.length);
    const place = new Map(track.rows.map((pitch, index) => [pitch, 4 + index * size]));
    return { size, at: (pitch) => place.get(pitch) ?? 4 };
  }
  const low = track.low - 1;
  const span = Math.max(14, track.high - low + 2);
  const size = Math.max(2, room / span);
  return { size: Math.max(3, size), at: (pitch) => 4 + room - ((pitch - low + 1) / span) * room };
}

function spacing(pixels) {
  let every = 1;
  while (every * pixels < 34) every *= 2;
  return every;
}
