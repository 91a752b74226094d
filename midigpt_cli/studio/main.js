// Connects the page to the studio: buttons, keys, dropped files, theme, the song of before a reload or of the command.

import { add } from "./adding.js";
import { onKeyNeeded, openedSong } from "./api.js";
import { download } from "./downloads.js";
import { fail } from "./message.js";
import { askForKey, preferredTheme } from "./page.js";
import { element, showRecent } from "./panel.js";
import { Project } from "./project.js";
import { ofThisTab, recent } from "./store.js";
import { Studio } from "./studio.js";
import { copyCommand, pasteCommand } from "./terminal.js";

const find = (id) => document.getElementById(id);

onKeyNeeded(askForKey);

theme(preferredTheme());
const studio = new Studio();

function theme(name) {
  document.documentElement.dataset.theme = name;
}

const ACTIONS = {
  play: () => studio.transport.playOrStop(),
  loop: () => studio.base && studio.transport.toggleLoop(),
  undo: () => studio.go(studio.project ? studio.project.at - 1 : -1),
  redo: () => studio.go(studio.project ? studio.project.at + 1 : -1),
  download: () => download(studio),
  "download-wav": () => download(studio, "wav"),
  "download-png": () => download(studio, "png"),
  copy: () => copyCommand(studio),
  paste: () => studio.base && find("paste-dialog").showModal(),
  region: () => studio.holdSelection(),
  "add-bars": () => add(studio, (additions) => (additions.bars += 4)),
  "add-none": () => add(studio, (additions) => additions.clear()),
  hear: () => studio.transport.hear(studio.takes.bars),
  keep: () => studio.keep(),
  bolder: () => studio.bolder.ask(),
  "as-before": () => studio.bolder.drop(),
  stop: () => studio.cancel(),
  "zoom-in": () => studio.base && studio.roll.zoom(1.4),
  "zoom-out": () => studio.base && studio.roll.zoom(1 / 1.4),
  taller: () => tall(),
  "help-open": () => find("help").showModal(),
  theme: () => {
    const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    theme(other);
    localStorage.setItem("midigpt-theme", other);
    studio.roll.readTheme();
  },
};
for (const [id, act] of Object.entries(ACTIONS)) find(id).addEventListener("click", act);
find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  studio.write();
});

find("preset").addEventListener("change", (event) => studio.asking.usePreset(event.target.value));
find("add-track").addEventListener("change", (event) => {
  const name = event.target.value;
  event.target.value = "";
  if (name) add(studio, (additions) => additions.tracks.push(name));
});
find("paste-dialog").addEventListener("close", (event) => {
  if (event.target.returnValue === "ok") pasteCommand(studio, find("command").value);
});

function tall() {
  const { roll, base } = studio;
  if (!base) return;
  roll.tall = roll.tall >= 2 ? 0.75 : roll.tall * 1.35;
  roll.layout();
  studio.takes.showHeads();
}

// ---- keys: [what is shown, what it does, whether it is this key, action] ----

const KEYS = [
  ["Arrow keys", "move on the roll; with Shift, choose bars"],
  ["Ctrl and wheel, + and −", "zoom", (key) => key === "+" || key === "=" || key === "-", (key) => ACTIONS[key === "-" ? "zoom-out" : "zoom-in"]()],
  ["A", "add other bars to the selection; Ctrl and drag with the mouse", (key) => key === "a", () => studio.holdSelection()],
  ["W", "write the chosen bars anew", (key) => key === "w", () => studio.write()],
  ["Space", "play or stop", (key) => key === " ", () => studio.transport.playOrStop()],
  ["L", "loop the chosen bars", (key) => key === "l", () => studio.base && studio.transport.toggleLoop()],
  ["1 to 9", "switch to that take; the music plays on", (key) => key >= "1" && key <= "9" && key.length === 1, (key) => studio.takes.choose(Number(key) - 1)],
  ["0 or O", "switch to the song as it was, and back", (key) => key === "o" || key === "0", () => studio.takes.compare()],
  ["K", "keep the take", (key) => key === "k", () => studio.keep()],
  ["Escape", "choose nothing", (key) => key === "escape", () => studio.base && studio.clear()],
  ["?", "this help", (key) => key === "?", ACTIONS["help-open"]],
];
const WITH_CONTROL = { z: ACTIONS.undo, y: ACTIONS.redo, s: ACTIONS.download };

for (const [keys, does] of [...KEYS, ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"], ["Ctrl+S", "download"]])
  find("keys").append(element("dt", {}, element("kbd", { textContent: keys })), element("dd", { textContent: does }));

document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const typing = event.target.closest?.("input:not([type=radio]), select, textarea, dialog");
  if (typing || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    const act = key === "z" && event.shiftKey ? ACTIONS.redo : WITH_CONTROL[key];
    if (act) {
      event.preventDefault();
      act();
    }
    return;
  }
  if (key === " " && event.target.closest?.("button, summary, label")) return; // Space presses what has the focus
  const row = KEYS.find((candidate) => candidate[2]?.(key));
  if (!row) return;
  event.preventDefault();
  row[3](key);
});

// ---- files ----

async function take(file) {
  if (file) await studio.open(file.name, new Uint8Array(await file.arrayBuffer()));
}

find("file").addEventListener("change", (event) => {
  take(event.target.files[0]);
  event.target.value = "";
});
for (const kind of ["dragenter", "dragover"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take(event.dataTransfer.files[0]);
});

find("scroller").addEventListener("scroll", () => {
  find("tracks").style.transform = `translateY(${-find("scroller").scrollTop}px)`;
});

async function resume(song) {
  try {
    await studio.use(new Project(song));
  } catch (error) {
    fail(error);
  }
}

/** The song that the server was started with, or a choice of those of before. */
async function begin() {
  showRecent(find("recent"), await recent(), resume);
  try {
    const song = await openedSong();
    if (song) await studio.open(...song);
  } catch (error) {
    fail(error);
  }
}

await studio.ready;
const mine = await ofThisTab();
if (mine) await resume(mine);
else await begin();
document.documentElement.dataset.ready = "yes";
