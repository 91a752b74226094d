// Paints the strip above the roll: the whole song in small.

import { COLOURS, rowsOf } from "./painting.js";

/** Paint the overview, with what the roll shows of it framed. */
export function paintOverview(roll) {
  const pen = roll.overview.getContext("2d");
  const { width, height } = roll.overview;
  if (!width || !height) return;
  const across = width / roll.song.end;
  roll.map ??= drawMap(roll, width, height, across);
  pen.drawImage(roll.map, 0, 0);
  pen.strokeStyle = roll.theme.accent;
  pen.lineWidth = 2;
  const seen = (across / roll.scale) * roll.scroller.clientWidth;
  pen.strokeRect((roll.scroller.scrollLeft / roll.scale) * across + 1, 1, Math.min(seen, width) - 2, height - 2);
  pen.fillStyle = roll.theme.accent;
  pen.fillRect(roll.playhead * across, 0, 2, height);
}

/** The whole song in small, drawn once per song, size and theme. */
function drawMap(roll, width, height, across) {
  const map = new OffscreenCanvas(width, height);
  const pen = map.getContext("2d");
  const down = height / roll.song.tracks.length;
  pen.fillStyle = roll.theme.lane;
  pen.fillRect(0, 0, width, height);
  roll.song.tracks.forEach((track, number) => {
    pen.fillStyle = roll.theme.tracks[number % COLOURS];
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
