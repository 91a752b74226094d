"""Read the musical controls of the command line, and which tracks each is for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from midigpt_cli.parse.numbers import count, whole
from midigpt_cli.parse.scoped_values import Limited
from midigpt_cli.parse.selectors import select_tracks
from midigpt_core.errors import RequestValidationError
from midigpt_core.fields import refused
from midigpt_core.music import metre_of
from midigpt_core.score import DRUM, Score

_ROOTS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE = re.compile(r"(?P<letter>[A-Ga-g])(?P<accidental>[#b]?)(?P<octave>-?\d+)?")
_KEY = re.compile(r"(?P<root>[A-Ga-g][#b]?)[\s:]*(?P<scale>.*)")
_SCALE_WORDS = {"": "major", "m": "major", "maj": "major", "ionian": "major", "min": "minor", "aeolian": "minor"}
_SCALE_WORDS |= {"pentatonic": "major_pentatonic", "chromatics": "chromatic"}
_ATTRIBUTE = r"(?P<name>\w+)\s*=(?P<level>.+)"
_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


@dataclass(frozen=True)
class AttributeOption:
    """One --attribute: a level for a control of the model, on some tracks and bars."""

    track: str
    bars: str
    name: str
    level: str

    @classmethod
    def read(cls, text: str) -> AttributeOption:
        """[TRACK/][BARS:]NAME=LEVEL. Raises RequestValidationError."""
        entry = Limited.read(text, _named_level, _ATTRIBUTE)
        return cls(entry.track, entry.bars, *entry.value)


def _named_level(text: str) -> tuple[str, str]:
    found = re.fullmatch(_ATTRIBUTE, text)
    if found is None:
        raise refused("--attribute", text, "cannot be read", "write note_density=7, or drums/6:note_density=2")
    return found["name"], found["level"]


def scale(text: str) -> dict[str, Any]:
    """C:major, "C minor", Am, F#:dorian, or C alone for major: a pitch_mask."""
    from midigpt_core.music import SCALES

    found = _KEY.fullmatch(text.strip())
    if found is None:
        raise refused("--scale", text, "names no key", "write ROOT:SCALE, such as A:minor, Am or C")
    word = found["scale"]
    name = "minor" if word == "m" else re.sub(r"[-\s]+", "_", word.strip().lower())
    name = _SCALE_WORDS.get(name, name)
    if name not in SCALES:
        raise _unknown_scale(text, found["root"], name)
    return {"scale": name, "root": pitch_class(found["root"], "--scale")}


def _unknown_scale(text: str, root: str, name: str) -> RequestValidationError:
    """The error, with the key that is probably meant."""
    from midigpt_core.music import SCALES

    alone = re.sub(r"[-\s]+", "_", text.strip().lower())
    if alone in SCALES:
        return refused("--scale", text, "is a scale without its key", f"write the key before it, such as C:{alone}")
    near = difflib.get_close_matches(name, SCALES, 1)
    key = f"{root.capitalize()}:"
    remedy = f"did you mean {key}{near[0]}?" if near else f"write {key} and one of {', '.join(sorted(SCALES))}"
    return refused("--scale", text, "is not a known scale", remedy)


def pitch_range(text: str) -> dict[str, Any]:
    """C2-C4 or 36-60: a pitch_mask."""
    found = re.fullmatch(r"([A-Ga-g][#b]?-?\d+|\d+)-([A-Ga-g][#b]?-?\d+|\d+)", text.strip())
    if found is None:
        raise refused("--pitch-range", text, "is not LOW-HIGH", "write C2-C4 or 36-60")
    low, high = (pitch(word, "--pitch-range") for word in found.groups())
    if low > high:
        raise refused("--pitch-range", text, "begins above its end", f"write {found[2]}-{found[1]}")
    return {"range": [low, high]}


