"""`midigpt transcribe`: turn audio into MIDI with bars, ready to be filled in."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options.dataclass_options import OUTPUT, command_of
from midigpt_cli.options.shared_options import AsJson, Force
from midigpt_cli.options.transcribe_options import TranscribeOptions
from midigpt_cli.output.destination import PIPE, free_name
from midigpt_cli.output.rendering import check_midi_name
from midigpt_core.fields import refused

if TYPE_CHECKING:
    from midigpt_core.audio.transcribe import Transcription


@dataclass(frozen=True)
class Transcribe:
    """The options of `transcribe`."""

    audio: Annotated[str, typer.Argument(metavar="AUDIO", help="A wav, mp3, flac or ogg file.")]
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|-",
            help="MIDI file, or - for standard output.",
            show_default="beside the audio, ending in .mid",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    notes_csv: Annotated[
        str | None, typer.Option(metavar="FILE.csv", help="Also write the notes as CSV.", rich_help_panel=OUTPUT)
    ] = None
    sonify: Annotated[
        str | None,
        typer.Option(metavar="FILE.wav", help="Also render the result: wav, mp3, flac or ogg.", rich_help_panel=OUTPUT),
    ] = None
    save_midi: Annotated[
        bool, typer.Option("--save-midi", help="Basic Pitch's flag; the MIDI file is always written.", hidden=True)
    ] = False
    save_note_events: Annotated[
        bool,
        typer.Option("--save-note-events", help="Write the notes as CSV beside the MIDI file.", rich_help_panel=OUTPUT),
    ] = False
    sonify_midi: Annotated[
        bool,
        typer.Option("--sonify-midi", help="Render the result as wav beside the MIDI file.", rich_help_panel=OUTPUT),
    ] = False
    sonification_samplerate: Annotated[
        int,
        typer.Option(help="Sample rate of the rendered result, in Hz.", min=8000, max=192_000, rich_help_panel=OUTPUT),
    ] = 44_100
    force: Force = False
    as_json: AsJson = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress or summary.", rich_help_panel=OUTPUT)] = (
        False
    )
    transcription: TranscribeOptions = field(default_factory=TranscribeOptions)


@command_of(Transcribe)
def transcribe(options: Transcribe) -> None:
    """Turn audio into MIDI with tempo and bars.

    midigpt transcribe take.wav -o - | midigpt infill - --bars 3-4 -o new.mid
    """
    from midigpt_cli.output.progress import showing
    from midigpt_core.audio import transcribe as core

    settings = options.transcription.settings()
    options = _beside(options, _named(options))
    target = _target(options)
    with showing(Path(options.audio).name, wanted=sys.stderr.isatty() and not options.quiet) as progress:
        found = core.transcribe(options.audio, settings, progress)
    if target == PIPE:
        sys.stdout.buffer.write(found.midi)
        sys.stdout.buffer.flush()
    else:
        from midigpt_core.midi_file.midi_bytes import put

        put(found.midi, target)
    if options.notes_csv:
        core.write_notes_csv(found, options.notes_csv)
    if options.sonify:
        from midigpt_core.audio.synthesis import render_audio

        render_audio(found.midi, options.sonify, rate=options.sonification_samplerate)
    _report(options, found, target)


def _named(options: Transcribe) -> str:
    """Where the MIDI goes."""
    usual = Path(options.audio).with_suffix(".mid")
    return options.output or str(usual if options.force else free_name(usual))


def _beside(options: Transcribe, target: str) -> Transcribe:
    """The options with names for the table and the sound that are wanted beside the MIDI file."""
    wanted = {"--save-note-events": options.save_note_events, "--sonify-midi": options.sonify_midi}
    flag = next((flag for flag, on in wanted.items() if on), None)
    if flag and target == PIPE:
        raise refused(flag, None, "writes beside the MIDI file", "name the files: --notes-csv FILE, --sonify FILE")
    place = Path(target)
    sound = str(place.with_suffix(".wav"))
    if options.sonify_midi and not options.sonify and Path(sound).resolve() == Path(options.audio).resolve():
        sound = str(place.with_name(f"{place.stem}.midi.wav"))  # the audio itself lies there
    return replace(
        options,
        output=target,
        notes_csv=options.notes_csv or (str(place.with_suffix(".csv")) if options.save_note_events else None),
        sonify=options.sonify or (sound if options.sonify_midi else None),
    )


def _target(options: Transcribe) -> str:
    """Where the MIDI goes; refused where it cannot, before any work."""
    target = options.output or ""
    if target == PIPE:
        if sys.stdout.isatty():
            raise refused("--output", PIPE, "would write MIDI to a terminal", "pipe it into something, or name a file")
        if options.as_json:
            raise refused("--json", None, "and --output - both use standard output", "keep one of them")
    check_midi_name("--output", target)
    files = {
        "--output": None if target == PIPE else target,
        "--notes-csv": options.notes_csv,
        "--sonify": options.sonify,
    }
    for option, name in files.items():
        if name and Path(name).exists() and not options.force:
            raise refused(option, name, "exists", "add --force to overwrite it, or choose another name")
        if name and not Path(name).parent.is_dir():
            raise refused(option, name, "is in a folder that does not exist", "make the folder first")
    if options.sonify:
        from midigpt_core.audio.audio_files import check_writable

        check_writable(options.sonify, options.sonification_samplerate)
    return target


def _report(options: Transcribe, found: Transcription, target: str) -> None:
    facts = _facts(options, found, target)
    if options.as_json:
        typer.echo(json.dumps(facts))
        return
    if options.quiet:
        return
    typer.echo(
        f"{options.audio}: {facts['seconds']:.1f} s, {facts['notes']} notes, {facts['bpm']:.2f} bpm, "
        f"{facts['bars']} bars of {facts['metre']}",
        err=True,
    )
    if found.pulse.trust == "unsure":
        typer.echo(f"{options.audio}: the tempo is a guess; give it with --bpm if you know it", err=True)
    if target != PIPE and not sys.stdout.isatty():
        typer.echo(target)


def _facts(options: Transcribe, found: Transcription, target: str) -> dict[str, Any]:
    return {
        "command": "transcribe",
        "audio": options.audio,
        "path": target,
        "notes_csv": options.notes_csv,
        "sonified": options.sonify,
        "seconds": round(found.seconds, 3),
        "notes": len(found.notes),
        "bpm": round(found.pulse.bpm, 3),
        "bpm_trust": found.pulse.trust,
        "metre": options.transcription.metre,
        "bars": found.bars,
        "offset_seconds": round(found.offset, 4),
        "followed": bool(found.pulse.beats),
    }
