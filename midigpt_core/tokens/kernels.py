"""Encode, decode and measure: the compiled twins where they are built, the readable references elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from midigpt_core.attributes.attribute_table import AttributeTable
from midigpt_core.attributes.nomml import RAW_KEY
from midigpt_core.compiled import compiled
from midigpt_core.score import Score
from midigpt_core.tokens import decode as _decode
from midigpt_core.tokens import encode as _encode
from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES, Encoded, EncodeOptions
from midigpt_core.tokens.file_table import file_table
from midigpt_core.tokens.grid import from_grid, to_grid
from midigpt_core.tokens.note_table import AttributeValues, NoteTable
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

FAST_ENCODE: Any = compiled("encode")
FAST_DECODE: Any = compiled("decode")
FAST_FLATTEN: Any = compiled("flatten")
FAST_MEASURE: Any = compiled("measure")


def encode(score: Score, vocabulary: Vocabulary, options: EncodeOptions | None = None) -> Encoded:
    """As `tokens.encode.encode`: tokens of a score on the grid, attribute values read from its tracks."""
    flat = _flat(score, vocabulary, score.resolution)
    if flat is None:
        return _encode.encode(score, vocabulary, options)
    found: Encoded = FAST_ENCODE.encode_table(
        flat, vocabulary, options or EncodeOptions(), FAST_FLATTEN.given_values(score, flat)
    )
    return found


def encode_score(
    score: Score, vocabulary: Vocabulary, table: AttributeTable, options: EncodeOptions | None = None
) -> Encoded:
    """A score of any resolution to tokens, every control of the table measured on the grid."""
    plan = _plan(table)
    flat = _flat(score, vocabulary, vocabulary.config.resolution)
    if flat is None or plan is None or any(RAW_KEY in track.attributes for track in score.tracks):
        return _encode.encode(table.annotate(to_grid(score, vocabulary.config)), vocabulary, options)
    values = FAST_FLATTEN.given_values(score, flat)
    FAST_MEASURE.measure_table(flat, plan, values)
    found: Encoded = FAST_ENCODE.encode_table(flat, vocabulary, options or EncodeOptions(), values)
    return found


def decode(tokens: Sequence[int], vocabulary: Vocabulary) -> Score:
    """As `tokens.decode.decode`: the score of these ids, on the model's grid."""
    if FAST_DECODE is None:
        return _decode.decode(tokens, vocabulary)
    found: Score = FAST_DECODE.decode(tokens, vocabulary, vocabulary.config.resolution)
    return found


def decode_score(tokens: Sequence[int], vocabulary: Vocabulary) -> Score:
    """The score of these ids, at `config.decode_resolution`."""
    if FAST_DECODE is None:
        return from_grid(_decode.decode(tokens, vocabulary), vocabulary.config)
    found: Score = FAST_DECODE.decode(tokens, vocabulary, vocabulary.config.decode_resolution)
    return found


# ---- the same from flat arrays ----


def grid_table(score: Score, vocabulary: Vocabulary) -> NoteTable:
    """The arrays of a score of any resolution, on the model's grid."""
    flat = file_table(score, vocabulary.config)
    if flat is None:
        flat = _flat(score, vocabulary, vocabulary.config.resolution)
    return NoteTable.from_score(to_grid(score, vocabulary.config)) if flat is None else flat


def measure_table(notes: NoteTable, table: AttributeTable) -> AttributeValues:
    """Every control of the attribute table measured from the arrays."""
    values = AttributeValues.none(notes)
    plan = _plan(table)
    if plan is not None:
        FAST_MEASURE.measure_table(notes, plan, values)
        return values
    score = notes.to_score()
    for index in range(notes.n_tracks):
        found = table.values(score, index)
        for column, (key, _) in enumerate(TRACK_ATTRIBUTES):
            values.tracks[index, column] = found.get(key, -1)
        for bar, cell in enumerate(range(notes.track_start[index], notes.track_start[index + 1])):
            for column, (name, _) in enumerate(BAR_ATTRIBUTES):
                values.cells[cell, column] = found.get(f"bar_{name}_{bar}", -1)
    return values


def track_values(notes: NoteTable, table: AttributeTable) -> list[dict[str, int]]:
    """Per track of a score on the grid, given as arrays: what `table.track_values` says of it."""
    keys = [key for key, _ in TRACK_ATTRIBUTES]
    wanted = {c.name for c in table.attributes if c.measured and c.level == "track"}
    if _plan(table) is None or not wanted <= set(keys):
        score, known = notes.to_score(), dict[str, int]()
        return [table.track_values(score, index, known) for index in range(notes.n_tracks)]
    rows = measure_table(notes, table).tracks.tolist()
    return [{key: value for key, value in zip(keys, row, strict=True) if value >= 0} for row in rows]


def encode_table(
    notes: NoteTable,
    vocabulary: Vocabulary,
    options: EncodeOptions | None = None,
    values: AttributeValues | None = None,
) -> Encoded:
    """Tokens of a window given as arrays on the grid, with these attribute values (none: no attribute is written).

    The window's arrays are as NoteTable and AttributeValues say. Raises TokenError as `encode` does.
    """
    values = values or AttributeValues.none(notes)
    if FAST_ENCODE is not None and vocabulary.has(TokenType.NOTE_ONSET):
        found: Encoded = FAST_ENCODE.encode_table(notes, vocabulary, options or EncodeOptions(), values)
        return found
    score = notes.to_score()
    for index, track in enumerate(score.tracks):
        track.attributes = _as_attributes(values, index, notes)
    return _encode.encode(score, vocabulary, options)


def _as_attributes(values: AttributeValues, index: int, notes: NoteTable) -> dict[str, int]:
    found = {key: int(v) for (key, _), v in zip(TRACK_ATTRIBUTES, values.tracks[index], strict=True)}
    for bar, cell in enumerate(range(notes.track_start[index], notes.track_start[index + 1])):
        for (name, _), value in zip(BAR_ATTRIBUTES, values.cells[cell], strict=True):
            found[f"bar_{name}_{bar}"] = int(value)
    return {key: value for key, value in found.items() if value >= 0}


# ---- picking ----


@lru_cache(maxsize=64)
def _made_plan(table: AttributeTable) -> Any:
    return FAST_MEASURE.plan_of(table)


def _plan(table: AttributeTable) -> Any:
    """The compiled form of a table, or None where the reference has to measure."""
    return None if FAST_MEASURE is None else _made_plan(table)


def _flat(score: Score, vocabulary: Vocabulary, resolution: int) -> NoteTable | None:
    """The arrays of a score, or None where the reference has to do the work."""
    if FAST_ENCODE is None or FAST_FLATTEN is None or not vocabulary.has(TokenType.NOTE_ONSET):
        return None
    keep_delta = vocabulary.config.emit_delta_tokens
    if vocabulary.config.rounds and resolution != score.resolution:
        score = to_grid(score, vocabulary.config)  # the compiled twin only cuts down
    found: NoteTable | None = FAST_FLATTEN.flatten(score, resolution, keep_delta)
    return found
