"""Write the sample pieces of this folder: python samples/make_samples.py. They are composed here, note by note.

A line of music is a string of `note:beats`: `C5:1.5 r:.5 Eb4:1` is a C for a beat and a half, a rest, an E flat.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mido import Message, MetaMessage, MidiFile, MidiTrack, bpm2tempo

HERE = Path(__file__).resolve().parent
BEAT = 480  # ticks per quarter note
DRUMS = 9
KICK, SNARE, RIM, CLAP, CLOSED, PEDAL, OPEN = 36, 38, 37, 39, 42, 44, 46
CRASH, RIDE, LOW_TOM, MID_TOM, HIGH_TOM = 49, 51, 45, 47, 50
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Played = tuple[float, float, int, int]  # begin and length in beats, pitch, velocity


@dataclass
class Part:
    """One instrument: what it plays, and the controllers that go with it."""

    name: str
    channel: int
    program: int
    notes: list[Played] = field(default_factory=list)
    controls: list[tuple[float, int, int]] = field(default_factory=list)  # beat, controller, value


@dataclass
class Song:
    """Tempo and metre by beat, and the parts."""

    title: str
    tempi: list[tuple[float, float]]  # beat, beats per minute
    metres: list[tuple[float, int, int]]  # beat, numerator, denominator
    key: str
    parts: list[Part]
    beats: float  # length
    markers: list[tuple[float, str]] = field(default_factory=list)


def pitch(name: str) -> int:
    """The MIDI pitch of C4, F#3, Bb2..."""
    shift = name.count("#") - name[1:].count("b")
    return STEPS[name[0]] + shift + 12 * (int(name[-1]) + 1)


def line(text: str, at: float, loud: int, hold: float = 0.95) -> Iterator[Played]:
    """A line of music from beat `at` on; beats a little louder than what lies between, each note held for its share."""
    dice = random.Random(zlib.crc32(text.encode()))
    for item in text.split():
        name, _, beats = item.partition(":")
        if name != "r":
            accent = 8 if abs(at - round(at)) < 0.01 else 0
            yield at, float(beats) * hold, pitch(name), loud + accent + dice.randint(-4, 4)
        at += float(beats)


def chord(names: str, at: float, beats: float, loud: int) -> Iterator[Played]:
    """Notes struck together."""
    for i, name in enumerate(names.split()):
        yield at, beats, pitch(name), loud - 2 * (i % 2)


def beat(pattern: dict[int, str], at: float, step: float) -> Iterator[Played]:
    """A bar of drums: a string per drum, one character per step; 1-9 is how hard, anything else a rest."""
    for drum, text in pattern.items():
        for i, mark in enumerate(text.replace(" ", "")):
            if mark.isdigit():
                yield at + i * step, step * 0.9, drum, 22 + 11 * int(mark)


def bars(lines: Iterable[str], length: float, loud: int, start: float = 0.0, hold: float = 0.95) -> Iterator[Played]:
    """A line of music per bar."""
    for i, text in enumerate(lines):
        yield from line(text, start + i * length, loud, hold)


# ---- the pieces ----