def pitch_set(text: str) -> dict[str, Any]:
    """C,Eb,G (pitch classes) or 60,63,C4 (pitches): a pitch_mask."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    classes = [word for word in words if re.fullmatch(r"[A-Ga-g][#b]?", word)]
    if not words or (classes and len(classes) < len(words)):
        raise refused("--pitch-set", text, "is not one kind of pitches", "write C,Eb,G or 60,63,67")
    if classes:
        return {"pitch_classes": sorted({pitch_class(word, "--pitch-set") for word in words})}
    return {"pitches": sorted({pitch(word, "--pitch-set") for word in words})}


def grid(text: str) -> dict[str, Any]:
    """eighth, or eighth:0.8: a rhythm_mask."""
    from midigpt_core.fields import nearest
    from midigpt_core.music import GRIDS

    unit, _, strength = text.partition(":")
    unit = unit.strip().lower().replace("-", "_")
    if unit not in GRIDS:
        raise refused("--grid", text, "names no grid", nearest(unit, GRIDS))
    return {"grid": {"unit": unit, "strength": _number("--grid", strength or "1")}}


def fill(text: str) -> float | str:
    """end, or a number of beats."""
    return text if (text := text.strip().lower()) == "end" else _number("--fill", text)


def swing(text: str) -> float:
    """A number."""
    return _number("--swing", text)


def syncopation(text: str) -> float | str:
    """A number, more or less."""
    return text if (text := text.strip().lower()) in ("more", "less") else _number("--syncopation", text)


def remix(text: str) -> dict[str, Any]:
    """0.3, or 0.3:full: a remix."""
    amount, _, mode = text.partition(":")
    return {"amount": _number("--remix", amount), "mode": mode or "pitch"}


def time_signature(text: str) -> str:
    """3/4: the name of a metre."""
    if metre_of(text) is None:
        raise refused("--time-signature", text, "is not a metre", "write 3/4, or 6-8:3/4 for some bars")
    return text


def rhythm_lock(text: str) -> bool | str:
    """on, off or onsets."""
    from midigpt_core.constraints.controls import ONSETS

    return ONSETS if text.strip().lower() == ONSETS else _switched("--rhythm-lock", text)


def rhythm_from(text: str, score: Score) -> dict[str, Any]:
    """drums, kick, drums:kick, with :every at the end or not: a rhythm_from."""
    from midigpt_core.constraints.drum_parts import DRUM_PARTS

    track, *more = (word.strip() for word in text.split(":"))
    unknown = [word for word in more if word.lower() not in (*DRUM_PARTS, "every")]
    if unknown or not track:
        parts = ", ".join(DRUM_PARTS)
        raise refused("--rhythm-from", text, "names no rhythm", f"write TRACK, or one of {parts}; then :every or not")
    words = [word.lower() for word in (track, *more)]
    part = next((word for word in words if word in DRUM_PARTS), "all")
    number = _drums_with(part, score) if words[0] in DRUM_PARTS else _one_track(track, score)
    return {"track": number, "part": part, "every": "every" in words}


def _drums_with(part: str, score: Score) -> int:
    """The drum track that plays a part of the kit most."""
    from midigpt_core.constraints.drum_parts import DRUM_PARTS

    drums = [i for i, track in enumerate(score.tracks) if track.track_type == DRUM]
    counts = {i: sum(p in DRUM_PARTS[part] for bar in score.tracks[i].bars for p in bar.pitches) for i in drums}
    best = max(counts, key=lambda i: counts[i], default=-1)
    if best < 0 or not counts[best]:
        raise refused("--rhythm-from", part, "is played nowhere in this song", "name a track")
    return best


def _one_track(selector: str, score: Score) -> int:
    found = list(select_tracks([selector], score, "--rhythm-from"))
    if len(found) != 1:
        raise refused("--rhythm-from", selector, f"names {len(found)} tracks", "name one")
    return found[0]


def keep_range(text: str) -> bool:
    """on or off."""
    return _switched("--keep-range", text)


def keep_contour(text: str) -> bool:
    """on or off."""
    return _switched("--keep-contour", text)


def _switched(option: str, text: str) -> bool:
    word = text.strip().lower()
    if word not in (*_ON, *_OFF):
        raise refused(option, text, "is neither on nor off", "leave the value out, or write bass/5-6:on")
    return word in _ON


def chords(text: str) -> str:
    """Am, or Am,F, or Am@1,F@3, heard or file."""
    from midigpt_core.chords import changes_of

    if text not in ("heard", "file"):
        changes_of(text, 1e6 if "@" in text else 4.0, "--chords")
    return text


def velocity(text: str) -> dict[str, int] | str:
    """40-90, or own."""
    word = text.strip().lower()
    found = re.fullmatch(r"(\d{1,3})-(\d{1,3})", word)
    if found is None and word != "own":
        raise refused("--velocity", text, "is not a range of velocities", "write 40-90, own, on or off")
    return word if found is None else {"low": int(found[1]), "high": int(found[2])}


def is_switch(text: str) -> bool:
    """Whether a word is on, off or one that means the same."""
    return text.strip().lower() in (*_ON, *_OFF)


def switched(texts: Sequence[str]) -> bool | None:
    """The last of the words that are on or off; None without any."""
    words = [text.strip().lower() for text in texts if is_switch(text)]
    return words[-1] in _ON if words else None


def humanise(text: str) -> float:
    """A number."""
    return _number("--humanise", text)


def motion(text: str) -> dict[str, float]:
    """steps:0.6, or steps:0.6,leaps:0.2; a kind alone is all there is."""
    shares = {}
    for word in text.split(","):
        kind, _, share = word.strip().partition(":")
        shares[kind] = _number("--motion", share or "1")
    return shares


def strength(text: str) -> float:
    """A number."""
    return _number("--chord-strength", text)


def contour(text: str) -> str:
    """up, down, arch or dip."""
    return text.strip().lower()


def pitch(word: str, option: str) -> int:
    """A MIDI pitch from its number or its name (C4 is 60)."""
    number = count(word)
    if number is None:
        found = _NOTE.fullmatch(word)
        if found is None or found["octave"] is None or whole(found["octave"]) is None:
            raise refused(option, word, "is not a pitch", "write a name with its octave (C4 is 60) or a number")
        number = pitch_class(word[: found.end("accidental")], option, wrap=False) + 12 * (int(found["octave"]) + 1)
    if not 0 <= number <= 127:
        raise refused(option, word, "is outside the MIDI pitches", "use 0 to 127 (C-1 to G9)")
    return number


def pitch_class(word: str, option: str, wrap: bool = True) -> int:
    """Semitones above C of a name such as Eb or F#."""
    found = _NOTE.fullmatch(word.strip())
    if found is None or found["octave"] is not None:
        raise refused(option, word, "is not a pitch name", "write C, F#, Eb, ...")
    number = _ROOTS[found["letter"].lower()] + {"#": 1, "b": -1, "": 0}[found["accidental"]]
    return number % 12 if wrap else number


def _number(option: str, word: str) -> float:
    """0.3, or 30%."""
    share = word.strip().endswith("%")
    try:
        return float(word.strip().removesuffix("%")) / (100 if share else 1)
    except ValueError:
        raise refused(option, word, "is not a number", "write a number such as 0.3, or 30%") from None
