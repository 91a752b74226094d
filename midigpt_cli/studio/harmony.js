// How new notes fit the chords of the others: the measure of `midigpt evaluate`, sixteenth by sixteenth.

const STEPS = 4; // per quarter note

/** Of the sixteenths of new melodic notes over which another melodic track sounds, the share on a pitch class of it. */
export function chordFit(song, isFresh) {
  const sounding = song.tracks.map((track) => (track.drum ? null : stepsOf(track.notes)));
  let fits = 0;
  let all = 0;
  for (const track of song.tracks.filter((row) => !row.drum))
    for (const note of track.notes.filter((row) => isFresh(track.number, row)))
      for (const step of stepsIn(note)) {
        const others = sounding.filter((steps, number) => steps && number !== track.number && steps.has(step));
        if (!others.length) continue;
        all += 1;
        fits += others.some((steps) => steps.get(step).has(note.pitch % 12));
      }
  return all ? fits / all : null;
}

function stepsOf(notes) {
  const found = new Map();
  for (const note of notes)
    for (const step of stepsIn(note)) {
      if (!found.has(step)) found.set(step, new Set());
      found.get(step).add(note.pitch % 12);
    }
  return found;
}

function* stepsIn(note) {
  const first = Math.round(note.start * STEPS);
  const end = Math.max(first + 1, Math.round((note.start + note.length) * STEPS));
  for (let step = first; step < end; step++) yield step;
}
