"""Read a song as its caller says: which tracks are drums, which are not, and which channels stay apart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from os import PathLike
from typing import IO, Annotated, Any

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import READ, labelled
from midigpt_cli.parse.selectors import select_tracks
from midigpt_core.fields import refused
from midigpt_core.midi_file import ReadLimits
from midigpt_core.score import DRUM, MELODIC, Score


def _tracks(label: str, text: str) -> Any:
    option = typer.Option(metavar="TRACK", help=text, rich_help_panel=READ, autocompletion=completion.tracks)
    return labelled(label, option)


@dataclass(frozen=True)
class Reading:
    """What a file does not say of its tracks, or says wrongly."""

    drum_track: Annotated[
        list[str], _tracks("Read as drums", "Track that plays drums, no matter what the file says.")
    ] = field(default_factory=list)
    melodic_track: Annotated[
        list[str], _tracks("Read as melodic", "Track that does not play drums, no matter what the file says.")
    ] = field(default_factory=list)
    split_channels: Annotated[
        bool,
        labelled(
            "A track for each channel",
            typer.Option(
                "--split-channels",
                help="Make a track of each channel, even where one part uses several (MPE, guitar strings).",
                rich_help_panel=READ,
            ),
        ),
    ] = False


AS_IT_IS = Reading()


def read_as_told(
    file: str | PathLike[str] | bytes | IO[bytes], reading: Reading, limits: ReadLimits | None = None
) -> Score:
    """The score of a file. Raises MidiFileError, RequestValidationError."""
    score = Score.from_midi(file, split_channels=reading.split_channels, limits=limits)
    drums = select_tracks(reading.drum_track, score, "--drum-track")
    melodic = select_tracks(reading.melodic_track, score, "--melodic-track")
    for number in set(drums) & set(melodic):
        raise refused("--drum-track", number + 1, "is also declared melodic", "leave it out of --melodic-track")
    told = {number: (DRUM, "--drum-track") for number in drums}
    told |= {number: (MELODIC, "--melodic-track") for number in melodic}
    tracks = [
        replace(track, track_type=told[number][0], told_by=told[number][1]) if number in told else track
        for number, track in enumerate(score.tracks)
    ]
    return replace(score, tracks=tracks)
