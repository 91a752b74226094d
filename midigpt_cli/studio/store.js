// Songs with their history in the browser's own database, so that a reload loses nothing; a tab has a song of its own.

const KEPT = 12; // songs

function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("midigpt-studio", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("songs", { keyPath: "id" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function within(mode, work) {
  const open = await database();
  return new Promise((resolve, reject) => {
    const task = work(open.transaction("songs", mode).objectStore("songs"));
    task.onsuccess = () => resolve(task.result);
    task.onerror = () => reject(task.error);
  }).finally(() => open.close());
}

/** Keep {id, name, versions, at}; the oldest songs beyond KEPT make room. Where the browser keeps nothing, so be it. */
export async function save(project) {
  try {
    await within("readwrite", (songs) => songs.put({ ...project, when: Date.now() }));
    for (const old of (await recent()).slice(KEPT)) await within("readwrite", (songs) => songs.delete(old.id));
    sessionStorage.setItem("midigpt-song", project.id);
    return true;
  } catch {
    return false;
  }
}

/** All kept songs, the latest first. */
export async function recent() {
  try {
    return (await within("readonly", (songs) => songs.getAll())).sort((one, other) => other.when - one.when);
  } catch {
    return [];
  }
}

/** What was last kept of this song: one of the same name that began with the same bytes. */
export async function lastOf(name, bytes) {
  const same = ({ bytes: first }) => first.length === bytes.length && first.every((byte, at) => byte === bytes[at]);
  return (await recent()).find((song) => song.name === name && song.versions.length > 1 && same(song.versions[0])) ?? null;
}

/** The song this tab had open before a reload. */
export async function ofThisTab() {
  const id = sessionStorage.getItem("midigpt-song");
  return (await recent()).find((song) => song.id === id) ?? null;
}

export const newId = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
