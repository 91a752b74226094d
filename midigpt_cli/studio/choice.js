// Asks, before something would be lost, which of two ways to go on, or none.

const find = (id) => document.getElementById(id);

/** Ask; `yes` and `no` are the words of the two buttons. Resolves to "yes", "no", or "" where all is to stay as it is. */
export function choose(title, yes, no) {
  const dialog = find("choice");
  if (dialog.open) return ""; // one question at a time
  for (const [id, words] of Object.entries({ "choice-title": title, "choice-yes": yes, "choice-no": no })) find(id).textContent = words;
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    dialog.returnValue = "";
    dialog.showModal();
  });
}
