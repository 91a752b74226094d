// Turns a recording into a song: the server listens to it.

import * as api from "./api.js";

const LOOK = 300; // milliseconds between two questions

export const isRecording = (name) => /\.(wav|mp3|flac|ogg)$/i.test(name);
export const midiNameOf = (name) => name.replace(/\.\w+$/, ".mid");

/** The .mid file of a recording; `tell` is called with the share that is done, 0 to 1. */
export async function heardIn(name, bytes, tell) {
  const { task_id: id } = await api.startListening(name, bytes);
  for (;;) {
    const job = await api.job(id);
    if (job.status === "succeeded") return api.takeFile(id, 0);
    if (job.status !== "queued" && job.status !== "running")
      throw new api.ServerError(api.sentence(job.error?.detail ?? "The server stopped listening"), 422);
    tell(job.progress.steps ? job.progress.step / job.progress.steps : 0);
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}
