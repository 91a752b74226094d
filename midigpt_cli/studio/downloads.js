// Gives the user files: the song in use, as MIDI, sound or picture; and lets no work go without a question.

import * as api from "./api.js";
import { choose } from "./choice.js";
import { fail, say } from "./message.js";
import { save } from "./store.js";

const KEPT = 10000; // milliseconds until the browser has surely taken the file

function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}

/** Download the song in use; false where the user would rather not, or it failed. */
export async function download(studio, format = "mid") {
  if (!studio.project || !(await keepFirst(studio))) return false;
  const { project } = studio;
  const name = project.fileName.replace(/mid$/, format);
  try {
    offer(await fileOf(project, format), name);
  } catch (error) {
    fail(error);
    return false;
  }
  say(`Downloaded ${name}.`, "brief");
  if (format === "mid") {
    project.now.downloaded = true;
    await save(project.plain());
  }
  return true;
}

/** The song as it is, or as the server plays or draws it; in a picture, the bars written last are lit. */
function fileOf({ name, now: { bytes, cells } }, format) {
  if (format === "mid") return new Blob([bytes], { type: "audio/midi" });
  say(`Making the .${format} …`);
  const places = cells.map((cell) => cell.split(":").map((number) => Number(number) + 1).join(":"));
  const highlight = ["png", "svg", "pdf"].includes(format) ? places : [];
  return api.rendered(name, bytes, format, highlight);
}

/** A take that is shown but not kept is in no download: offer to keep it. */
async function keepFirst(studio) {
  const { now } = studio.takes;
  if (!now) return true;
  const answer = await choose(`Take ${now.number + 1} is not kept`, "Keep and download", "Download without it");
  if (answer === "yes") await studio.keep();
  return answer !== "";
}

/** Whether another song may take this one's place; where changes are not downloaded, the user says. */
export async function mayLeave(studio) {
  const { project } = studio;
  if (!project?.changed) return true;
  const answer = await choose(`${project.name} has changes that are not downloaded`, "Download and open", "Open without");
  return answer === "yes" ? download(studio) : answer === "no";
}
