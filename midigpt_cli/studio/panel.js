// What the page shows beside the roll: tracks, takes, history.

import { drumName, familyOf } from "./names.js";
import { HEAD, rowsOf } from "./roll.js";

const LEGIBLE = 9; // pixels

const element = (tag, properties = {}, ...children) => {
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

/** The heads of the lanes: name, family, mute and solo. */
export function showTracks(list, song, lanes, player, changed) {
  const flip = (set, number) => () => {
    if (!set.delete(number)) set.add(number);
    changed(number);
  };
  list.style.paddingTop = `${HEAD}px`;
  list.replaceChildren(
    ...song.tracks.map((track) => {
      const { number } = track;
      const name = element("span", { className: "name", textContent: `${number + 1} ${track.name}`, title: track.name });
      const buttons = element(
        "span",
        { className: "buttons" },
        toggle("M", `Mute ${track.name}`, player.muted.has(number), flip(player.muted, number)),
        toggle("S", `Solo ${track.name}`, player.solo.has(number), flip(player.solo, number)),
      );
      const head = element("li", {}, name, element("span", { className: "kind", textContent: familyOf(track) }), buttons);
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

/** One radio button per take, and one for the song as it is. */
export function showTakes(box, { list, heard, best }, choose) {
  const row = (index, title, note) => {
    const input = element("input", { type: "radio", name: "take", value: String(index), checked: index === heard });
    input.addEventListener("change", () => choose(index));
    return element("label", { className: "take" }, input, element("span", { textContent: title }), element("small", { textContent: note }));
  };
  const focused = document.activeElement?.name === "take";
  const rows = list.map((take, index) => {
    const { fresh, fit } = take.change;
    const facts = [`${fresh} new note${fresh === 1 ? "" : "s"}`, `seed ${take.seed}`];
    if (fit !== null) facts.push(`${Math.round(fit * 100)} % chord tones`);
    if (list.length > 1) facts.push(`agreement ${take.consensus.toFixed(2)}`);
    return row(index, `Take ${take.number + 1}${take === best && list.length > 1 ? " · best" : ""}`, facts.join(" · "));
  });
  box.replaceChildren(...(list.length ? [row(-1, "As it was", "0 or O key"), ...rows] : []));
  if (focused) box.querySelector("input:checked")?.focus();
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
