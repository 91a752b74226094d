"""Everything known of a song, as JSON: tracks, bars, metres, tempi, keys, chords; bars and tracks count from 1."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from midigpt_cli.output.chords import chord_facts
from midigpt_cli.output.sections import section_facts
from midigpt_cli.parse.instruments import NAMES
from midigpt_core.score import DRUM, Bar, Score, Track

if TYPE_CHECKING:
    from midigpt_core.attributes.table import AttributeTable
    from midigpt_core.midi_file.facts import SongFacts

COUNTED_FROM = {"tracks": 1, "bars": 1, "channel": 0, "midi_track": 0}


def song_json(score: Score, song: str, with_attributes: bool = True) -> dict[str, Any]:
    """Everything that `midigpt info` knows of a song, under this name."""
    from midigpt_core.midi_file.facts import song_facts
    from midigpt_core.midi_file.silent import silent_tracks

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
        "sections": section_facts(score),
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