def pop() -> Song:
    harmony = ["Am", "F", "C", "G", "Am", "F", "C", "G", "F", "G", "Em", "Am", "F", "G", "C", "C"]
    voicing = {"Am": "A3 C4 E4", "F": "A3 C4 F4", "C": "G3 C4 E4", "G": "G3 B3 D4", "Em": "G3 B3 E4"}
    high = {"Am": "E4 A4 C5", "F": "F4 A4 C5", "C": "E4 G4 C5", "G": "D4 G4 B4", "Em": "E4 G4 B4"}
    roots = {"Am": "A1 E2 G2", "F": "F1 C2 F2", "C": "C2 G2 C3", "G": "G1 D2 G2", "Em": "E1 B1 E2"}
    melody = [
        "E5:1 E5:.5 D5:.5 C5:1 A4:1", "C5:1.5 A4:.5 A4:1 C5:1", "G4:1 C5:.5 D5:.5 E5:2", "D5:1.5 B4:.5 G4:1 r:1",
        "E5:1 E5:.5 G5:.5 A5:1 E5:1", "F5:1.5 E5:.5 C5:1 A4:1", "G4:.5 C5:.5 E5:1 D5:.5 C5:.5 E5:1", "D5:3 r:1",
        "A4:.5 C5:.5 F5:1.5 E5:.5 C5:1", "B4:.5 D5:.5 G5:1.5 F5:.5 D5:1", "G5:1 E5:1 B4:1 E5:1", "A5:1.5 G5:.5 E5:2",
        "F5:1 E5:.5 D5:.5 C5:1 A4:1", "B4:1 C5:.5 D5:.5 G5:1.5 F5:.5", "E5:1 D5:.5 C5:2.5", "C5:3 r:1",
    ]  # fmt: skip
    lead = Part("Lead", 0, 80, list(bars(melody, 4, 88)), [(0, 7, 100), (0, 91, 50)])
    keys, bass, pad = Part("Chords", 1, 4), Part("Bass", 2, 33), Part("Strings", 3, 48)
    drums = Part("Drums", DRUMS, 0)
    for i, name in enumerate(harmony):
        at = 4.0 * i
        for begin, length, loud in ((0, 1.4, 74), (1.5, 0.9, 64), (2.5, 1.4, 70)):
            keys.notes += chord(voicing[name], at + begin, length if i < 15 else 3.5, loud)
            if i == 15:
                break
        root, fifth, octave = roots[name].split()
        walk = f"{root}:1.5 {root}:.5 {fifth}:1 {octave}:.5 {fifth}:.5" if i < 15 else f"{root}:3.5"
        bass.notes += line(walk, at, 84, 0.85)
        if i >= 8:
            pad.notes += chord(high[name], at, 3.95, 54)
    groove = {KICK: "9....5..8....... ", SNARE: "....8.......8...", CLOSED: "6.4.6.4.6.4.6.4."}
    push = {KICK: "9....5..8.5.....", SNARE: "....8.......8..3", CLOSED: "6.4.6.4.6.4.6...", OPEN: "..............5."}
    fill = {
        KICK: "9.....7.........",
        SNARE: "....8...55..6677",
        HIGH_TOM: "..........6.....",
        LOW_TOM: "...........6....",
    }
    for i in range(15):
        drums.notes += beat(fill if i in (7, 14) else push if i % 4 == 3 else groove, 4.0 * i, 0.25)
    drums.notes += beat({CRASH: "8"}, 0, 1)
    drums.notes += beat({CRASH: "8"}, 32, 1)
    drums.notes += beat({CRASH: "9", KICK: "9"}, 60, 1)
    return Song("Pop", [(0, 112)], [(0, 4, 4)], "C", [lead, keys, bass, pad, drums], 64, [(0, "A"), (32, "B")])


def waltz() -> Song:
    melody = [
        "D5:1 B4:1 D5:1", "G5:2 D5:1", "F#5:1 E5:1 C5:1", "A4:3", "C5:1 A4:1 C5:1", "F#5:2 E5:1", "D5:1 E5:1 D5:1",
        "B4:2 r:1", "D5:1 B4:1 D5:1", "F5:2 D5:1", "E5:1 G5:1 E5:1", "Eb5:2 C5:1", "D5:1 B4:1 G4:1", "A4:1 B4:1 C5:1",
        "B4:1 D5:.5 C5:.5 A4:1", "G4:3",
    ]  # fmt: skip
    counter = ["B4:3", "B4:3", "A4:3", "F#4:3", "F#4:3", "A4:3", "B4:3", "G4:2 r:1", "G4:3", "B4:3", "C5:3", "C5:3",
               "B4:1 G4:1 D4:1", "F#4:2 F#4:1", "G4:2 F#4:1", "D4:3"]  # fmt: skip
    harmony = ["G", "G", "D7", "D7", "D7", "D7", "G", "G", "G", "G7", "C", "Cm", "G", "D7", "GD", "G"]
    after = {"G": "B3 D4 G4", "D7": "C4 D4 F#4", "G7": "B3 D4 F4", "C": "C4 E4 G4", "Cm": "C4 Eb4 G4", "GD": "B3 D4 G4"}
    low = ["G2", "D3", "D3", "A2", "D3", "A2", "G2", "D3", "G2", "F2", "E2", "Eb2", "D2", "D2", "G2", "G2"]
    piano, cello = Part("Piano", 2, 0), Part("Cello", 3, 42)
    for i, name in enumerate(harmony):
        at = 3.0 * i
        cello.notes += line(f"{low[i]}:{3 if i == 15 else 1}", at, 76)
        for begin in (1, 2) if i < 15 else ():
            piano.notes += chord(after[name], at + begin, 0.7, 60 - 4 * (begin - 1))
    piano.notes += chord("G3 B3 D4 G4", 45, 2.9, 58)
    violin = Part("Violin", 0, 40, list(bars(melody, 3, 84)), [(0, 11, 110)])
    clarinet = Part("Clarinet", 1, 71, list(bars(counter, 3, 62)))
    tempi = [(0, 152), (36, 144), (39, 152), (43, 132), (45, 108)]
    return Song("Waltz", tempi, [(0, 3, 4)], "G", [violin, clarinet, piano, cello], 48)


