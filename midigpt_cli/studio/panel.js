// What the page shows beside the roll: tracks, history, songs of before.

import { drumName, instrumentOf } from "./names.js";
import { HEAD, rowsOf } from "./painting.js";

const LEGIBLE = 9; // pixels

export const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

function toggle(text, label, pressed, act) {
  const button = element("button", { textContent: text, title: label, onclick: act });
  button.setAttribute("aria-label", label);
  button.setAttribute("aria-pressed", String(pressed));
  return button;
}

/** The heads of the lanes: name, mute and solo, instrument. */
export function showTracks(list, song, lanes, player, changed) {
  const flip = (set, number) => () => {
    if (!set.delete(number)) set.add(number);
    changed(number);
  };
  list.style.paddingTop = `${HEAD}px`;
  list.replaceChildren(
    ...song.tracks.map((track) => {
      const { number } = track;
      const name = element("span", { className: "name", textContent: `${number + 1} ${track.name}` });
      const buttons = element(
        "span",
        { className: "buttons" },
        toggle("M", `Mute ${track.name}`, player.muted.has(number), flip(player.muted, number)),
        toggle("S", `Solo ${track.name}`, player.solo.has(number), flip(player.solo, number)),
      );
      const instrument = instrumentOf(track);
      const whole = instrument === track.name ? track.name : `${track.name}: ${instrument}`;
      if (instrument !== track.name) buttons.append(element("span", { className: "kind", textContent: instrument }));
      const head = element("li", { title: whole }, name, buttons);
      head.setAttribute("aria-label", `Track ${number + 1}, ${whole}`);
      if (track.drum) head.append(...soundNames(track, lanes[number].height));
      head.style.height = `${lanes[number].height}px`;
      head.style.borderLeftColor = `var(--track-${number % 8})`;
      return head;
    }),
  );
}

/** The names of the drum sounds, each beside its row, where the rows are high enough to be read. */
function soundNames(track, height) {
  const row = rowsOf(track, height);
  if (row.size < LEGIBLE) return [];
  return track.rows.map((pitch) => {
    const name = element("span", { className: "sound", textContent: drumName(pitch) });
    name.style.top = `${row.at(pitch) + row.size / 2}px`;
    return name;
  });
}

/** The versions of the song; a click goes to one. */
export function showHistory(list, project, go) {
  list.replaceChildren(
    ...project.versions.map((version, index) => {
      const button = element("button", { textContent: version.label, onclick: () => go(index) });
      if (index === project.at) button.setAttribute("aria-current", "step");
      return element("li", {}, button);
    }),
  );
}

/** The songs that were open before. */
export function showRecent(box, songs, open) {
  if (!songs.length) return;
  const rows = songs.slice(0, 6).map((song) =>
    element("li", {}, element("button", { textContent: `${song.name} (${song.versions.length - 1} kept)`, onclick: () => open(song) })),
  );
  box.replaceChildren(element("p", { textContent: "Or go on with:" }), element("ul", {}, ...rows));
}
