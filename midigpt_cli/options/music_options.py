"""Options for the notes to be written; each may be limited to some tracks and bars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import MUSIC, labelled

WHERE = "[TRACK/][BARS:]"  # before a value: where it holds


def _control(label: str, value: str, text: str, *names: str, **more: Any) -> Any:
    """An option that takes a value of this form for some tracks and bars; `names` where its field's does not do."""
    return labelled(label, typer.Option(*names, metavar=f"{WHERE}{value}", help=text, rich_help_panel=MUSIC, **more))


def _switch(label: str, name: str, text: str, values: str = "on") -> Any:
    """The same, of which the value may be left out."""
    return labelled(label, typer.Option(name, metavar=f"[{WHERE}{values}]", help=text, rich_help_panel=MUSIC))


@dataclass(frozen=True)
class Music:
    """Controls of the notes to be written; TRACK/ and BARS: before a value limit it to some tracks and bars."""

    attribute: Annotated[
        list[str],
        _control(
            "Attributes",
            "NAME=LEVEL",
            "Set a musical attribute: note_density=7, 6:note_density=2 (bar 6), drums/note_density=7.",
            "--attribute",
            "-a",
            autocompletion=completion.attributes,
        ),
    ] = field(default_factory=list)
    scale: Annotated[
        list[str],
        _control(
            "Key and scale",
            "ROOT:SCALE",
            "Use only the pitches of a scale, such as C:major.",
            "--scale",
            "--key",
            autocompletion=completion.scales,
        ),
    ] = field(default_factory=list)
    pitch_range: Annotated[
        list[str], _control("Pitch range", "LOW-HIGH", "Use only pitches in a range: C2-C4 (C4 is 60) or 36-60.")
    ] = field(default_factory=list)
    pitch_set: Annotated[
        list[str], _control("Allowed pitches", "PITCHES", "Use only these pitches: C,Eb,G (any octave) or 60,63,67.")
    ] = field(default_factory=list)
    chords: Annotated[
        list[str],
        _control(
            "Chords",
            "CHORDS",
            "Chords to follow: '5:Am 6:F,G 7:C/E', 'Am F C G' (one per bar), heard (estimated from the notes) or file "
            "(named in the song).",
        ),
    ] = field(default_factory=list)
    chord_strength: Annotated[
        list[str],
        _control(
            "Follow the chords", "NUMBER", "How strongly new notes follow the chords (0: not at all). Default: 1."
        ),
    ] = field(default_factory=list)
    motion: Annotated[
        list[str],
        _control(
            "Steps and leaps",
            "KIND:SHARE",
            "Share of steps, leaps or repeats in a line: steps:0.6, or steps:0.6,leaps:0.2.",
        ),
    ] = field(default_factory=list)
    contour: Annotated[
        list[str], _control("Shape of the line", "CONTOUR", "Shape of the line: up, down, arch or dip.")
    ] = field(default_factory=list)
    keep_range: Annotated[
        list[str], _switch("Keep the pitch range", "--keep-range", "Stay within each bar's old pitch range.")
    ] = field(default_factory=list)
    keep_contour: Annotated[
        list[str], _switch("Keep the shape", "--keep-contour", "Rise and fall where the old bar did, with other notes.")
    ] = field(default_factory=list)
    grid: Annotated[
        list[str],
        _control(
            "Rhythm grid",
            "UNIT[:STRENGTH]",
            "Rhythm grid: eighth, sixteenth_triplet, ..., with a strength from 0 to 1 (1: strict).",
            autocompletion=completion.grids,
        ),
    ] = field(default_factory=list)
    rhythm_lock: Annotated[
        list[str],
        _switch(
            "Keep the rhythm",
            "--rhythm-lock",
            "Keep the rhythm and write new pitches (onsets: any number of notes at each onset).",
            "on|onsets",
        ),
    ] = field(default_factory=list)
    rhythm_from: Annotated[
        list[str],
        _control(
            "Rhythm of another track",
            "SOURCE[:every]",
            "Begin notes only where another track does (every: at each of its notes): bass/drums, or with one drum, "
            "bass/kick (kick, snare, hats, toms, crash, ride).",
        ),
    ] = field(default_factory=list)
    fill: Annotated[
        list[str],
        _control(
            "Drum fill",
            "end|BEATS",
            "Drum fill at the end of the new bars: end (two beats) or a number of beats; 8:4 fills bar 8.",
        ),
    ] = field(default_factory=list)
    swing: Annotated[
        list[str], _control("Swing", "AMOUNT", "How late offbeat eighths are, from 0 (straight) to 1 (triplet feel).")
    ] = field(default_factory=list)
    syncopation: Annotated[
        list[str],
        _control(
            "Syncopation",
            "SHARE|more|less",
            "Share of notes off the beat with none on the next beat, 0 to 1; or more or less than elsewhere.",
        ),
    ] = field(default_factory=list)
    remix: Annotated[
        list[str],
        _control(
            "Share of notes to change", "SHARE[:full]", "Change this share of the notes, 0 to 1 (full: durations too)."
        ),
    ] = field(default_factory=list)
    time_signature: Annotated[
        list[str], _control("Time signature", "N/D", "Time signature shown to the model; bars keep their length.")
    ] = field(default_factory=list)
    velocity: Annotated[
        list[str],
        _control(
            "Loudness (velocity)",
            "LOW-HIGH|own|on|off",
            "Velocity range: 40-90, or own (the track's range and accents). on or off: write dynamics or not, if the "
            "model supports both.",
        ),
    ] = field(default_factory=list)
    humanise: Annotated[list[str], _control("Human feel", "AMOUNT", "How much velocities and timing vary, 0 to 1.")] = (
        field(default_factory=list)
    )
    microtiming: Annotated[
        bool | None,
        labelled(
            "Notes off the grid",
            typer.Option(
                "--microtiming/--no-microtiming",
                help="Write notes off the grid or on it, if the model supports both.",
                rich_help_panel=MUSIC,
            ),
        ),
    ] = None
    genre: Annotated[
        str | None, labelled("Genre", typer.Option(help="Genre, if the model knows genres.", rich_help_panel=MUSIC))
    ] = None
    prompt: Annotated[
        str | None,
        labelled(
            "Describe the music",
            typer.Option(
                metavar="TEXT",
                help='Text prompt: "sparse funk bass in E minor, 100 bpm" (docs/words.md); options override it.',
                rich_help_panel=MUSIC,
            ),
        ),
    ] = None
