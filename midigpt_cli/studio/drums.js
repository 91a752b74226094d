// Drum sounds: a falling tone for skins, filtered noise for metal and snares.

// tone: [start, end] in Hz and its seconds; noise: [filter, Hz] and its seconds; each with a gain.
const KICK = { tone: [150, 46, 0.32, 1.3], noise: ["lowpass", 900, 0.02, 0.4] };
const SNARE = { tone: [230, 165, 0.12, 0.5], noise: ["highpass", 1400, 0.2, 0.7] };
const CLAP = { noise: ["bandpass", 1300, 0.18, 1.1] };
const STICK = { tone: [900, 500, 0.03, 0.5], noise: ["bandpass", 2400, 0.03, 0.6] };
const CLOSED = { noise: ["highpass", 7500, 0.06, 0.5] };
const OPEN = { noise: ["highpass", 6800, 0.38, 0.45] };
const RIDE = { tone: [3200, 3150, 0.2, 0.06], noise: ["highpass", 6200, 0.5, 0.26] };
const CRASH = { noise: ["highpass", 4200, 1.1, 0.5] };
const SHAKE = { noise: ["bandpass", 6500, 0.07, 0.5] };
const BELL = { tone: [830, 810, 0.22, 0.35] };
const BLOCK = { tone: [1300, 1250, 0.06, 0.5] };
const tom = (frequency) => ({ tone: [frequency * 1.5, frequency, 0.3, 0.9], noise: ["lowpass", 1200, 0.03, 0.2] });

const SOUNDS = {
  35: KICK, 36: KICK, 37: STICK, 38: SNARE, 39: CLAP, 40: SNARE, 41: tom(75), 42: CLOSED, 43: tom(88), 44: CLOSED,
  45: tom(105), 46: OPEN, 47: tom(125), 48: tom(145), 49: CRASH, 50: tom(170), 51: RIDE, 52: CRASH, 53: BELL,
  54: SHAKE, 55: CRASH, 56: BELL, 57: CRASH, 59: RIDE, 60: tom(330), 61: tom(240), 62: tom(280), 63: tom(220),
  64: tom(170), 65: tom(360), 66: tom(280), 67: BELL, 68: BELL, 69: SHAKE, 70: SHAKE, 75: BLOCK, 76: BLOCK,
  77: BLOCK, 80: BELL, 81: BELL, 82: SHAKE,
};

const noises = new WeakMap();

function noiseOf(context) {
  if (!noises.has(context)) {
    const buffer = context.createBuffer(1, context.sampleRate, context.sampleRate);
    const samples = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] = Math.random() * 2 - 1;
    noises.set(context, buffer);
  }
  return noises.get(context);
}

/** One drum hit at a time of the audio clock. */
export function hit(context, out, pitch, volume, time) {
  const { tone, noise } = SOUNDS[pitch] ?? STICK;
  const level = context.createGain();
  level.gain.setValueAtTime(volume, time);
  level.connect(out);
  const sources = [];
  if (noise) {
    const [kind, frequency, seconds, gain] = noise;
    const source = context.createBufferSource();
    const filter = context.createBiquadFilter();
    source.buffer = noiseOf(context);
    source.loop = true;
    filter.type = kind;
    filter.frequency.value = frequency;
    source.connect(filter).connect(dying(context, gain, time, seconds)).connect(level);
    source.start(time, Math.random() * 0.5);
    source.stop(time + seconds * 1.5);
    sources.push(source);
  }
  if (tone) {
    const [from, to, seconds, gain] = tone;
    const wave = context.createOscillator();
    wave.frequency.setValueAtTime(from, time);
    wave.frequency.exponentialRampToValueAtTime(to, time + seconds / 3);
    wave.connect(dying(context, gain, time, seconds)).connect(level);
    wave.start(time);
    wave.stop(time + seconds * 1.5);
    sources.push(wave);
  }
  return { level, sources };
}

function dying(context, gain, time, seconds) {
  const node = context.createGain();
  node.gain.setValueAtTime(gain, time);
  node.gain.setTargetAtTime(0, time + 0.002, seconds / 4);
  return node;
}
