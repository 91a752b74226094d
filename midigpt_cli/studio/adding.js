// New bars and tracks: shown empty, and chosen, to be written with the next request.

import { say } from "./message.js";
import { makeSong } from "./song.js";

/** Show the empty bars and tracks that the next request writes; nothing is added to the song before. */
export function add(studio, change) {
  if (!studio.base || studio.writer) return;
  const { additions, asking, score, project } = studio;
  change(additions);
  say("");
  studio.base = makeSong(additions.added(score, asking.instruments), project.now.bytes);
  studio.takes.of(studio.base);
  studio.showAdditions();
  chooseAdded(studio);
  studio.showSelection();
  studio.roll.draw();
}

/** Choose what was added, which is most often what is to be written. */
function chooseAdded({ base, selection, roll, score, additions }) {
  selection.clear();
  roll.cursor = null;
  if (additions.empty) return;
  const { tracks, bars } = base;
  const from = [additions.tracks.length ? score.tracks.length : 0, additions.bars ? bars.length - additions.bars : 0];
  selection.rectangle(from, [tracks.length - 1, bars.length - 1]);
  roll.cursor = from;
  roll.reveal(from);
}
