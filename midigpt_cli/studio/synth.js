// A small synthesiser: one recipe per family of General MIDI instruments, made of oscillators and a moving filter.

import { hit } from "./drums.js";

// waves: [kind, semitones away, gain]; attack, decay and release in seconds; sustain and gain from 0 to 1;
// filter: [at the start, later], as multiples of the note's frequency.
const FAMILIES = [
  { waves: [["triangle", 0, 0.8], ["sawtooth", 0.04, 0.25], ["sine", 12, 0.15]], attack: 0.003, decay: 1.6, sustain: 0, release: 0.25, filter: [9, 2.5], gain: 0.9 },
  { waves: [["sine", 0, 0.8], ["sine", 19, 0.25], ["sine", 28, 0.08]], attack: 0.001, decay: 1.1, sustain: 0, release: 0.5, gain: 0.8 },
  { waves: [["sine", 0, 0.5], ["sine", 12, 0.35], ["sine", 19, 0.22], ["sine", 24, 0.15]], attack: 0.008, decay: 0.1, sustain: 0.9, release: 0.06, gain: 0.6 },
  { waves: [["sawtooth", 0, 0.45], ["triangle", 0.03, 0.6]], attack: 0.002, decay: 0.9, sustain: 0, release: 0.15, filter: [10, 1.8], gain: 0.85 },
  { waves: [["sawtooth", 0, 0.4], ["sine", 0, 0.8]], attack: 0.004, decay: 0.9, sustain: 0.25, release: 0.07, filter: [8, 2], gain: 1.1 },
  { waves: [["sawtooth", 0.06, 0.4], ["sawtooth", -0.06, 0.4]], attack: 0.07, decay: 0.3, sustain: 0.8, release: 0.22, filter: [3, 5], gain: 0.5 },
  { waves: [["sawtooth", 0.09, 0.35], ["sawtooth", -0.09, 0.35], ["triangle", 0, 0.3]], attack: 0.1, decay: 0.3, sustain: 0.85, release: 0.35, filter: [2.5, 4], gain: 0.5 },
  { waves: [["sawtooth", 0, 0.6], ["sawtooth", 0.05, 0.3]], attack: 0.035, decay: 0.25, sustain: 0.75, release: 0.1, filter: [2, 6], gain: 0.55 },
  { waves: [["square", 0, 0.4], ["triangle", 0, 0.5]], attack: 0.03, decay: 0.2, sustain: 0.8, release: 0.09, filter: [3, 4.5], gain: 0.55 },
  { waves: [["sine", 0, 0.9], ["triangle", 12, 0.12]], attack: 0.045, decay: 0.2, sustain: 0.9, release: 0.12, gain: 0.7 },
  { waves: [["square", 0, 0.35], ["sawtooth", 0.07, 0.35]], attack: 0.006, decay: 0.2, sustain: 0.7, release: 0.1, filter: [9, 5], gain: 0.5 },
  { waves: [["sawtooth", 0.1, 0.3], ["triangle", -0.1, 0.5], ["sine", 12, 0.15]], attack: 0.25, decay: 0.5, sustain: 0.8, release: 0.6, filter: [1.8, 3.5], gain: 0.55 },
  { waves: [["triangle", 0, 0.6], ["sine", 7, 0.2]], attack: 0.15, decay: 0.5, sustain: 0.6, release: 0.6, gain: 0.5 },
  { waves: [["triangle", 0, 0.6], ["sawtooth", 0.03, 0.3]], attack: 0.003, decay: 0.7, sustain: 0.1, release: 0.15, filter: [9, 2], gain: 0.7 },
  { waves: [["sine", 0, 0.8], ["triangle", 17, 0.25]], attack: 0.001, decay: 0.5, sustain: 0, release: 0.3, gain: 0.8 },
  { waves: [["triangle", 0, 0.5]], attack: 0.02, decay: 0.5, sustain: 0.4, release: 0.3, gain: 0.5 },
];

const PANS = [0, -0.25, 0.25, -0.4, 0.4, -0.12, 0.12];

export class Synth {
  constructor() {
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.master = this.context.createGain();
    this.master.gain.value = 0.35;
    const limiter = this.context.createDynamicsCompressor();
    limiter.threshold.value = -10;
    limiter.ratio.value = 8;
    this.master.connect(limiter).connect(this.context.destination);
    this.strips = new Map();
    this.sounding = new Set();
  }

  get now() {
    return this.context.currentTime;
  }

  /** The volume of a track moves to 0 or 1 without a click. */
  open(track, heard) {
    this.strip(track).gain.setTargetAtTime(heard ? 1 : 0, this.now, 0.01);
  }

  strip(track) {
    if (!this.strips.has(track)) {
      const gain = this.context.createGain();
      const pan = this.context.createStereoPanner();
      pan.pan.value = PANS[track % PANS.length];
      gain.connect(pan).connect(this.master);
      this.strips.set(track, gain);
    }
    return this.strips.get(track);
  }

  /** Sound a note at a time of the audio clock, for some seconds. */
  play(track, note, time, seconds) {
    const out = this.strip(track.number);
    const volume = (note.velocity / 127) ** 1.5;
    const voice = track.drum
      ? hit(this.context, out, note.pitch, volume, time)
      : this.tone(out, FAMILIES[track.program >> 3], note.pitch, volume, time, seconds);
    this.sounding.add(voice);
    voice.sources[0].onended = () => this.sounding.delete(voice);
  }

  tone(out, recipe, pitch, volume, time, seconds) {
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const level = this.context.createGain();
    const end = envelope(level.gain, recipe, volume * recipe.gain, time, seconds);
    let into = level;
    if (recipe.filter) {
      into = this.context.createBiquadFilter();
      into.type = "lowpass";
      const [first, later] = recipe.filter.map((times) => Math.min(16000, times * frequency * (0.6 + 0.6 * volume)));
      into.frequency.setValueAtTime(first, time);
      into.frequency.setTargetAtTime(later, time, Math.max(0.04, recipe.attack * 1.5));
      into.connect(level);
    }
    level.connect(out);
    const sources = recipe.waves.map(([kind, away, gain]) => {
      const wave = this.context.createOscillator();
      const share = this.context.createGain();
      wave.type = kind;
      wave.frequency.value = frequency * 2 ** (away / 12);
      share.gain.value = gain;
      wave.connect(share).connect(into);
      wave.start(time);
      wave.stop(end);
      return wave;
    });
    return { level, sources };
  }

  /** End every note that sounds or is to sound. */
  silence() {
    for (const { level, sources } of this.sounding) {
      level.gain.cancelScheduledValues(this.now);
      level.gain.setTargetAtTime(0, this.now, 0.012);
      for (const source of sources) source.stop(this.now + 0.08);
    }
    this.sounding.clear();
  }
}

/** Attack, decay, sustain, release; the time at which the note has died away. */
function envelope(gain, { attack, decay, sustain, release }, peak, time, seconds) {
  const off = time + Math.max(seconds, attack + 0.02);
  gain.setValueAtTime(0, time);
  gain.linearRampToValueAtTime(peak, time + attack);
  gain.setTargetAtTime(peak * sustain, time + attack, decay / 3);
  gain.setTargetAtTime(0, off, release / 3);
  return off + release * 1.6;
}