def seven() -> Song:
    first = "A4:.5 B4:.5 C5:.5 D5:.5 E5:.5 D5:.5 C5:.5"
    sixth = "E5:.5 D5:.5 B4:.5 G4:.5 B4:.5 C5:.5 D5:.5"
    odd = [
        first,
        "B4:.5 C5:.5 A4:1 A4:1.5",
        "G4:.5 A4:.5 B4:.5 C5:.5 D5:.5 C5:.5 B4:.5",
        "A4:1 C5:1 E5:1.5",
        "F5:.5 E5:.5 D5:.5 C5:.5 A4:.5 C5:.5 D5:.5",
        sixth,
        "E5:1 B4:1 G4:.5 A4:.5 B4:.5",
        "A4:2 A4:1.5",
    ]
    even = [
        "A5:1 F5:.5 E5:.5 D5:2",
        "C5:.5 D5:.5 E5:1 A4:2",
        "B4:1 G#4:.5 B4:.5 E5:2",
        "D5:.5 C5:.5 B4:.5 G#4:.5 E4:1 r:1",
    ]
    tones = {
        "Am": ("A2 E2", "A3 C4 E4"),
        "G": ("G2 D2", "G3 B3 D4"),
        "F": ("F2 C2", "A3 C4 F4"),
        "Em": ("E2 B1", "G3 B3 E4"),
        "Dm": ("D2 A1", "A3 D4 F4"),
        "E": ("E2 B1", "G#3 B3 E4"),
    }
    clarinet, squeeze = Part("Clarinet", 0, 71), Part("Accordion", 1, 21)
    bass, drums = Part("Bass", 2, 32), Part("Drums", DRUMS, 0)
    plan = list(zip(odd, ["Am", "Am", "G", "Am", "F", "G", "Em", "Am"], [7] * 8, strict=True))
    plan += list(zip(even, ["Dm", "Am", "E", "E"], [8] * 4, strict=True))
    plan += list(zip([first, odd[1], sixth, odd[7]], ["Am", "Am", "G", "Am"], [7] * 4, strict=True))
    at = 0.0
    for i, (tune, name, eighths) in enumerate(plan):
        clarinet.notes += line(tune, at, 84)
        (low, fifth), stabs = tones[name][0].split(), tones[name][1]
        steps = [0, 1, 2] if eighths == 7 else [0, 1, 2, 3]
        for step in steps:
            bass.notes += line(f"{fifth if step % 2 else low}:.9", at + step, 82, 0.9)
            squeeze.notes += chord(stabs, at + step + 0.5, 0.4, 60)
        if eighths == 7:
            squeeze.notes += chord(stabs, at + 3, 0.4, 52)
            drums.notes += beat(
                {KICK: "9...6..", SNARE: "..7...5" if i % 4 < 3 else "..7.677", CLOSED: "6464644"}, at, 0.5
            )
        else:
            drums.notes += beat({KICK: "9..59...", SNARE: "..8...8.", RIDE: "74747474"}, at, 0.5)
        at += eighths / 2
    tempi = [(0, 132), (28, 120), (44, 132), (at - 3.5, 116)]
    metres = [(0, 7, 8), (28, 4, 4), (44, 7, 8)]
    return Song("Seven", tempi, metres, "Am", [clarinet, squeeze, bass, drums], at, [(28, "Slower"), (44, "As before")])


