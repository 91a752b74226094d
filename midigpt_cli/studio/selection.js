// Which bars of which tracks are chosen: one rectangle, or several regions.

import { CommandError } from "./command.js";

export class Selection {
  constructor() {
    this.clear();
  }

  clear() {
    this.cells = new Map(); // track -> its chosen bars, a Set
    this.release();
    this.anchor = null;
  }

  get empty() {
    return !this.cells.size;
  }

  has(track, bar) {
    return Boolean(this.cells.get(track)?.has(bar));
  }

  /** The rectangle between two cells [track, bar], beside what is held. */
  rectangle(from, to) {
    this.cells = copyOf(this.held ?? new Map());
    this.anchor = from;
    for (let track = Math.min(from[0], to[0]); track <= Math.max(from[0], to[0]); track++)
      for (let bar = Math.min(from[1], to[1]); bar <= Math.max(from[1], to[1]); bar++) this.add(track, bar);
  }

  add(track, bar) {
    if (!this.cells.has(track)) this.cells.set(track, new Set());
    this.cells.get(track).add(bar);
  }

  /** Keep what is chosen: the next rectangle is one more. */
  hold() {
    if (!this.empty) this.held = copyOf(this.cells);
    this.more = false;
  }

  /** The next rectangle is the only one. */
  release() {
    this.held = null; // what further rectangles are added to
    this.more = false; // whether one has been added
  }

  /** Whether what is chosen is held, and nothing was added to it yet. */
  get waiting() {
    return Boolean(this.held) && !this.more && keysOf(this.held).length === this.keys.length;
  }

  /** Whether these are the chosen cells. */
  is(keys) {
    const chosen = new Set(this.keys);
    return chosen.size > 0 && keys.length === chosen.size && keys.every((key) => chosen.has(key));
  }

  get barList() {
    return sorted(new Set([...this.cells.values()].flatMap((bars) => [...bars])));
  }

  /** What is written anew, as "track:bar". */
  get keys() {
    return keysOf(this.cells);
  }

  /** Choose these again. */
  put(keys) {
    this.clear();
    for (const key of keys) this.add(...key.split(":").map(Number));
    this.anchor = keys[0].split(":").map(Number);
  }

  /** What the song does not have is no longer chosen. */
  limitTo({ tracks, bars }) {
    const { keys } = this;
    const there = keys.filter((key) => {
      const [track, bar] = key.split(":").map(Number);
      return track < tracks.length && bar < bars.length;
    });
    if (there.length === keys.length) return;
    if (there.length) this.put(there);
    else this.clear();
  }

  /** The tracks that share the same bars, as [{bars, tracks}]: bars as the command line writes them, tracks from 0. */
  get groups() {
    const found = new Map();
    for (const track of sorted(this.cells.keys())) {
      const bars = textOf(this.cells.get(track));
      found.set(bars, [...(found.get(bars) ?? []), track]);
    }
    return [...found].map(([bars, tracks]) => ({ bars, tracks }));
  }

  /** Bars and tracks as [name, value] of the request: one group with bars and track, several as regions. */
  get fields() {
    const { groups } = this;
    if (groups.length === 1) return [["bars", groups[0].bars], ...groups[0].tracks.map((track) => ["track", `${track + 1}`])];
    return groups.flatMap(({ bars, tracks }) => tracks.map((track) => ["region", `${track + 1}/${bars}`]));
  }

  /** The same in words, with the tracks' names. */
  inWords(tracks) {
    const words = this.groups.map((group, index) => {
      const names = group.tracks.map((track) => tracks[track].name);
      const bars = `${/[-,]/.test(group.bars) ? "bars" : "bar"} ${group.bars}`;
      return `${index ? bars : bars.replace("b", "B")} of ${names.length > 4 ? `${names.length} tracks` : names.join(", ")}`;
    });
    return words.join("; ");
  }

  /** Choose what the bars, tracks and regions of a command mean in a song. Throws CommandError. */
  read({ bars, tracks, regions }, song) {
    this.clear();
    const all = song.tracks.map((track) => String(track.number + 1));
    const places = regions.map((region) => region.split(/\/(.*)/s));
    if (bars !== undefined || !regions.length) places.unshift(...(tracks.length ? tracks : all).map((track) => [track, bars ?? ""]));
    for (const [words, numbers = ""] of places)
      for (const track of tracksOf(words, song.tracks))
        for (const part of numbers.split(",")) for (const bar of barsOf(part.trim(), song.bars.length)) this.add(track, bar);
    const first = this.cells.keys().next().value;
    this.anchor = [first, Math.min(...this.cells.get(first))];
  }
}

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const keysOf = (cells) => [...cells].flatMap(([track, bars]) => [...bars].map((bar) => `${track}:${bar}`));
const copyOf = (cells) => new Map([...cells].map(([track, bars]) => [track, new Set(bars)]));

/** Bars as the command line writes them, from 1: 5-8,11. */
const textOf = (bars) =>
  ranges(sorted(bars))
    .map(([first, last]) => (first === last ? `${first + 1}` : `${first + 1}-${last + 1}`))
    .join(",");

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
