"""Prompts as users write them, and what is understood of each."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from midigpt_core.words import read_prompt

DRUMS = None
# prompt -> programs (None: drums), and what else is understood
PROMPTS: list[tuple[str, list[int | None], dict[str, Any]]] = [
    ("sparse funk bass in E minor, 100 bpm", [36], {"scale": "E:minor", "bpm": 100, "styles": ("funk",)}),
    ("a slow piano ballad in C major", [0], {"scale": "C:major", "bpm": 70, "styles": ("ballad",)}),
    ("busy drums at 140", [DRUMS], {"bpm": 140}),
    ("give me an upright bass and a piano, 120 bpm", [32, 0], {"bpm": 120}),
    ("bossa nova", [DRUMS, 32, 24, 73], {"styles": ("bossa nova",), "bpm": 125}),
    ("viennese waltz with violin", [40], {"metre": "3/4", "unknown": ("viennese",)}),
    ("12 bars of blues in A", [DRUMS, 32, 25, 22], {"bars": 12, "grid": "eighth_triplet:0.8"}),
    ("lead trumpet in B flat major", [56], {"scale": "Bb:major"}),
    ("f# dorian synth lead", [81], {"scale": "F#:dorian"}),
    ("jazz trio: piano, double bass, drums", [0, 32, DRUMS], {"styles": ("jazz",), "unknown": ("trio",)}),
    ("no drums, just acoustic guitar", [25], {"unknown": ("just",)}),
    ("country song without drums", [32, 25, 110], {"styles": ("country",)}),
    ("flute melody in 6/8", [73], {"metre": "6/8"}),
    ("8 bar loop of electric piano chords at 90 bpm", [4], {"bars": 8, "bpm": 90}),
    ("string section, legato", [48], {"feels": {"min_note_duration": "quarter"}}),
    ("staccato strings", [48], {"part": {"min": None, "max_note_duration": "8th"}}),
    ("very sparse piano", [0], {"part": {"note_density": "0"}}),
    ("very busy drums", [DRUMS], {"part": {"note_density": "9"}}),
    ("high violin over low cello", [40, 42], {"part": {"register": "high"}}),
    ("paino and vioiln", [0, 40], {}),
    ("sweet saxaphone solo", [65], {"unknown": ("sweet",)}),
    ("hip hop beat", [DRUMS], {"styles": ("hip-hop",), "bpm": 90}),
    ("lofi chill beat with rhodes", [DRUMS, 4], {"styles": ("lo-fi",)}),
    ("heavy metal with distorted guitar at 160bpm", [30], {"styles": ("metal",), "bpm": 160}),
    ("house track 124 bpm", [DRUMS, 38, 4, 81], {"bpm": 124}),
    ("ambient pad", [89], {"styles": ("ambient",)}),
    ("warm synth pad, long notes", [89], {"feels": {"min_note_duration": "half"}}),
    ("folk tune for fiddle", [110], {"styles": ("folk",)}),
    ("a march for brass and timpani", [61, 47], {"styles": ("march",)}),
    ("reggae", [DRUMS, 33, 27, 16], {"bpm": 80}),
    ("swinging walking bass", [32], {"grid": "eighth_triplet:0.8"}),
    ("tango with accordion and piano", [21, 0], {"styles": ("tango",)}),
    ("samba percussion, fast", [DRUMS], {"bpm": 150}),
    ("allegro harpsichord in D minor", [6], {"bpm": 132, "scale": "D:minor"}),
    ("church organ in G minor, largo", [19], {"bpm": 50, "scale": "G:minor"}),
    ("key of G banjo picking", [105], {"scale": "G:major", "unknown": ("picking",)}),
    ("something in a minor key for piano", [0], {"scale": None, "unknown": ("minor",)}),
    ("slap bass, sixteenth notes", [36], {"grid": "sixteenth:0.9"}),
    ("monophonic clarinet line", [71], {"part": {"max_polyphony": "0"}}),
    ("quiet choir", [52], {}),
    ("rock drums and electric bass at 128 bpm", [DRUMS, 33], {"bpm": 128}),
    ("jazzy rock", [DRUMS, 32, 0, 65], {"styles": ("jazz", "rock")}),
    ("ska horns", [61], {"styles": ("ska",)}),
    ("r&b keys in Eb minor", [4], {"scale": "Eb:minor", "styles": ("r&b",)}),
    ("bluegrass banjo 150 bpm", [105], {"bpm": 150}),
    ("pentatonic guitar", [25], {"unknown": ("pentatonic",)}),
    ("A minor pentatonic guitar lead", [25], {"scale": "A:minor_pentatonic"}),
    ("c harmonic minor oboe", [68], {"scale": "C:harmonic_minor"}),
    ("music box lullaby", [10], {"unknown": ("lullaby",)}),
    ("piano, 5/4", [0], {"metre": "5/4"}),
    ("vibes and marimba", [11, 12], {}),
    ("bass", [33], {}),
    ("jazz bass", [32], {}),
    ("synth bass in F minor at tempo 126", [38], {"scale": "F:minor", "bpm": 126}),
    ("classical string quartet", [40, 40, 41, 42], {"styles": ("classical",)}),
    ("steel drums", [114], {}),
    ("piano with chords", [0, 0], {}),
    ("piano comping", [0], {"part": {"min_polyphony": "2"}}),
    ("driving bass and sparse pads", [33, 89], {"part": {"note_density": "7"}}),
    ("16 measures of french horn", [60], {"bars": 16}),
    ("", [], {"unknown": ()}),
    ("qwertz zxcvb", [], {"unknown": ("qwertz", "zxcvb")}),
]


@pytest.mark.parametrize(("text", "programs", "expected"), PROMPTS, ids=[row[0][:40] for row in PROMPTS])
def test_a_prompt_is_understood(text: str, programs: list[int | None], expected: dict[str, Any]) -> None:
    understood = read_prompt(text)
    assert [part.program for part in understood.parts] == programs
    for name, value in expected.items():
        if name == "part":
            feels = understood.parts[0].feels
            assert {aspect: feels.get(aspect) for aspect in value} == value
        else:
            assert getattr(understood, name) == value
    assert "unknown" in expected or not understood.unknown


@pytest.mark.parametrize(
    ("text", "kept"),
    [("piano in C major, D minor", "C:major"), ("100 bpm piano, 120 bpm", "100"), ("sparse busy piano", "2")],
)
def test_a_contradiction_is_named_and_the_first_word_is_kept(text: str, kept: str) -> None:
    [said] = read_prompt(text).contradictions
    assert kept in said


def test_a_part_that_is_described_does_not_describe_the_others() -> None:
    drums, bass = read_prompt("sparse drums and a busy bass").parts
    assert (drums.feels["note_density"], bass.feels["note_density"]) == ("2", "8")


def test_no_word_is_dropped_in_silence() -> None:
    understood = read_prompt("purple piano, sparse, in E minor, no drums")
    told = " ".join([*(word.text for word in understood.said), *understood.unknown])
    assert all(word in told for word in ("purple", "piano", "sparse", "e minor", "no drums"))


def test_the_page_about_words_is_up_to_date() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    made = runpy.run_path(str(docs / "make_words.py"))["page"]()
    assert (docs / "words.md").read_text(encoding="utf-8") == made, "run python docs/make_words.py"