def nocturne() -> Song:
    melody = [
        "F#5:2 E5:1 D5:1", "C#5:1.5 D5:.5 E5:2", "D5:1.5 C#5:.5 B4:1 F#4:1", "A4:3 r:1", "B4:1 D5:1 G5:1.5 F#5:.5",
        "F#5:2 E5:1 D5:1", "G5:1 F#5:.5 E5:.5 B4:1 E5:1", "C#5:1.5 D5:.5 E5:1 A4:1", "D5:1 F#5:1 B5:2",
        "A5:.5 G5:.5 D5:1 B4:2", "A4:1 D5:1 C#5:.5 B4:.5 C#5:1", "D5:4",
    ]  # fmt: skip
    broken = ["D2 A2 D3 F#3 A3", "C#2 A2 E3 A3 C#4", "B1 F#2 B2 D3 F#3", "A1 F#2 C#3 F#3 A3", "G1 D2 B2 D3 G3",
              "F#1 D2 A2 D3 F#3", "E2 B2 E3 G3 B3", "A1 E2 A2 C#3 E3", "B1 F#2 B2 D3 F#3", "G1 D2 B2 D3 G3",
              "A1 E2 A2 D3 E3", "D2 A2 D3 F#3 A3"]  # fmt: skip
    right, left = Part("Right hand", 0, 0, list(bars(melody, 4, 74))), Part("Left hand", 0, 0)
    for i, names in enumerate(broken):
        low = names.split()
        figure = " ".join(f"{low[k]}:.5" for k in (0, 1, 2, 3, 4, 3, 2, 1))
        left.notes += line(figure if i < 11 else " ".join(f"{note}:.5" for note in low) + " D4:1.5", 4 * i, 50, 1.0)
        left.controls += [(4 * i, 64, 0), (4 * i + 0.15, 64, 127)]
    left.controls.append((47.9, 64, 0))
    swell = [(2.0 * i, 66 + (4, 7, 6, 1)[i % 4] - (6 if i in (7, 15) else 0)) for i in range(20)]
    tempi = [*swell, (40, 66), (41, 63), (42, 58), (43, 52), (44, 46), (46, 38)]
    return Song("Nocturne", tempi, [(0, 4, 4)], "D", [right, left], 48)


def chorale() -> Song:
    voices = {
        "Soprano": "G4:1 B4:1 A4:1 G4:1 A4:1 B4:3 D5:1 C5:1 B4:1 A4:1 A4:1 G4:3 B4:1 A4:1 G4:1 A4:1 A4:1 A4:3 B4:1 "
        "C5:1 D5:1 E5:1 D5:1 D5:1 C5:1 B4:1 A4:1 G4:3",
        "Alto": "D4:1 G4:1 F#4:1 E4:1 F#4:1 G4:3 G4:1 G4:1 G4:1 E4:1 F#4:1 D4:3 G4:1 F#4:1 E4:1 E4:1 G4:1 F#4:3 G4:1 "
        "G4:1 G4:1 G4:1 F#4:1 G4:1 E4:1 D4:1 C4:1 B3:3",
        "Tenor": "B3:1 D4:1 D4:1 B3:1 D4:1 D4:3 B3:1 E4:1 D4:1 A3:1 A3:1 B3:3 D4:1 D4:1 B3:1 A3:1 C#4:1 D4:3 D4:1 "
        "E4:1 D4:1 C4:1 A3:1 B3:1 A3:1 G3:1 F#3:1 G3:3",
        "Bass": "G2:1 G3:1 F#3:1 E3:1 D3:1 G3:3 G3:1 C3:1 B2:1 C3:1 D3:1 G2:3 G3:1 D3:1 E3:1 C3:1 A2:1 D3:3 G3:1 "
        "C3:1 B2:1 C3:1 D3:1 G2:1 C3:1 D3:1 D3:1 G2:3",
    }
    parts = [Part(name, i, 52, list(line(text, 0, 72, 0.98))) for i, (name, text) in enumerate(voices.items())]
    holds = [(5.0, 8.0), (13.0, 16.0), (21.0, 24.0)]  # the last note of each phrase is held
    tempi = [(0.0, 84.0)]
    tempi += [item for begin, end in holds for item in ((begin + 1, 60.0), (end, 84.0))]
    tempi += [(29.0, 80.0), (31.0, 70.0), (33.0, 48.0)]
    return Song("Chorale", tempi, [(0, 1, 4), (1, 4, 4)], "G", parts, 37)


