// Gives the user files: the song in use, as MIDI, sound or picture.

import * as api from "./api.js";

const KEPT = 10000; // milliseconds until the browser has surely taken the file

function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}

export function downloadMidi(project) {
  offer(new Blob([project.now.bytes], { type: "audio/midi" }), project.fileName);
}

/** The song as the server plays or draws it; in a picture, the bars written last are lit. Resolves to the file's name. */
export async function downloadRendered(project, format) {
  const { bytes, cells } = project.now;
  const places = cells.map((cell) => cell.split(":").map((number) => Number(number) + 1).join(":"));
  const highlight = ["png", "svg", "pdf"].includes(format) ? places : [];
  const name = project.fileName.replace(/mid$/, format);
  offer(await api.rendered(project.name, bytes, format, highlight), name);
  return name;
}
