// Plays on a MIDI output of the browser, with the methods of the synthesiser.

const DRUMS = 9; // the channel of General MIDI drums, from 0
const MELODIC = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15];
const ALL_SOUND_OFF = 120;

export class MidiOut {
  constructor(port, context) {
    this.port = port;
    this.context = context;
    this.programs = new Map(); // by channel
  }

  play(track, note, time, seconds) {
    const channel = track.drum ? DRUMS : MELODIC[track.number % MELODIC.length];
    if (!track.drum && this.programs.get(channel) !== track.program) this.port.send([0xc0 | channel, track.program]);
    this.programs.set(channel, track.program);
    const at = performance.now() + (time - this.context.currentTime) * 1000;
    this.port.send([0x90 | channel, note.pitch, note.velocity], at);
    this.port.send([0x80 | channel, note.pitch, 0], at + seconds * 1000);
  }

  silence() {
    for (let channel = 0; channel < 16; channel++) this.port.send([0xb0 | channel, ALL_SOUND_OFF, 0]);
  }
}