def funk() -> Song:
    main = {KICK: "9.6....5..9.....", SNARE: "....9..2.2..9..2", CLOSED: "7363736373637363"}
    turn = {KICK: "9.6....5..9.6...", SNARE: "....9..2.2..9.2.", CLOSED: "736373637363736.", OPEN: "...............6"}
    ride = {KICK: "9..6..9...6...6.", SNARE: "....9..2....9..2", RIDE: "7.5.7.5.7.5.7.5.", PEDAL: "....5.......5..."}
    fills = [
        {KICK: "9.6.....9.......", SNARE: "....9..2..556678", CLOSED: "73637363........"},
        {KICK: "9...9...9...9...", SNARE: "5566....99......", HIGH_TOM: "....67..........", MID_TOM: "......77....66..",
         LOW_TOM: "..........88..88"},
    ]  # fmt: skip
    drums = Part("Drums", DRUMS, 0)
    for i in range(16):
        pattern = fills[i // 8] if i % 8 == 7 else ride if 8 <= i < 12 else turn if i % 2 else main
        drums.notes += beat(pattern, 4.0 * i, 0.25)
    for at in (0.0, 32.0, 48.0):
        drums.notes += beat({CRASH: "8"}, at, 1)
    return Song("Drums", [(0, 98)], [(0, 4, 4)], "", [drums], 64, [(32, "Ride")])


def blues() -> Song:
    long, short = "0.6667", "0.3333"

    def swing(text: str) -> str:
        """`L` and `S` stand for the long and the short eighth."""
        return text.replace(":L", f":{long}").replace(":S", f":{short}")

    riff = "r:L C5:S Eb5:L F5:S C5:L A4:S r:1"
    reply = "r:L C5:S Eb5:L F5:S Ab5:L F5:S r:1"
    close = "Bb4:L A4:S G4:1 Bb4:L D5:S r:1"
    chorus = [riff, reply, riff, "F5:2 r:2", riff, reply, riff, "F#5:L A5:S F#5:1 D5:2",
              close, "C5:L Bb4:S G4:1 E4:L G4:S Bb4:1", "A4:L F4:S r:1 A4:L C5:S r:1", "r:4"]  # fmt: skip
    solo = ["F5:1 Ab5:L A5:S C6:1 A5:1", "Ab5:L F5:S D5:1 Bb4:2", "C5:L Eb5:S F5:L Ab5:S A5:L F5:S C5:1",
            "Eb5:L C5:S A4:1 r:2", "Bb4:L D5:S F5:L Ab5:S F5:1 D5:1", "F5:L D5:S B4:L Ab4:S B4:2",
            "C5:L A4:S C5:L Eb5:S F5:2", "F#5:L A5:S C6:L A5:S F#5:1 D5:1", "G5:L F5:S D5:L Bb4:S D5:1 G4:1",
            "Bb4:L C5:S E5:L G5:S Bb5:L G5:S E5:1", "F5:L Eb5:S C5:1 Ab4:L A4:S C5:1", "F5:3 r:1"]  # fmt: skip
    walk = ["F2:1 A2:1 C3:1 A2:1", "Bb2:1 D3:1 F3:1 E3:1", "F3:1 Eb3:1 C3:1 A2:1", "F2:1 A2:1 C3:1 B2:1",
            "Bb2:1 D3:1 F3:1 G3:1", "B2:1 D3:1 F3:1 Ab3:1", "A3:1 F3:1 C3:1 Eb3:1", "D3:1 F#3:1 A3:1 Ab3:1",
            "G3:1 F3:1 D3:1 Bb2:1", "C3:1 Bb2:1 G2:1 E2:1", "F2:1 A2:1 D3:1 Ab2:1", "G2:1 Bb2:1 C3:1 E2:1"]  # fmt: skip
    shells = ["Eb3 A3 C4", "D3 Ab3 C4", "Eb3 A3 C4", "Eb3 A3 C4", "D3 Ab3 C4", "D3 Ab3 B3", "Eb3 A3 C4", "F#3 C4 E4",
              "F3 Bb3 D4", "E3 Bb3 D4", "Eb3 A3 C4", "E3 Bb3 D4"]  # fmt: skip
    tune = [swing(text) for text in chorus + solo]
    sax, organ = Part("Tenor sax", 0, 66, list(bars(tune, 4, 86, hold=0.9))), Part("Organ", 1, 17)
    bass, drums = Part("Walking bass", 2, 32), Part("Drums", DRUMS, 0)
    third = 1 / 3
    hits, ending = (((0.0, 0.5), (1 + 2 * third, 1.2)), ((2 * third, 0.9), (2 + 2 * third, 0.5))), ((0.0, 3.5),)
    swung = {RIDE: "7..7.57..7.5", PEDAL: "...6.....6..", KICK: "4..4..4..4.."}
    for i in range(24):
        at, last = 4.0 * i, i == 23
        bass.notes += line("F2:3.5" if last else walk[i % 12], at, 84, 0.9)
        for begin, length in ending if last else hits[i % 2]:
            organ.notes += chord("Eb3 A3 C4" if last else shells[i % 12], at + begin, length, 58)
        if not last:
            drums.notes += beat(swung | {SNARE: "........3..4" if i % 4 == 3 else "........3..."}, at, third)
    drums.notes += beat({CRASH: "7", KICK: "8"}, 92, 1)
    tempi, marks = [(0, 126), (90, 118), (92, 100)], [(0, "Head"), (48, "Solo")]
    return Song("Blues", tempi, [(0, 4, 4)], "F", [sax, organ, bass, drums], 96, marks)


# ---- writing ----


def chunk(events: list[tuple[int, int, object]], end: int) -> MidiTrack:
    """Events as (tick, order within the tick, message), as a track chunk."""
    track, last = MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda item: item[:2]):
        track.append(message.copy(time=tick - last))  # type: ignore[attr-defined]
        last = tick
    track.append(MetaMessage("end_of_track", time=max(end - last, 0)))
    return track


