"""Everything known of a song, as JSON: tracks, bars, metres, tempi, keys, chords; bars and tracks count from 1."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from midigpt_cli.output.chord_list import chord_facts
from midigpt_cli.output.section_list import section_facts
from midigpt_cli.parse.instruments import NAMES
from midigpt_core.score import DRUM, Score, Track

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.midi_file.song_facts import SongFacts
    from midigpt_core.tokens.tokenizer import Tokenizer

COUNTED_FROM = {"tracks": 1, "bars": 1, "channel": 0, "midi_track": 0}


def song_json(score: Score, song: str, with_attributes: bool = True) -> dict[str, Any]:
    """Everything that `midigpt info` knows of a song, under this name."""
    from midigpt_core.midi_file.silent_tracks import silent_tracks
    from midigpt_core.midi_file.song_facts import song_facts
    from midigpt_core.tokens.kernels import grid_table, track_values

    facts = song_facts(score)
    source = score.source
    tokenizer = _built_in()
    values = track_values(grid_table(score, tokenizer.vocabulary), tokenizer.attributes)
    shown = _told(tokenizer.attributes, values) if with_attributes else [{} for _ in score.tracks]
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
        "key_by_notes": _key_by_notes(tokenizer.attributes, score, values),
        "sections": section_facts(score),
        "chords": chord_facts(score) if with_attributes else [],
        "silent_tracks": [
            {"name": item.track.name, "midi_track": item.track.midi_track, "drums": item.track.track_type == DRUM}
            for item in silent_tracks(score)
        ],
        "tracks": [_track_report(i, track, facts, shown[i]) for i, track in enumerate(score.tracks)],
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


def _built_in() -> Tokenizer:
    """The encoder of the built-in model, whose controls are told."""
    from importlib.resources import files

    from midigpt_core.tokens.tokenizer import Tokenizer

    return Tokenizer.from_config(str(files("midigpt_core.tokens") / "open_encoder.json"))


def _told(table: AttributeTable, values: Sequence[dict[str, int]]) -> list[dict[str, Any]]:
    """The track-level controls of each track, as {name: {"value", "of" (how many values there are), "label"}}."""
    labels = {attribute.name: attribute.labels() for attribute in table.attributes}
    sizes = {attribute.name: attribute.size for attribute in table.attributes}

    @cache
    def told(name: str, value: int) -> dict[str, Any]:
        known = labels[name]
        return {"value": value, "of": sizes[name], "label": known[value] if value < len(known) else str(value)}

    return [{name: told(name, found[name]) for name in labels if name in found} for found in values]


def _key_by_notes(table: AttributeTable, score: Score, values: Sequence[dict[str, int]]) -> str | None:
    """The key that the notes of all melodic tracks together suggest: each of them has it among its values."""
    control = table.get("key_signature")
    for track, found in zip(score.tracks, values, strict=True):
        if control is not None and track.track_type != DRUM and track.count_notes(0, track.n_bars):
            return control.labels()[found[control.name]]
    return None
