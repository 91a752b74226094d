// One request from start to end: a job on the server, its takes fetched as they are finished.

import * as api from "./api.js";
import { makeSong } from "./song.js";

const LOOK = 150; // milliseconds between two questions
const PATIENCE = 40; // questions that may fail in a row before the server counts as gone

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A job under way. `told.progress(share)` and `told.take(take)` are called as it goes; `done` resolves to the job. */
export class Writer {
  constructor(told) {
    this.told = told;
    this.id = null;
    this.stopped = false;
  }

  async run(name, bytes, fields) {
    const started = await api.startJob(name, bytes, fields);
    this.id = started.id;
    if (this.stopped) await api.stopJob(this.id);
    const seen = new Set();
    for (;;) {
      const job = await this.look();
      this.told.progress(job.progress.bars_planned ? job.progress.bars_done / job.progress.bars_planned : 0);
      for (const result of job.results.filter((row) => !seen.has(row.take) && !row.error)) {
        seen.add(result.take);
        await this.fetch(result);
      }
      if (job.status === "failed") throw new api.ServerError(api.sentence(job.error?.detail ?? "Nothing was written"));
      if (job.status === "succeeded" || job.status === "cancelled") return job;
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

  async fetch(result) {
    const bytes = await api.takeFile(this.id, result.take);
    const song = makeSong(await api.scoreOf(bytes), bytes);
    this.told.take({ number: result.take, seed: result.seed, consensus: result.consensus, bytes, song });
  }

  async stop() {
    this.stopped = true;
    if (this.id) await api.stopJob(this.id);
  }
}
