// The line below the roll: what is under the cursor, in words.

/** The track, bar, notes and chord of a cell; nothing without a cursor, or on a track that was taken away. */
export function inWords(song, [track, bar] = [], chords) {
  const under = song.tracks[track];
  if (!under) return "";
  const count = under.notes.filter((note) => note.bar === bar).length;
  const notes = `${count} note${count === 1 ? "" : "s"}`;
  const chord = chords.inBar(bar);
  return `${under.name}, bar ${bar + 1}, ${notes}${chord && `, chord ${chord}`}`;
}
