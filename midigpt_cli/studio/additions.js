// Bars and tracks that the song is to get: shown empty, and written with the next request.

export class Additions {
  constructor() {
    this.clear();
  }

  clear() {
    this.bars = 0;
    this.tracks = []; // names of instruments
  }

  get empty() {
    return !this.bars && !this.tracks.length;
  }

  /** As [name, value] of the server's form. */
  get fields() {
    const bars = this.bars ? [["add_bars", String(this.bars)]] : [];
    return [...bars, ...this.tracks.map((name) => ["add_track", name])];
  }

  /** The score JSON with the empty bars and tracks; `instruments` are those the server knows, drums first. */
  added(score, instruments) {
    if (this.empty) return score;
    const longest = score.tracks.reduce((most, track) => (track.bars.length > most.length ? track.bars : most), []);
    const empty = (bar) => ({ ...bar, notes: [] });
    const more = Array.from({ length: this.bars }, () => empty(longest.at(-1)));
    const made = this.tracks.map((name) => ({
      name,
      track_type: name === instruments[0] ? "drum" : "melodic",
      instrument: Math.max(0, instruments.indexOf(name) - 1),
      bars: longest.map(empty),
    }));
    return { ...score, tracks: [...score.tracks, ...made].map((track) => ({ ...track, bars: [...track.bars, ...more] })) };
  }
}
