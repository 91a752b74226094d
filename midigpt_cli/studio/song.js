// A song as the page needs it: bars and notes in quarter notes, with the tempo of the file, from score JSON and .mid bytes.

const DEFAULT_TEMPO = 500000;

/** {bytes, bars, tracks, tempos, end}; every position is in quarter notes from the start. */
export function makeSong(score, bytes) {
  const longest = score.tracks.reduce((most, track) => (track.bars.length > most.length ? track.bars : most), []);
  const bars = [];
  let at = 0;
  for (const bar of longest) {
    bars.push({ start: at, length: bar.beat_length, top: bar.ts_numerator, bottom: bar.ts_denominator });
    at += bar.beat_length;
  }
  const tracks = score.tracks.map((track, number) => makeTrack(track, number, bars, score.resolution));
  return { bytes, bars, tracks, resolution: score.resolution, tempos: readTempos(bytes, score.tempo), end: at };
}

/** The song with other notes (of score JSON) in one bar of one track. */
export function withBar(song, number, index, notes) {
  const track = song.tracks[number];
  const made = notes.map((note) => makeNote(note, index, song.bars, song.resolution));
  const all = [...track.notes.filter((note) => note.bar !== index), ...made].sort((one, other) => one.start - other.start);
  return { ...song, tracks: song.tracks.with(number, { ...track, ...shapeOf(all, track.drum), notes: all }) };
}

function makeTrack(track, number, bars, resolution) {
  const notes = track.bars.flatMap((bar, index) =>
    bar.notes.map((note) => makeNote(note, index, bars, resolution)),
  );
  notes.sort((one, other) => one.start - other.start);
  const drum = track.track_type === "drum";
  const name = track.name || (drum ? "Drums" : `Track ${number + 1}`);
  return { number, drum, program: track.instrument, name, notes, ...shapeOf(notes, drum) };
}

const makeNote = (note, index, bars, resolution) => ({
  pitch: note.pitch,
  velocity: note.velocity,
  start: bars[index].start + note.onset_ticks / resolution,
  length: note.duration_ticks / resolution,
  bar: index,
  sixteenth: Math.floor((8 * note.onset_ticks + resolution) / (2 * resolution)), // of its bar, the nearest
});

/** What drawing needs to know of the notes of a track. */
function shapeOf(notes, drum) {
  const pitches = notes.map((note) => note.pitch);
  return {
    rows: drum ? [...new Set(pitches)].sort((low, high) => high - low) : [],
    low: pitches.length ? pitches.reduce((a, b) => Math.min(a, b)) : 55,
    high: pitches.length ? pitches.reduce((a, b) => Math.max(a, b)) : 67,
    longest: notes.reduce((most, note) => Math.max(most, note.length), 0),
  };
}

/** Tempo changes of a .mid file as [{at, micros, seconds}], the first at 0; `first` where the file has none we can read. */
export function readTempos(bytes, first = DEFAULT_TEMPO) {
  const found = [];
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const division = view.getUint16(12);
    let at = 8 + view.getUint32(4);
    while (!(division & 0x8000) && at + 8 <= bytes.length) {
      const end = Math.min(bytes.length, at + 8 + view.getUint32(at + 4));
      tempoEvents(bytes, at + 8, end, (tick, micros) => found.push({ at: tick / division, micros }));
      at = end;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // a cut-off file: the server has read what there is
  }
  found.sort((one, other) => one.at - other.at);
  if (!found.length || found[0].at > 0) found.unshift({ at: 0, micros: found.length ? DEFAULT_TEMPO : first });
  let seconds = 0;
  found.forEach((tempo, index) => {
    const before = found[index - 1];
    if (before) seconds += ((tempo.at - before.at) * before.micros) / 1e6;
    tempo.seconds = seconds;
  });
  return found;
}

/** Call `tell(tick, micros)` for every Set Tempo event of one track chunk. */
function tempoEvents(bytes, start, end, tell) {
  let at = start;
  let tick = 0;
  let running = 0;
  const number = () => {
    let value = 0;
    for (let i = 0; i < 4 && at < end; i++) {
      const byte = bytes[at++];
      value = (value << 7) | (byte & 0x7f);
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < end) {
    tick += number();
    const status = bytes[at] >= 0x80 ? bytes[at++] : running;
    if (status < 0x80) return;
    if (status === 0xff || status === 0xf0 || status === 0xf7) {
      const kind = status === 0xff ? bytes[at++] : 0;
      const size = number();
      if (kind === 0x51 && size === 3) tell(tick, (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2]);
      at += size;
    } else {
      running = status;
      at += status >= 0xc0 && status < 0xe0 ? 1 : 2;
    }
  }
}

/** What makes two notes the same one, as in the server's `distance`: track, bar, sixteenth and pitch. */
export const keyOf = (track, note) => `${track}:${note.bar}:${note.sixteenth}:${note.pitch}`;

/** The keys of the notes in these cells ("track:bar"). */
export const keysIn = (song, cells) => new Set(notesIn(song, cells).map(([track, note]) => keyOf(track, note)));

/** The notes in these cells, each as [track, note]. */
export function notesIn(song, cells) {
  const there = new Set(cells);
  return song.tracks.flatMap(({ number, notes }) => notes.filter((note) => there.has(`${number}:${note.bar}`)).map((note) => [number, note]));
}

/** The moment of a position, in seconds. */
export function secondsAt(song, position) {
  const tempo = lastBefore(song.tempos, (row) => row.at <= position);
  return tempo.seconds + ((position - tempo.at) * tempo.micros) / 1e6;
}

/** The position at a moment. */
export function positionAt(song, seconds) {
  const tempo = lastBefore(song.tempos, (row) => row.seconds <= seconds);
  return tempo.at + ((seconds - tempo.seconds) * 1e6) / tempo.micros;
}

/** The bar that a position lies in; the first or last one beyond the ends. */
export function barAt(song, position) {
  let low = 0;
  let high = song.bars.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (song.bars[middle].start <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The index of the first note that begins at or after a position. */
export function firstNote(notes, position) {
  let low = 0;
  let high = notes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (notes[middle].start < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lastBefore(rows, holds) {
  let found = rows[0];
  for (const row of rows) {
    if (!holds(row)) break;
    found = row;
  }
  return found;
}
