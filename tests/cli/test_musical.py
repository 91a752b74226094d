"""Musical words of the command line are read as musicians write them."""

from __future__ import annotations

import pytest

from midigpt_cli.parse import control_values
from midigpt_core.errors import RequestValidationError


@pytest.mark.parametrize(
    ("word", "number"), [("C4", 60), ("a4", 69), ("Bb3", 58), ("F#-1", 6), ("Cb4", 59), ("B#3", 60), ("36", 36)]
)
def test_pitches_have_names_and_numbers(word: str, number: int) -> None:
    assert control_values.pitch(word, "--x") == number


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (control_values.scale, "F#:dorian", {"scale": "dorian", "root": 6}),
        (control_values.scale, "Eb", {"scale": "major", "root": 3}),
        (control_values.scale, "Am", {"scale": "minor", "root": 9}),
        (control_values.scale, "AM", {"scale": "major", "root": 9}),
        (control_values.scale, "C minor", {"scale": "minor", "root": 0}),
        (control_values.scale, "b min", {"scale": "minor", "root": 11}),
        (control_values.scale, "Bbmaj", {"scale": "major", "root": 10}),
        (control_values.scale, "d Harmonic Minor", {"scale": "harmonic_minor", "root": 2}),
        (control_values.pitch_range, "C2-C4", {"range": [36, 60]}),
        (control_values.pitch_range, "C-1-G9", {"range": [0, 127]}),
        (control_values.pitch_set, "C,Eb,G", {"pitch_classes": [0, 3, 7]}),
        (control_values.pitch_set, "60,E4", {"pitches": [60, 64]}),
        (control_values.grid, "eighth-triplet:0.5", {"grid": {"unit": "eighth_triplet", "strength": 0.5}}),
        (control_values.remix, "0.3:full", {"amount": 0.3, "mode": "full"}),
    ],
)
def test_controls_are_read(read, text: str, value: dict[str, object]) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (control_values.scale, "H:major"),
        (control_values.pitch_range, "C4"),
        (control_values.pitch_range, "C4-C2"),
        (control_values.pitch_set, "C,60"),
        (control_values.pitch_set, ""),
        (control_values.grid, "eigth"),
        (control_values.remix, "much"),
        (control_values.time_signature, "3-4"),
        (control_values.AttributeOption.read, "note_density"),
    ],
)
def test_what_cannot_be_read_is_refused(read, text: str) -> None:
    with pytest.raises(RequestValidationError):
        read(text)


def test_attribute_names_track_bars_and_level() -> None:
    assert control_values.AttributeOption.read("note_density=7") == control_values.AttributeOption(
        "", "", "note_density", "7"
    )
    assert control_values.AttributeOption.read("Bass/Synth/6-7:x=C major") == control_values.AttributeOption(
        "Bass/Synth", "6-7", "x", "C major"
    )
