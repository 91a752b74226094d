// Which bars of which tracks are chosen: every chosen bar of every chosen track, as on the command line.

export class Selection {
  constructor() {
    this.clear();
  }

  clear() {
    this.bars = new Set();
    this.tracks = new Set();
    this.anchor = null;
  }

  get empty() {
    return !this.bars.size || !this.tracks.size;
  }

  has(track, bar) {
    return this.bars.has(bar) && this.tracks.has(track);
  }

  /** The rectangle between two cells [track, bar]; with `add`, on top of what is chosen. */
  rectangle(from, to, add = null) {
    this.bars = new Set(add?.bars);
    this.tracks = new Set(add?.tracks);
    for (let bar = Math.min(from[1], to[1]); bar <= Math.max(from[1], to[1]); bar++) this.bars.add(bar);
    for (let track = Math.min(from[0], to[0]); track <= Math.max(from[0], to[0]); track++) this.tracks.add(track);
    this.anchor = from;
  }

  toggleTrack(track) {
    if (!this.tracks.delete(track)) this.tracks.add(track);
  }

  copy() {
    const other = new Selection();
    other.bars = new Set(this.bars);
    other.tracks = new Set(this.tracks);
    other.anchor = this.anchor;
    return other;
  }

  get trackList() {
    return [...this.tracks].sort((a, b) => a - b);
  }

  get barList() {
    return [...this.bars].sort((a, b) => a - b);
  }

  /** The bars as the command line writes them, from 1: 5-8,11. */
  get barText() {
    return ranges(this.barList)
      .map(([first, last]) => (first === last ? `${first + 1}` : `${first + 1}-${last + 1}`))
      .join(",");
  }
}

/** Runs of neighbours in a sorted list, as [first, last]. */
export function ranges(numbers) {
  const found = [];
  for (const number of numbers) {
    const run = found.at(-1);
    if (run && run[1] === number - 1) run[1] = number;
    else found.push([number, number]);
  }
  return found;
}
