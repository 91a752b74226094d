// The list of takes, and what is told of each: how much is new, why one is suggested, what a musician would remark on.

import { element } from "./panel.js";

const MOST_REMARKS = 2;
const SUGGESTED = "suggested: has most in common with the other tries";

const percent = (share) => `${Math.round(share * 100)} %`;
const counted = (count) => `${count} note${count === 1 ? "" : "s"}`;

/** What a take changed, in a line. */
function changeIn({ notes, fresh, stood }) {
  if (!notes) return "no notes";
  if (!stood) return `${counted(notes)}, all new`;
  const more = notes - stood;
  const than = more ? `, ${Math.abs(more)} ${more > 0 ? "more" : "fewer"} than before` : "";
  return `${fresh} of ${counted(notes)} new${than}`;
}

/** What else can be told of a take, in sentences. `alone`: there is no other to compare it with. */
function sentencesOf({ change, consensus, seed }, alone) {
  const { fresh, stood, left, fit } = change;
  const told = [];
  if (stood) told.push(`Before, there were ${counted(stood)}; ${left === stood ? "all" : left || "none"} of them ${left === 1 ? "is" : "are"} still there.`);
  if (fresh && fit !== null) told.push(`For ${percent(fit)} of their length, the new notes double a note (in any octave) that another track plays at that moment.`);
  if (!alone) told.push(`It has ${percent(Math.max(0, consensus))} of its notes in common with the other tries at these bars, shown or not.`);
  return [...told, `Seed ${seed} asks for this take again.`];
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

/** The sentences about the take that is heard. */
export function showSentences(list, take, alone) {
  const told = take ? sentencesOf(take, alone) : [];
  list.replaceChildren(...told.map((textContent) => element("li", { textContent })));
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
  const rows = list.map((take, index) =>
    row(index, `Take ${take.number + 1}`, changeIn(take.change), take === best && !alone ? SUGGESTED : "", remarksOf(take)),
  );
  box.replaceChildren(...(list.length ? [row(-1, "As it was", "0 or O key"), ...rows] : []));
  if (focused) box.querySelector("input:checked")?.focus();
}