def ticks(beats: float) -> int:
    return round(beats * BEAT)


def part_events(part: Part) -> list[tuple[int, int, object]]:
    """A part's name, program, controllers and notes."""
    channel = part.channel
    events: list[tuple[int, int, object]] = [
        (0, 0, MetaMessage("track_name", name=part.name)),
        (0, 1, Message("program_change", channel=channel, program=part.program)),
    ]
    for at, number, value in part.controls:
        events.append((ticks(at), 2, Message("control_change", channel=channel, control=number, value=value)))
    for at, beats, key, loud in part.notes:
        begin, end = ticks(at), max(ticks(at + beats), ticks(at) + 1)
        events.append((begin, 4, Message("note_on", channel=channel, note=key, velocity=min(max(loud, 1), 127))))
        events.append((end, 3, Message("note_off", channel=channel, note=key, velocity=64)))
    return events


def write(song: Song, path: Path) -> None:
    """The song as a format 1 file."""
    end = ticks(song.beats)
    head: list[tuple[int, int, object]] = [(0, 0, MetaMessage("track_name", name=song.title))]
    head.append((0, 1, MetaMessage("copyright", text="CC0 1.0, written for midigpt-cli")))
    head += [(0, 1, MetaMessage("key_signature", key=song.key))] if song.key else []
    head += [(ticks(at), 2, MetaMessage("time_signature", numerator=n, denominator=d)) for at, n, d in song.metres]
    head += [(ticks(at), 3, MetaMessage("set_tempo", tempo=bpm2tempo(bpm))) for at, bpm in song.tempi]
    head += [(ticks(at), 4, MetaMessage("marker", text=text)) for at, text in song.markers]
    file = MidiFile(type=1, ticks_per_beat=BEAT)
    file.tracks.append(chunk(head, end))
    file.tracks += [chunk(part_events(part), end) for part in song.parts]
    file.save(str(path))


SONGS = {
    "pop": pop,
    "waltz": waltz,
    "seven": seven,
    "nocturne": nocturne,
    "chorale": chorale,
    "drums": funk,
    "blues": blues,
}


def main() -> None:
    """Write every piece beside this script."""
    for name, compose in SONGS.items():
        write(compose(), HERE / f"{name}.mid")


if __name__ == "__main__":
    main()
