// What is asked for: the form, filled by hand, from a preset or from a pasted command.

import * as api from "./api.js";
import { asked, buildControls, fill } from "./controls.js";

const PLAIN_PRESET = "none";

export class Asking {
  constructor(find) {
    this.find = find;
    this.form = find("ask");
    this.others = []; // [name, value] that no control can show
    this.instruments = [];
    this.flags = new Set(); // fields that are yes or no
  }

  /** Build the form from the server's own description. */
  async describe() {
    const [schema, info, models] = [await api.schema(), await api.info(), await api.models()];
    this.presets = (await api.presets()).presets;
    const rows = schema.paths["/jobs"].post.requestBody.content["multipart/form-data"].schema.properties;
    this.known = new Set(Object.keys(rows));
    this.flags = new Set([...this.known].filter((name) => rows[name].type === "boolean"));
    this.instruments = rows.add_track.items.examples;
    api.useLabels(Object.fromEntries(Object.entries(rows).map(([name, { title }]) => [name, title])));
    for (const box of ["first", "more"]) this.find(box).replaceChildren();
    buildControls({ schema, info, models }, this.find("first"), this.find("more"));
    const choices = [PLAIN_PRESET, ...Object.keys(this.presets)].map((name) => new Option(name, name));
    this.find("preset").replaceChildren(...choices);
    this.described = true;
  }

  /** All that is asked for, as [name, value] of the server's form. */
  get fields() {
    return [...asked(this.form), ...this.others];
  }

  /** Ask for these fields, and for nothing else. */
  put(fields) {
    this.others = fill(this.form, fields);
    const rest = this.others.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
    this.find("others").textContent = rest.length ? `Also: ${rest.join(", ")}` : "";
    this.find("others").hidden = !rest.length;
  }

  usePreset(name) {
    const options = this.presets[name] ?? {};
    const fields = Object.entries(options).flatMap(([field, value]) => [value].flat().map((one) => [field, String(one)]));
    this.put(fields);
    return fields;
  }
}
