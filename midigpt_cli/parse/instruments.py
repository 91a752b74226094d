"""The instruments of General MIDI, by name."""

from __future__ import annotations

import difflib
import re

from midigpt_core.fields import refused

NAMES: tuple[str, ...] = tuple(
    """
    Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, Electric Piano 1,
    Electric Piano 2, Harpsichord, Clavinet, Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, Xylophone,
    Tubular Bells, Dulcimer, Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed Organ, Accordion,
    Harmonica, Tango Accordion, Acoustic Guitar (nylon), Acoustic Guitar (steel), Electric Guitar (jazz),
    Electric Guitar (clean), Electric Guitar (muted), Overdriven Guitar, Distortion Guitar, Guitar Harmonics,
    Acoustic Bass, Electric Bass (finger), Electric Bass (pick), Fretless Bass, Slap Bass 1, Slap Bass 2,
    Synth Bass 1, Synth Bass 2, Violin, Viola, Cello, Contrabass, Tremolo Strings, Pizzicato Strings,
    Orchestral Harp, Timpani, String Ensemble 1, String Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs,
    Voice Oohs, Synth Choir, Orchestra Hit, Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section,
    Synth Brass 1, Synth Brass 2, Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon,
    Clarinet, Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina, Lead 1 (square),
    Lead 2 (sawtooth), Lead 3 (calliope), Lead 4 (chiff), Lead 5 (charang), Lead 6 (voice), Lead 7 (fifths),
    Lead 8 (bass + lead), Pad 1 (new age), Pad 2 (warm), Pad 3 (polysynth), Pad 4 (choir), Pad 5 (bowed),
    Pad 6 (metallic), Pad 7 (halo), Pad 8 (sweep), FX 1 (rain), FX 2 (soundtrack), FX 3 (crystal),
    FX 4 (atmosphere), FX 5 (brightness), FX 6 (goblins), FX 7 (echoes), FX 8 (sci-fi), Sitar, Banjo, Shamisen,
    Koto, Kalimba, Bagpipe, Fiddle, Shanai, Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum, Melodic Tom,
    Synth Drum, Reverse Cymbal, Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet, Telephone Ring,
    Helicopter, Applause, Gunshot
    """.replace("\n", " ").split(", ")
)
NAMES = tuple(" ".join(name.split()) for name in NAMES)

FAMILIES: dict[str, tuple[int, ...]] = {  # what people call them -> programs
    "piano": tuple(range(8)),
    "keys": tuple(range(24)),
    "mallets": tuple(range(8, 16)),
    "organ": tuple(range(16, 24)),
    "guitar": tuple(range(24, 32)),
    "bass": (*range(32, 40), 43),
    "strings": tuple(range(40, 52)),
    "choir": (*range(52, 55), 85, 91),
    "voice": (*range(52, 55), 85, 91),
    "brass": tuple(range(56, 64)),
    "sax": tuple(range(64, 68)),
    "reed": tuple(range(64, 72)),
    "woodwind": tuple(range(64, 80)),
    "flute": tuple(range(72, 80)),
    "synth": (*range(38, 40), *range(50, 52), 54, *range(62, 64), *range(80, 104)),
    "pad": tuple(range(88, 96)),
}

_USUAL = {"strings": "String Ensemble 1", "sax": "Alto Sax", "saxophone": "Alto Sax", "harp": "Orchestral Harp"}


def program_of(name: str, where: str = "--instrument") -> int:
    """The program, from 0, of an instrument: its name in any spelling, or the first one the word is part of.

    Raises RequestValidationError, naming `where` the name stood, with the nearest one.
    """
    found = _found(name)
    if found is not None:
        return found
    plain_name, plain = _plain(name), [_plain(known) for known in NAMES]
    meant = {word: word for known in plain for word in known.split()} | dict(zip(plain, NAMES, strict=True))
    near = difflib.get_close_matches(plain_name, meant, 1)
    remedy = f"did you mean {meant[near[0]]!r}?" if near else "midigpt generate -i help lists them all"
    raise refused(where, name, "is not a General MIDI instrument", remedy)


def heard_in(name: str) -> int:
    """The program that a track's name speaks of, whole or in one of its words; a piano where it speaks of none."""
    words = re.findall(r"[^\W\d_]{3,}", name)
    return next((found for found in map(_found, (name, *words)) if found is not None), 0)


def _found(name: str) -> int | None:
    plain_name = _plain(_USUAL.get(name.strip().lower(), name))
    plain = [_plain(known) for known in NAMES]
    if plain_name in plain:
        return plain.index(plain_name)
    return next((i for i, known in enumerate(plain) if plain_name and plain_name in known), None)


def programs_meant(word: str) -> list[set[int]]:
    """The programs a word may mean, nearest meaning first: instruments of a family so called, the family, any other."""
    plain_name = _plain(word)
    if not plain_name:
        return []
    called = {number for number, name in enumerate(NAMES) if re.search(rf"\b{plain_name}", _plain(name))}
    family = set(FAMILIES.get(plain_name, ()))
    return [called & family, family] if family else [called]


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))
