// Which bars of which tracks are chosen: every chosen bar of every chosen track, as on the command line.

import { CommandError } from "./command.js";

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

  /** Choose what --bars and --track of a command mean in a song. Throws CommandError. */
  read(bars, tracks, song) {
    this.bars = new Set(bars.split(",").flatMap((part) => barsOf(part.trim(), song.bars.length)));
    const chosen = tracks.flatMap((text) => tracksOf(text, song.tracks));
    this.tracks = new Set(chosen.length ? chosen : song.tracks.map((track) => track.number));
    this.anchor = [this.trackList[0], this.barList[0]];
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

function barsOf(text, count) {
  const [, first, dash, last] = text.match(/^(\d+)?(-)?(\d+)?$/) ?? [];
  const from = text === "all" ? 1 : Number(first);
  const until = text === "all" || (dash && !last) ? count : Number(last ?? first);
  if (!(from >= 1 && from <= until && until <= count))
    throw new CommandError(`The page cannot choose the bars ${text || "(none)"}: it knows numbers from 1 to ${count}, as in 5-8,11.`);
  return Array.from({ length: until - from + 1 }, (_, i) => from - 1 + i);
}

function tracksOf(text, tracks) {
  const word = text.toLowerCase();
  const found = tracks.filter(
    ({ number, name, drum }) =>
      String(number + 1) === word || name.toLowerCase() === word || word === "all" || word === (drum ? "drums" : "melodic"),
  );
  const near = found.length ? found : tracks.filter(({ name }) => name.toLowerCase().includes(word));
  if (near.length) return near.map(({ number }) => number);
  if (text.includes(",")) return text.split(",").flatMap((part) => tracksOf(part.trim(), tracks));
  throw new CommandError(`The song has no track ${text}.`);
}
