// One request from start to end: a job on the server, its takes fetched as they are finished.

import * as api from "./api.js";
import { makeSong } from "./song.js";

const LOOK = 300; // milliseconds between two questions
const PATIENCE = 20; // questions that may fail in a row before the server counts as gone

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const stopped = (why) => api.sentence(`The server stopped before all takes were finished: ${why ?? "it did not say why"}`);

/** A job under way. `told.progress(share)`, `told.notes(frame)` and `told.take(take)` are called as it goes. */
export class Writer {
  constructor(told) {
    this.told = told;
    this.id = null;
    this.stopped = false;
    this.seen = new Set();
    this.fetching = Promise.resolve(); // takes on their way
  }

  /** Resolves to the ended job. */
  async run(name, bytes, fields) {
    const started = await api.startJob(name, bytes, fields);
    this.id = started.id;
    if (this.stopped) await api.stopJob(this.id);
    const ended = (await this.follow()) ?? (await this.untilEnded());
    await this.fetching;
    await this.takesOf(ended);
    if (ended.status === "failed") throw new api.ServerError(api.sentence(ended.error?.detail ?? "Nothing was written"));
    if (ended.status === "cancelled" && !this.stopped) throw new api.ServerError(stopped(ended.error?.detail));
    return ended;
  }

  /** Follow the job while it is written; the ended job, or nothing where the connection broke before. */
  async follow() {
    let ended = null;
    try {
      await api.followJob(this.id, (frame) => {
        if (frame.type === "ended") ended = frame.job;
        else this.heard(frame);
      });
    } catch (error) {
      if (error.status) throw error; // else a connection that broke: what it missed can be asked for
    }
    return ended;
  }

  heard(frame) {
    const { bars_done: done, bars_planned: planned } = frame.progress ?? {};
    if (planned) this.told.progress(done / planned);
    if (frame.type === "notes") this.told.notes(frame);
    if (frame.event === "take") this.fetching = this.fetching.then(() => this.fetchReady());
  }

  /** Fetch what is finished; what fails is fetched at the end. */
  async fetchReady() {
    try {
      await this.takesOf(await this.look());
    } catch (error) {
      if (!(error instanceof api.ServerError)) throw error;
    }
  }

  async untilEnded() {
    for (;;) {
      const job = await this.look();
      await this.takesOf(job);
      if (!["queued", "running"].includes(job.status)) return job;
      await pause(LOOK);
    }
  }

  /** How the job is doing; a server that is silent for a moment is asked again. */
  async look() {
    for (let tries = 1; ; tries++) {
      try {
        return await api.job(this.id);
      } catch (error) {
        if (error.status || tries >= PATIENCE) throw error;
        await pause(LOOK);
      }
    }
  }

  async takesOf(job) {
    for (const result of job.results.filter((row) => !this.seen.has(row.take) && !row.error)) {
      const bytes = await api.takeFile(this.id, result.take);
      const score = await api.scoreOf(bytes);
      this.seen.add(result.take);
      const { take: number, seed, consensus, distance, remarks } = result;
      this.told.take({ number, seed, consensus, distance, remarks, bytes, score, song: makeSong(score, bytes) });
    }
  }

  async stop() {
    this.stopped = true;
    if (this.id) await api.stopJob(this.id);
  }
}
