// What the page tells the user: a sentence over the top of the song, which moves nothing.

import { ServerError } from "./api.js";
import { CommandError } from "./command.js";

const BRIEF = 10000; // milliseconds

const [toast, box] = ["toast", "message"].map((id) => document.getElementById(id));
document.getElementById("dismiss").addEventListener("click", () => say(""));
let timer = 0;

/** Show a sentence, or none. `kind`: bad, or brief for one that goes by itself. */
export function say(text, kind = "") {
  clearTimeout(timer);
  if (kind === "brief") timer = setTimeout(() => say(""), BRIEF);
  if (!toast.hidden && box.textContent === text) return; // else a screen reader says it again
  toast.hidden = !text;
  box.className = kind;
  box.textContent = text;
}

/** Show a failure as a sentence; what is no failure of server or file is a fault of ours and goes on. */
export function fail(error) {
  if (!(error instanceof ServerError || error instanceof CommandError)) throw error;
  say(error.message, "bad");
}
