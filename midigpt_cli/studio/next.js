// What is likely to be done next stands out: write, keep or download.

const NO_TAKES = "Takes appear here as they are finished.";
const KEPT = "Kept. Choose other bars to go on, write these again, or download the song.";

export function showNext({ selection, takes, project }, find) {
  const some = takes.list.length > 0;
  const again = selection.is(some ? takes.cells : project.now.cells);
  const latest = project.at > 0 && project.at === project.versions.length - 1;
  const kept = latest && !some && (again || selection.empty);
  find("write").classList.toggle("main", !again);
  find("write").firstChild.data = again ? "Write again " : "Write ";
  find("download").classList.toggle("main", kept);
  find("no-takes").textContent = kept ? KEPT : NO_TAKES;
}
