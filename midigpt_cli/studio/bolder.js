// Asks for takes that change more, by the settings that do so best (benchmarks/results/bolder.md).

const STEPS = [0.5, 0.7, 0.9]; // least distance of a take from what stood there
const OTHERS = [["echo", "0"]]; // what else is asked for: bars of the same track are not taken up
const percent = (share) => `${Math.round(share * 100)} %`;
const NAMES = new Set(["distance", ...OTHERS.map(([name]) => name)]);

export class Bolder {
  /** `write` writes anew, asking for what `asking` asks. */
  constructor(asking, takes, find, write) {
    Object.assign(this, { asking, takes, find, write });
    find("ask").addEventListener("input", () => this.show());
  }

  /** The least distance that is asked for now; 0 where none is. */
  get asked() {
    const [, text = ""] = this.asking.fields.find(([name]) => name === "distance") ?? [];
    return parseFloat(text) || 0;
  }

  /** Whether there are takes, and a server that can be asked for others. */
  get offered() {
    return this.takes.list.length > 0 && this.asking.known.has("distance");
  }

  /** The next step beyond the takes and beyond what was asked for; nothing where there is none. */
  get next() {
    const { list } = this.takes;
    if (!this.offered) return undefined;
    const now = Math.max(this.asked, list.reduce((sum, take) => sum + take.distance, 0) / list.length);
    return STEPS.find((step) => step > now);
  }

  /** Ask for takes that change more than these. */
  ask() {
    if (!this.next) return;
    const others = OTHERS.filter(([name]) => this.asking.known.has(name));
    this.asking.put([...this.rest, ["distance", `${this.next}..1`], ...others]);
    this.wanted = this.asked;
    this.write();
  }

  /** A take is kept: what these takes were asked for is done, unless the user has set it. */
  kept() {
    if (this.wanted && this.wanted === this.asked) this.drop();
    this.wanted = 0;
  }

  /** Ask as before. */
  drop() {
    this.asking.put(this.rest);
    this.show();
  }

  /** What is asked for beside how much is to change. */
  get rest() {
    return this.asking.fields.filter(([name]) => !NAMES.has(name));
  }

  show() {
    const { asked, next } = this;
    this.find("bolder").hidden = !this.offered;
    this.find("bolder").disabled = !next;
    const most = asked >= STEPS.at(-1) ? `There is no step beyond ${percent(asked)}, which is asked for already` : "Nearly all notes of these takes are new already";
    this.find("bolder").title = next ? `Write again, with about ${percent(next)} of the notes changed, or more` : most;
    this.find("asked-bolder").hidden = !asked;
    this.find("least-new").textContent = `Asked for: about ${percent(asked)} of the notes changed, or more.`;
  }
}
