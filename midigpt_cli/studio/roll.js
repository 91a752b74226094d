// The song as a drawing: a lane per track under a ruler of bars. Its scale, what is in sight, what lies under a point.

import { paintOverview } from "./overview.js";
import { COLOURS, HEAD, paint } from "./painting.js";
import { barAt } from "./song.js";

const LANE = 64;
const DRUM_ROW = 11;

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
    const [track = 0, bar = 0] = this.cursor ?? [];
    if (track >= song.tracks.length || bar >= song.bars.length) this.cursor = null;
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
        paint(this);
        paintOverview(this);
      }
    });
  }
}
