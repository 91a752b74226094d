// Names of the General MIDI drum sounds, of pitches, and of the families of instruments.

const DRUMS = {
  35: "Kick 2", 36: "Kick", 37: "Side stick", 38: "Snare", 39: "Clap", 40: "Snare 2", 41: "Floor tom 2",
  42: "Closed hat", 43: "Floor tom", 44: "Pedal hat", 45: "Low tom", 46: "Open hat", 47: "Mid tom 2",
  48: "Mid tom", 49: "Crash", 50: "High tom", 51: "Ride", 52: "China", 53: "Ride bell", 54: "Tambourine",
  55: "Splash", 56: "Cowbell", 57: "Crash 2", 58: "Vibraslap", 59: "Ride 2", 60: "High bongo", 61: "Low bongo",
  62: "Mute conga", 63: "Open conga", 64: "Low conga", 65: "High timbale", 66: "Low timbale", 67: "High agogo",
  68: "Low agogo", 69: "Cabasa", 70: "Maracas", 71: "Short whistle", 72: "Long whistle", 73: "Short guiro",
  74: "Long guiro", 75: "Claves", 76: "High block", 77: "Low block", 78: "Mute cuica", 79: "Open cuica",
  80: "Mute triangle", 81: "Triangle", 82: "Shaker",
};

/** The instruments as the server names them, drums first. */
let instruments = [];
export const learnInstruments = (names) => (instruments = names);

const FAMILIES = [
  "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass",
  "reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
];

const PITCHES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

export const drumName = (pitch) => DRUMS[pitch] ?? `Sound ${pitch}`;
export const instrumentOf = (track) => (track.drum ? "Drums" : (instruments[track.program + 1] ?? FAMILIES[track.program >> 3]));
export const pitchName = (pitch) => PITCHES[pitch % 12] + (Math.floor(pitch / 12) - 1);
