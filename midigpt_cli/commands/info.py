"""`midigpt info`: what is in a song, and which track sounds in which bar."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.exit_codes import DONE, UNREADABLE
from midigpt_cli.options.settings import command_of
from midigpt_cli.output.chords import chord_facts
from midigpt_cli.output.destination import read_song
from midigpt_cli.output.song_report import EVERY, SOME, report_lines
from midigpt_cli.parse.instruments import NAMES
from midigpt_cli.parse.reading import AS_IT_IS, Reading
from midigpt_core.errors import MidiGptError, RequestValidationError
from midigpt_core.score import DRUM, Bar, Score, Track

if TYPE_CHECKING:
    from midigpt_core.attributes.table import AttributeTable
    from midigpt_core.midi_file.facts import SongFacts

COUNTED_FROM = {"tracks": 1, "bars": 1, "channel": 0, "midi_track": 0}


@dataclass(frozen=True, kw_only=True)
class Info:
    """Everything `info` may be told."""

    songs: Annotated[list[str], typer.Argument(metavar="SONG...", help="MIDI files, or - for standard input.")]
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
    attributes: Annotated[bool, typer.Option(help="Show the attributes measured on each track.")] = True
    reading: Reading
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Facts only: no piano roll, no attributes.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every change of metre, tempo and key.")] = False


@command_of(Info)
def info(options: Info) -> None:
    """Show tracks, bars, metres, tempi, key and length, and which track sounds where. Bars and tracks count from 1."""
    found, code = [], DONE
    for song in options.songs:
        try:
            found.append(song_report(song, options.attributes and not options.quiet, options.reading))
        except RequestValidationError:
            raise
        except MidiGptError as error:
            typer.echo(f"midigpt: {error}", err=True)
            code = UNREADABLE
    if options.as_json and found:
        told = found[0] if len(options.songs) == 1 else {"songs": found}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    width = 0 if options.quiet else shutil.get_terminal_size().columns
    most = EVERY if options.verbose else SOME
    for number, report in enumerate([] if options.as_json else found):
        typer.echo("\n" * bool(number) + "\n".join(report_lines(report, width, most)))
    if code != DONE:
        raise typer.Exit(code)


def song_report(song: str, with_attributes: bool = True, reading: Reading = AS_IT_IS) -> dict[str, Any]:
    """Everything this command knows of a song. Raises MidiFileError."""
    from midigpt_core.midi_file.facts import song_facts
    from midigpt_core.midi_file.silent import silent_tracks

    score = read_song(song, reading)
    facts = song_facts(score)
    source = score.source
    table, grid = _measuring(score)
    values = _attribute_values(table, grid) if with_attributes else [{} for _ in score.tracks]
    return {
        "song": song,
        "counted_from": COUNTED_FROM,
        "format": source.layout.format if source else 1,
        "ticks_per_quarter": score.resolution,
        "bars": facts.bars,
        "seconds": round(facts.seconds, 3),
        "metres": [{"bar": bar + 1, "metre": metre} for bar, metre in facts.metres],
        "short_bars": [{"bar": bar + 1, "quarters": round(length, 4)} for bar, length in facts.short_bars],
        "tempi": [{"bar": bar + 1, "bpm": round(bpm, 3)} for bar, bpm in facts.tempi],
        "keys": [{"bar": bar + 1, "key": key} for bar, key in facts.keys],
        "key_by_notes": _key_by_notes(table, grid),
        "chords": chord_facts(score) if with_attributes else [],
        "silent_tracks": [
            {"name": item.track.name, "midi_track": item.track.midi_track, "drums": item.track.track_type == DRUM}
            for item in silent_tracks(score)
        ],
        "tracks": [_track_report(i, track, facts, values[i]) for i, track in enumerate(score.tracks)],
    }


def _track_report(index: int, track: Track, facts: SongFacts, values: dict[str, Any]) -> dict[str, Any]:
    found = facts.tracks[index]
    drums = track.track_type == DRUM
    return {
        "number": index + 1,
        "name": track.name,
        "instrument": "Drums" if drums else NAMES[track.instrument],
        "program": track.instrument,
        "drums": drums,
        "told_by": track.told_by,
        "channel": track.channel,
        "channels": list(track.channels),
        "midi_track": track.midi_track,
        "notes": found.notes,
        "lowest": found.lowest,
        "highest": found.highest,
        "sounding_bars": [bar + 1 for bar in found.sounding],
        "attributes": values,
    }


def _measuring(score: Score) -> tuple[AttributeTable, Score]:
    """The controls of the built-in encoder, and the score on its grid."""
    from importlib.resources import files

    from midigpt_core.tokens.grid import to_grid
    from midigpt_core.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_config(str(files("midigpt_core.tokens") / "open_encoder.json"))
    return tokenizer.attributes, to_grid(score, tokenizer.config)


def _attribute_values(table: AttributeTable, grid: Score) -> list[dict[str, Any]]:
    """The track-level controls of each track, as {name: {"value", "of" (how many values there are), "label"}}."""
    from midigpt_core.tokens.kernels import track_values

    known = {attribute.name: attribute for attribute in table.attributes}
    labels = {name: attribute.labels() for name, attribute in known.items()}
    return [
        {
            name: {
                "value": value,
                "of": known[name].size,
                "label": labels[name][value] if value < len(labels[name]) else str(value),
            }
            for name, value in sorted(found.items(), key=lambda item: list(known).index(item[0]))
        }
        for found in track_values(grid, table)
    ]


def _key_by_notes(table: AttributeTable, grid: Score) -> str | None:
    """The key that the notes of all melodic tracks together suggest."""
    control = table.get("key_signature")
    melodic = [track for track in grid.tracks if track.track_type != DRUM and any(bar.notes for bar in track.bars)]
    if control is None or not melodic:
        return None
    together = [
        Bar([note for bar in bars for note in bar.notes]) for bars in zip(*(t.bars for t in melodic), strict=True)
    ]
    value = control.value(replace(grid, tracks=[Track(together)]), 0)
    return control.labels()[value]
