// Paints the part of the roll that is in sight: lanes with notes, bar numbers, chords, the play-head.

import { textOf } from "./chords.js";
import { barAt, firstNote } from "./song.js";

export const RULER = 26;
export const HEAD = RULER + 20; // bar numbers, and the chords below them
export const COLOURS = 8;
const OUTLINED = 6; // pixels of a note's shorter side, from which on it has an outline
const APART = 3; // pixels between the names of two chords
const NARROW = 0.6; // share of its width to which the name of a chord may shrink

/** Paint what the scroller shows of a roll. */
export function paint(roll) {
  const pen = roll.canvas.getContext("2d");
  const sharp = window.devicePixelRatio || 1;
  const width = roll.canvas.width / sharp;
  const height = roll.canvas.height / sharp;
  const { scrollLeft, scrollTop } = roll.scroller;
  const sight = {
    pen, width, height, left: scrollLeft, top: scrollTop,
    first: barAt(roll.song, scrollLeft / roll.scale),
    last: barAt(roll.song, (scrollLeft + width) / roll.scale),
  };
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.fillStyle = roll.theme.ground;
  pen.fillRect(0, 0, width, height);
  roll.lanes.forEach((lane, track) => {
    if (lane.top + lane.height >= scrollTop && lane.top <= scrollTop + height) paintLane(roll, sight, lane, track);
  });
  paintRuler(roll, sight);
  paintChords(roll, sight);
  paintPlayhead(roll, sight);
}

function paintLane(roll, { pen, width, left, top, first, last }, lane, track) {
  const y = lane.top - top;
  pen.fillStyle = track % 2 ? roll.theme.ground : roll.theme.lane;
  pen.fillRect(0, y, width, lane.height);
  for (let bar = first; bar <= last; bar++) {
    const { start, length } = roll.song.bars[bar];
    const x = start * roll.scale - left;
    const chosen = roll.selection?.has(track, bar);
    if (chosen || roll.fresh(track, bar)) {
      pen.fillStyle = chosen ? roll.theme.chosen : roll.theme.fresh;
      pen.fillRect(x, y, length * roll.scale, lane.height);
    }
    pen.fillStyle = roll.theme.line;
    pen.fillRect(Math.round(x), y, 1, lane.height);
  }
  pen.fillRect(0, y + lane.height - 1, width, 1);
  paintNotes(roll, { pen, width, left }, lane, track, y);
  if (roll.cursor?.[0] === track && document.activeElement === roll.canvas) {
    const { start, length } = roll.song.bars[roll.cursor[1]];
    pen.strokeStyle = roll.theme.accent;
    pen.lineWidth = 2;
    pen.strokeRect(start * roll.scale - left + 1, y + 1, length * roll.scale - 2, lane.height - 3);
  }
}

function paintNotes(roll, { pen, width, left }, lane, number, y) {
  const track = roll.song.tracks[number];
  const row = rowsOf(track, lane.height);
  const from = left / roll.scale;
  const until = (left + width) / roll.scale;
  const silent = roll.silent(number);
  for (let i = firstNote(track.notes, from - track.longest); i < track.notes.length; i++) {
    const note = track.notes[i];
    if (note.start > until) break;
    const x = note.start * roll.scale - left;
    const long = track.drum ? Math.min(row.size, roll.scale / 4) : note.length * roll.scale;
    const lit = roll.lit(number, note);
    const box = [x, y + row.at(note.pitch), Math.max(2, long - 1), Math.max(2, row.size - 1)];
    pen.globalAlpha = silent ? 0.25 : 0.55 + (0.45 * note.velocity) / 127;
    pen.fillStyle = lit ? roll.theme.accent : roll.theme.tracks[number % COLOURS];
    pen.fillRect(...box);
    if (lit) outline(pen, box, roll.theme.text);
  }
  pen.globalAlpha = 1;
}

/** A line around a note that has room for one, for those who do not see its colour. */
function outline(pen, [x, y, width, height], colour) {
  if (Math.min(width, height) < OUTLINED) return;
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
}

function paintRuler(roll, { pen, width, left, first, last }) {
  pen.fillStyle = roll.theme.ground;
  pen.fillRect(0, 0, width, RULER);
  if (roll.loop) {
    pen.fillStyle = roll.theme.chosen;
    pen.fillRect(roll.loop[0] * roll.scale - left, 0, (roll.loop[1] - roll.loop[0]) * roll.scale, RULER);
  }
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const every = spacing(roll.song.bars[first].length * roll.scale);
  let free = -Infinity;
  for (let bar = first; bar <= last; bar++) {
    const { start, top, bottom } = roll.song.bars[bar];
    const before = roll.song.bars[bar - 1];
    const metre = !before || before.top !== top || before.bottom !== bottom ? ` ${top}/${bottom}` : "";
    const x = Math.round(start * roll.scale - left);
    if ((bar % every && !metre) || x < free) continue;
    pen.fillStyle = roll.theme.strong;
    pen.fillRect(x, 4, 1, RULER - 4);
    pen.fillStyle = roll.theme.text;
    const text = `${bar + 1}${roll.scale > 8 ? metre : ""}`;
    pen.fillText(text, x + 5, RULER / 2);
    free = x + pen.measureText(text).width + 4;
  }
  pen.fillStyle = roll.theme.strong;
  pen.fillRect(0, RULER - 1, width, 1);
}

/** The names of the chords over the bars, narrower where they would run into one another; of those that still would, the first. */
function paintChords(roll, { pen, width, left, first, last }) {
  pen.fillStyle = roll.theme.ground;
  pen.fillRect(0, RULER, width, HEAD - RULER);
  let free = -Infinity;
  const placed = chordsIn(roll, left, first, last);
  placed.forEach(([x, chord], index) => {
    if (x < free) return;
    const text = textOf(chord);
    pen.font = `${chord.sure ? 600 : 400} 12px system-ui, sans-serif`;
    pen.fillStyle = chord.sure ? roll.theme.text : roll.theme.soft;
    const { width } = pen.measureText(text);
    const room = (placed[index + 1]?.[0] ?? Infinity) - x - APART;
    const wide = room < NARROW * width ? width : Math.min(width, room);
    pen.fillText(text, x, (RULER + HEAD) / 2, wide);
    free = x + wide + APART;
  });
  pen.fillStyle = roll.theme.strong;
  pen.fillRect(0, HEAD - 1, width, 1);
}

/** The chords of these bars, each as [x, chord]. */
function chordsIn(roll, left, first, last) {
  const found = [];
  for (let bar = first; bar <= last; bar++)
    for (const chord of roll.chords[bar] ?? [])
      found.push([Math.round((roll.song.bars[bar].start + chord.quarter) * roll.scale - left) + 5, chord]);
  return found;
}

function paintPlayhead(roll, { pen, height, left }) {
  pen.fillStyle = roll.theme.accent;
  pen.fillRect(Math.round(roll.playhead * roll.scale - left), 0, 2, height);
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
