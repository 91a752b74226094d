"""The words a prompt may use, and what each stands for; docs/words.md is made from these tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DRUMS = None

PARTS: Mapping[str, int | None] = {  # instrument or family -> General MIDI program from 0; None: drums
    "drums": DRUMS, "drum": DRUMS, "drum kit": DRUMS, "drum beat": DRUMS, "beat": DRUMS, "percussion": DRUMS,
    "piano": 0, "grand piano": 0, "honky-tonk": 3, "electric piano": 4, "e-piano": 4, "rhodes": 4, "keys": 4,
    "harpsichord": 6, "clavinet": 7, "clavi": 7, "celesta": 8, "glockenspiel": 9, "music box": 10,
    "vibraphone": 11, "vibes": 11, "marimba": 12, "xylophone": 13, "bells": 14, "dulcimer": 15, "organ": 16,
    "hammond": 16, "rock organ": 18, "church organ": 19, "accordion": 21, "harmonica": 22, "guitar": 25,
    "nylon guitar": 24, "classical guitar": 24, "acoustic guitar": 25, "steel guitar": 25, "jazz guitar": 26,
    "electric guitar": 27, "clean guitar": 27, "muted guitar": 28, "overdriven guitar": 29, "distorted guitar": 30,
    "distortion guitar": 30, "lead guitar": 29, "upright bass": 32, "acoustic bass": 32, "double bass": 32,
    "walking bass": 32, "electric bass": 33, "bass guitar": 33, "picked bass": 34, "fretless bass": 35,
    "slap bass": 36, "synth bass": 38, "violin": 40, "fiddle": 110, "viola": 41, "cello": 42, "contrabass": 43,
    "pizzicato": 45, "harp": 46, "timpani": 47, "strings": 48, "string section": 48, "synth strings": 50,
    "choir": 52, "voice": 53, "vocals": 53, "trumpet": 56, "trombone": 57, "tuba": 58, "french horn": 60,
    "horn": 60, "brass": 61, "horns": 61, "soprano sax": 64, "alto sax": 65, "sax": 65, "saxophone": 65,
    "tenor sax": 66, "baritone sax": 67, "oboe": 68, "bassoon": 70, "clarinet": 71, "piccolo": 72, "flute": 73,
    "recorder": 74, "pan flute": 75, "whistle": 78, "synth": 81, "synth lead": 81, "synth pad": 89, "sitar": 104,
    "ukulele": 24, "lute": 24, "bandoneon": 23, "muted trumpet": 59, "french horns": 60, "drum machine": DRUMS,
    "tambourine": DRUMS, "synth pads": 89, "twangy guitar": 27, "baroque organ": 19, "whistling": 78, "whistled": 78,
    "pizzicato strings": 45, "pizzicato cello": 45, "pizzicato cellos": 45, "pizzicato violins": 45,
    "banjo": 105, "koto": 107, "kalimba": 108, "bagpipe": 109, "steel drums": 114,
}  # fmt: skip

ENSEMBLES: Mapping[str, tuple[int, ...]] = {
    "string quartet": (40, 40, 41, 42), "string trio": (40, 41, 42), "piano trio": (0, 40, 42),
    "brass quintet": (56, 56, 60, 57, 58), "wind quintet": (73, 68, 71, 60, 70),
}  # fmt: skip
ROLES: Mapping[str, tuple[str, int]] = {  # word -> role, and its program where neither instrument nor style says one
    "bass": ("bass", 33), "bassline": ("bass", 33), "bass line": ("bass", 33),
    "lead": ("lead", 81), "melody": ("lead", 73), "solo": ("lead", 65), "tune": ("lead", 73),
    "pad": ("pad", 89), "pads": ("pad", 89),
    "chords": ("chords", 0), "comping": ("chords", 0), "accompaniment": ("chords", 0),
}  # fmt: skip

ROLE_FEELS: Mapping[str, Mapping[str, str]] = {"chords": {"min_polyphony": "2"}}
# word -> (aspect, value): an attribute of the model, or a part of the pitch range ("register").
FEELS: Mapping[str, tuple[str, str]] = {
    "sparse": ("note_density", "2"), "simple": ("note_density", "3"), "minimal": ("note_density", "1"),
    "spacious": ("note_density", "2"), "laid-back": ("note_density", "3"), "busy": ("note_density", "8"),
    "dense": ("note_density", "8"), "frantic": ("note_density", "9"), "driving": ("note_density", "7"),
    "energetic": ("note_density", "7"), "virtuosic": ("note_density", "9"),
    "staccato": ("max_note_duration", "8th"), "short": ("max_note_duration", "8th"),
    "plucky": ("max_note_duration", "8th"), "legato": ("min_note_duration", "quarter"),
    "sustained": ("min_note_duration", "half"), "long": ("min_note_duration", "half"),
    "monophonic": ("max_polyphony", "0"), "single-note": ("max_polyphony", "0"), "chordal": ("min_polyphony", "2"),
    "low": ("register", "low"), "deep": ("register", "low"), "high": ("register", "high"),
    "bright": ("register", "high"),
    "loud": ("loudness", "loud"), "quiet": ("loudness", "quiet"), "soft": ("loudness", "quiet"),
}  # fmt: skip
STRONGER: Mapping[str, Mapping[str, str]] = {  # after "very"
    "note_density": {"1": "0", "2": "0", "3": "1", "7": "9", "8": "9"},
}
VERY = ("very", "extremely", "super", "really")
NO_CONTROL = ("loudness",)  # aspects that nothing in the program asks of a model
REGISTERS: Mapping[str, tuple[str, str]] = {  # pitches for a bass, for other instruments
    "low": ("28-43", "36-60"),
    "high": ("43-67", "67-96"),
}
BASSES = (*range(32, 40), 43)  # programs
FAMILIES: Mapping[str, tuple[int, ...]] = {"guitar": tuple(range(24, 32))}  # words that a style makes more exact
MOODS = frozenset(
    (
        *("happy", "sad", "dark", "tense", "warm", "dreamy", "moody", "mellow", "chill", "epic", "heroic", "smoky"),
        *("nostalgic", "melancholic", "cheerful", "uplifting", "relaxing", "dramatic", "calm", "peaceful", "romantic"),
        *(
            "mysterious",
            "haunting",
            "hopeful",
            "joyful",
            "angry",
            "aggressive",
            "gentle",
            "tender",
            "playful",
            "groovy",
        ),
    )
)  # words that describe a feeling: they are known, and nothing in the program asks a model for one

GRIDS: Mapping[str, str] = {
    "swing": "eighth_triplet:0.8", "swung": "eighth_triplet:0.8", "swinging": "eighth_triplet:0.8",
    "shuffle": "eighth_triplet:0.8", "triplets": "eighth_triplet:0.8", "straight": "sixteenth:0.9",
    "eighths": "eighth:0.9", "eighth notes": "eighth:0.9", "sixteenths": "sixteenth:0.9",
    "sixteenth notes": "sixteenth:0.9", "quarter notes": "quarter:0.9",
}  # fmt: skip
TEMPOS: Mapping[str, int] = {
    "slow": 70, "slowly": 70, "fast": 150, "quick": 150, "uptempo": 140, "up-tempo": 140, "mid-tempo": 105,
    "midtempo": 105, "largo": 50, "adagio": 66, "andante": 84, "moderato": 108, "allegro": 132, "presto": 176,
}  # fmt: skip
SCALES: Mapping[str, str] = {
    "major": "major", "minor": "minor", "min": "minor", "maj": "major", "dorian": "dorian",
    "phrygian": "phrygian", "lydian": "lydian", "mixolydian": "mixolydian", "locrian": "locrian",
    "harmonic minor": "harmonic_minor", "melodic minor": "melodic_minor", "natural minor": "natural_minor",
    "major pentatonic": "major_pentatonic", "minor pentatonic": "minor_pentatonic", "whole tone": "whole_tone",
    "blues scale": "blues",
}  # fmt: skip
METRES: Mapping[str, str] = {"waltz time": "3/4", "common time": "4/4", "cut time": "2/2"}


@dataclass(frozen=True)
class Style:
    """A set of parts with a tempo; `heard`: about how many pieces of the training corpus are in it."""

    bpm: tuple[int, int]
    parts: Mapping[str, int | None]  # role -> program
    heard: int
    metre: str = ""
    grid: str = ""


def _band(lead: int, chords: int, bass: int) -> dict[str, int | None]:
    return {"drums": DRUMS, "bass": bass, "chords": chords, "lead": lead}


_SWUNG = "eighth_triplet:0.8"
STYLES: Mapping[str, Style] = {
    "rock": Style((105, 140), _band(29, 27, 33), 810),
    "pop": Style((90, 125), _band(73, 0, 33), 1050),
    "funk": Style((95, 115), _band(65, 27, 36), 80),
    "soul": Style((75, 110), _band(65, 4, 33), 114),
    "r&b": Style((70, 105), _band(65, 4, 33), 255),
    "jazz": Style((110, 180), _band(65, 0, 32), 873, grid=_SWUNG),
    "blues": Style((70, 120), _band(22, 25, 32), 568, grid=_SWUNG),
    "bossa nova": Style((110, 140), _band(73, 24, 32), 31),
    "samba": Style((95, 120), _band(73, 24, 32), 34),
    "latin": Style((95, 130), _band(56, 0, 32), 403),
    "tango": Style((110, 130), {"bass": 32, "chords": 0, "lead": 21}, 66),
    "waltz": Style((90, 180), {"bass": 32, "chords": 0, "lead": 40}, 538, "3/4"),
    "ska": Style((120, 160), _band(57, 27, 33), 89),
    "country": Style((90, 140), _band(110, 25, 32), 409),
    "bluegrass": Style((120, 160), {"bass": 32, "chords": 25, "lead": 105}, 130),
    "folk": Style((85, 130), {"bass": 32, "chords": 25, "lead": 73}, 1236),
    "ballad": Style((60, 80), _band(73, 0, 33), 690),
    "march": Style((100, 125), _band(56, 61, 58), 248),
    "house": Style((118, 128), _band(81, 4, 38), 108),
    "classical": Style((70, 130), {"lead": 40, "chords": 0, "bass": 42}, 2900),
    "hip-hop": Style((80, 100), _band(4, 4, 38), 0),
    "lo-fi": Style((70, 90), _band(4, 4, 33), 0),
    "ambient": Style((55, 80), {"pad": 89, "chords": 4}, 0),
    "metal": Style((130, 180), _band(30, 30, 34), 0),
    "reggae": Style((70, 90), _band(16, 27, 33), 0),
    "drum'n'bass": Style((168, 178), {"drums": DRUMS, "bass": 38, "pad": 89}, 0),
    "synthwave": Style((85, 115), _band(81, 89, 38), 0),
}
SPELLINGS: Mapping[str, str] = {  # another word for a style
    "funky": "funk", "jazzy": "jazz", "bluesy": "blues", "rocky": "rock", "bossa": "bossa nova", "rnb": "r&b",
    "hip hop": "hip-hop", "hiphop": "hip-hop", "lofi": "lo-fi", "lo fi": "lo-fi", "techno": "house", "dance": "house",
    "edm": "house", "electronic": "house", "disco": "house", "heavy metal": "metal", "folky": "folk",
    "neo-soul": "soul", "neo soul": "soul", "dnb": "drum'n'bass", "drum & bass": "drum'n'bass", "trap": "hip-hop",
    "retrowave": "synthwave", "orchestral": "classical", "baroque": "classical", "salsa": "latin", "hard rock": "rock",
}  # fmt: skip
ONE_WORD: Mapping[str, str] = {"drum and bass": "drum'n'bass"}  # read before clauses are told apart
NEGATIONS = ("no", "without")
JOINTS = ("and", "with", "plus", "over", "but", "under", "then")  # a new clause begins
SILENT = frozenset(
    (
        *("a", "an", "the", "of", "in", "at", "for", "to", "on", "by", "my", "me", "some", "give", "make", "want"),
        *("write", "i", "would", "like", "please", "something", "music", "song", "loop", "track", "tracks", "line"),
        *("lines", "riff", "groove", "part", "parts", "key", "time", "feel", "style", "it", "its", "is", "that"),
        *("this", "one", "two", "bpm", "notes", "note", "playing", "played", "plays", "sound", "sounds", "kind"),
        *("bar", "bars", "piece", "tempo"),
    )
)  # words that ask for nothing
