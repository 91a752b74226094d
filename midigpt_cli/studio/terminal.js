// The request on the screen as a command to copy, and a pasted command as a request on the screen.

import { add } from "./adding.js";
import { commandOf, fieldsOf } from "./command.js";
import { fail, say } from "./message.js";

const OWN = ["bars", "track", "region", "add_bars", "add_track", "preset"]; // fields that are no controls

export async function copyCommand(studio) {
  if (!studio.project || studio.selection.empty) return;
  const line = commandOf(studio.project.fileName, studio.fields, studio.seed);
  try {
    await navigator.clipboard.writeText(line);
    say(`Copied: ${line}`);
  } catch {
    say(line); // no clipboard here: to be copied by hand
  }
}

/** Ask for what a command asks for: its bars and tracks, and its options. */
export function pasteCommand(studio, line) {
  const { asking, selection } = studio;
  try {
    const fields = fieldsOf(line, asking.known, asking.flags);
    const of = (name) => fields.filter(([field]) => field === name).map(([, value]) => value);
    add(studio, (additions) => {
      additions.bars = Number(of("add_bars").at(-1) ?? 0);
      additions.tracks = of("add_track");
    });
    const preset = of("preset").flatMap((name) => asking.usePreset(name));
    asking.put([...preset, ...fields.filter(([field]) => !OWN.includes(field))]);
    selection.read({ bars: of("bars").at(-1), tracks: of("track"), regions: of("region") }, studio.base);
    say("");
  } catch (error) {
    fail(error);
  }
  studio.showSelection();
  studio.roll.draw();
}
