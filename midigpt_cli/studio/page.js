// What every page of the studio needs: the theme, and a dialog for the server's key.

export const preferredTheme = () =>
  localStorage.getItem("midigpt-theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

/** Ask for the key; `wrong` if the last one was not right. Resolves to what was typed. */
export function askForKey(wrong) {
  const find = (id) => document.getElementById(id);
  const dialog = find("key-dialog");
  if (wrong) find("key-title").textContent = "That key is not right";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? find("key").value : ""), { once: true });
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
  });
}
