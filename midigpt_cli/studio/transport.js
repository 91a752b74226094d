// What is played: from where, which bars over and over, and where the music is.

import { say } from "./message.js";
import { barAt, secondsAt } from "./song.js";

export class Transport {
  /** `chosen` gives the bars that are chosen, in order. */
  constructor(player, roll, find, chosen) {
    Object.assign(this, { player, roll, find, chosen });
  }

  playOrStop() {
    if (this.player.playing) this.player.stop();
    else this.player.play();
  }

  /** Play these bars, with the bar before them, once; or stop that. */
  hear(bars) {
    const { player } = this;
    const stops = this.hearing;
    player.stop();
    if (stops) return;
    const { start, length } = player.song.bars[Math.max(...bars)];
    player.seek(player.song.bars[Math.max(0, Math.min(...bars) - 1)].start);
    player.play(start + length);
  }

  get hearing() {
    return this.player.playing && this.player.until !== null;
  }

  /** Go to where the chosen bars begin. */
  seekChosen() {
    this.player.seek(this.chosen()[0].start);
  }

  setLoop() {
    const bars = this.chosen();
    if (!bars.length) return say("Choose the bars to loop first.");
    this.player.loop = this.roll.loop = [bars[0].start, bars.at(-1).start + bars.at(-1).length];
    this.showLoop();
  }

  /** A loop beyond the end of the song goes. */
  limitTo({ end }) {
    if (this.player.loop?.[1] > end) this.dropLoop();
  }

  dropLoop() {
    this.player.loop = this.roll.loop = null;
    this.showLoop();
  }

  toggleLoop() {
    if (this.player.loop) this.dropLoop();
    else this.setLoop();
  }

  showLoop() {
    this.find("loop").setAttribute("aria-pressed", String(Boolean(this.player.loop)));
    this.roll.draw();
  }

  /** Where the music is: the clock, the button, the play-head. */
  show() {
    const { player, roll, find } = this;
    if (!player.song) return;
    const at = player.heardPosition();
    const bar = player.song.bars[barAt(player.song, at)];
    const beat = Math.floor(((at - bar.start) * bar.bottom) / 4) + 1;
    const seconds = Math.floor(secondsAt(player.song, at));
    find("clock").textContent = `${barAt(player.song, at) + 1}.${beat} · ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    find("play").textContent = player.playing ? "■ Stop" : "▶ Play";
    find("hear").textContent = this.hearing ? "■ Stop" : "▶ Hear it";
    roll.playhead = at;
    if (player.playing) roll.follow(at);
    roll.draw();
  }
}
