"""How audio is listened to: the options of `midigpt transcribe` and the fields of POST /audio_to_midi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from midigpt_cli.options import completion
from midigpt_cli.options.dataclass_options import labelled
from midigpt_core.fields import refused
from midigpt_core.music import metre_of

if TYPE_CHECKING:
    from midigpt_core.audio.transcribe import TranscribeSettings

NOTES, TIME = "Which notes", "Tempo and bars"


@dataclass(frozen=True)
class TranscribeOptions:
    """Which notes count, and how they are put into bars."""

    bpm: Annotated[
        float | None,
        labelled(
            "Tempo",
            typer.Option(
                "--bpm",
                "--midi-tempo",
                help="Beats per minute; the metre's lower number is the beat.",
                show_default="estimated",
                rich_help_panel=TIME,
            ),
        ),
    ] = None
    metre: Annotated[str, labelled("Time signature", typer.Option(help="Time signature.", rich_help_panel=TIME))] = (
        "4/4"
    )
    downbeat: Annotated[
        float | None,
        labelled(
            "Time of a downbeat",
            typer.Option(help="Time of a downbeat, in seconds.", show_default="estimated", rich_help_panel=TIME),
        ),
    ] = None
    follow: Annotated[
        bool,
        labelled(
            "Follow the tempo",
            typer.Option("--follow", help="Track the tempo beat by beat, for unsteady playing.", rich_help_panel=TIME),
        ),
    ] = False
    snap: Annotated[
        int,
        labelled(
            "Quantise",
            typer.Option(
                help="Quantise to this many parts of a quarter note (4: sixteenths, 0: off).",
                min=0,
                max=48,
                rich_help_panel=TIME,
            ),
        ),
    ] = 0
    onset_threshold: Annotated[
        float, labelled("Onset threshold", typer.Option(help="Onset threshold, 0 to 1.", rich_help_panel=NOTES))
    ] = 0.5
    frame_threshold: Annotated[
        float,
        labelled(
            "Sustain threshold", typer.Option(help="Threshold for holding a pitch, 0 to 1.", rich_help_panel=NOTES)
        ),
    ] = 0.3
    minimum_note_length: Annotated[
        float,
        labelled(
            "Shortest note", typer.Option(help="Drop notes shorter than this, in milliseconds.", rich_help_panel=NOTES)
        ),
    ] = 127.7
    minimum_frequency: Annotated[
        float | None,
        labelled(
            "Lowest frequency", typer.Option(help="Drop notes below this frequency, in Hz.", rich_help_panel=NOTES)
        ),
    ] = None
    maximum_frequency: Annotated[
        float | None,
        labelled(
            "Highest frequency", typer.Option(help="Drop notes above this frequency, in Hz.", rich_help_panel=NOTES)
        ),
    ] = None
    no_melodia: Annotated[
        bool,
        labelled(
            "Clear onsets only",
            typer.Option("--no-melodia", help="Keep only notes with a clear onset.", rich_help_panel=NOTES),
        ),
    ] = False
    pitch_bends: Annotated[
        bool,
        labelled(
            "Pitch bends",
            typer.Option(
                "--pitch-bends",
                "--multiple-pitch-bends",
                help="Write pitch bends where only one note sounds.",
                rich_help_panel=NOTES,
            ),
        ),
    ] = False
    instrument: Annotated[
        str,
        labelled(
            "Instrument",
            typer.Option(
                help="General MIDI instrument of the track.",
                rich_help_panel=NOTES,
                autocompletion=completion.instruments,
            ),
        ),
    ] = "Acoustic Grand Piano"

    def settings(self) -> TranscribeSettings:
        """The library's settings. Raises RequestValidationError, AudioError."""
        from midigpt_cli.parse.instruments import program_of
        from midigpt_core.audio.note_finding import FindingSettings
        from midigpt_core.audio.transcribe import TranscribeSettings

        metre = metre_of(self.metre)
        if metre is None:
            raise refused("--metre", self.metre, "is not a time signature", "write 4/4, 3/4 or 6/8, for example")
        finding = FindingSettings(
            self.onset_threshold,
            self.frame_threshold,
            self.minimum_note_length,
            self.minimum_frequency,
            self.maximum_frequency,
            not self.no_melodia,
        )
        return TranscribeSettings(
            finding=finding,
            bpm=self.bpm,
            metre=metre,
            downbeat=self.downbeat,
            follow=self.follow,
            snap=self.snap,
            bends=self.pitch_bends,
            program=program_of(self.instrument),
        )
