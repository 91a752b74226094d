// The list of takes, and what is told of each: how much is new, how it fits, what a musician would remark on.

import { element } from "./panel.js";

const MOST_REMARKS = 2;

/** What the figures mean, for the help. */
export const MEANINGS = [
  ["% changed", "how much differs from what stood in the chosen bars: 0 % is the same, 100 % shares no note"],
  ["% on chord notes", "how long the new notes are ones that another track plays at that moment"],
  ["% like the other tries", "how many of its notes other tries have too; the take with the most is suggested"],
];

const percent = (share) => `${Math.round(share * 100)} %`;

/** The facts of a take, in words. `alone`: there is no other to compare it with. */
function factsOf(take, alone) {
  const { fresh, fit, empty } = take.change;
  const facts = [`${fresh} new note${fresh === 1 ? "" : "s"}`];
  if (!empty) facts.push(`${percent(take.distance)} changed`);
  if (fit !== null) facts.push(`${percent(fit)} on chord notes`);
  if (!alone) facts.push(`${percent(take.consensus)} like the other tries`);
  return facts.join(" · ");
}

/** Remarks on the voices, as the command line tells them; a few, and how many more. */
function remarksOf(take) {
  const words = take.remarks.slice(0, MOST_REMARKS).map(({ what, bar, tracks }) => {
    const names = tracks.map((track) => take.song.tracks[track]?.name ?? track + 1);
    return `${what} in bar ${bar + 1}, ${names.join(" and ")}`;
  });
  const more = take.remarks.length - MOST_REMARKS;
  return words.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

/** One radio button per take, and one for the song as it is. */
export function showTakes(box, { list, heard, best }, choose) {
  const row = (index, title, ...notes) => {
    const input = element("input", { type: "radio", name: "take", value: String(index), checked: index === heard });
    input.addEventListener("change", () => choose(index));
    const told = notes.filter(Boolean).map((textContent) => element("small", { textContent }));
    return element("label", { className: "take" }, input, element("span", { textContent: title }), ...told);
  };
  const focused = document.activeElement?.name === "take";
  const alone = list.length < 2;
  const rows = list.map((take, index) => {
    const made = row(index, `Take ${take.number + 1}${take === best && !alone ? " · suggested" : ""}`, factsOf(take, alone), remarksOf(take));
    made.title = `Seed ${take.seed}: asks for this take again`;
    return made;
  });
  box.replaceChildren(...(list.length ? [row(-1, "As it was", "0 or O key"), ...rows] : []));
  if (focused) box.querySelector("input:checked")?.focus();
}
