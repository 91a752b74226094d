// The versions of a song, from the original on, with undo and redo.

import { newId } from "./store.js";

export class Project {
  constructor({ id = newId(), name, versions, at = 0 }) {
    this.id = id;
    this.name = name;
    this.versions = versions; // [{bytes, label, cells: ["track:bar"], fresh: keys of the notes that are new, downloaded: whether it was}]
    this.at = at;
  }

  static from(name, bytes) {
    return new Project({ name, versions: [{ bytes, label: "Original", cells: [], fresh: [] }] });
  }

  get now() {
    return this.versions[this.at];
  }

  /** Whether it has changes that are not downloaded. */
  get changed() {
    return this.at > 0 && !this.now.downloaded;
  }

  /** Add a version after the one in use; what was undone before is dropped. */
  keep(bytes, label, cells, fresh) {
    this.versions = [...this.versions.slice(0, this.at + 1), { bytes, label, cells, fresh }];
    this.at += 1;
  }

  go(index) {
    this.at = Math.max(0, Math.min(this.versions.length - 1, index));
  }

  /** The name a download gets. */
  get fileName() {
    const stem = this.name.replace(/\.midi?$/i, "");
    return this.at ? `${stem}.studio.mid` : `${stem}.mid`;
  }

  plain() {
    const { id, name, versions, at } = this;
    return { id, name, versions, at };
  }
}
