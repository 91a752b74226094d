// What the page tells the user: a sentence over the song.

import { ServerError } from "./api.js";
import { CommandError } from "./command.js";

const box = document.getElementById("message");

export function say(text, bad = false) {
  if (!box.hidden && box.textContent === text) return; // else a screen reader says it again
  box.hidden = !text;
  box.className = bad ? "bad" : "";
  box.textContent = text;
}

/** Show a failure as a sentence; what is no failure of server or file is a fault of ours and goes on. */
export function fail(error) {
  if (!(error instanceof ServerError || error instanceof CommandError)) throw error;
  say(error.message, true);
}
