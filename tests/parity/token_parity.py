"""Compare tokens, attribute values and decoded scores with the package midigpt 0.4.2, window by window."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from midigpt_core.attributes.attribute_table import AttributeTable
from midigpt_core.errors import TokenError
from midigpt_core.score import Score, Track
from midigpt_core.tokens import decode as reference_decode
from midigpt_core.tokens import encode as reference_encode
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import Encoded, EncodeOptions
from midigpt_core.tokens.grid import from_grid, to_grid, with_listed_metres
from midigpt_core.tokens.tokenizer import Tokenizer

CHECKS = (
    "window",
    "metres mapped",
    "attributes",
    "infill: token",
    "infill: span",
    "infill: remove",
    "open track",
    "switches",
    "decode",
)


def reference_encode_score(
    score: Score, tokenizer: Tokenizer, table: AttributeTable, options: EncodeOptions | None = None
) -> Encoded:
    grid = table.annotate(to_grid(score, tokenizer.config))
    return reference_encode.encode(grid, tokenizer.vocabulary, options)


REFERENCE = SimpleNamespace(
    encode=lambda score, tok, options: reference_encode.encode(score, tok.vocabulary, options),
    encode_score=lambda score, tok: reference_encode_score(score, tok, tok.attributes),
    decode_score=lambda ids, tok: from_grid(reference_decode.decode(ids, tok.vocabulary), tok.config),
)
PICKED = SimpleNamespace(
    encode=lambda score, tok, options: kernels.encode(score, tok.vocabulary, options),
    encode_score=lambda score, tok: kernels.encode_score(score, tok.vocabulary, tok.attributes),
    decode_score=lambda ids, tok: kernels.decode_score(ids, tok.vocabulary),
)
OURS = {"reference": REFERENCE, "compiled": PICKED}


@dataclass
class Tally:
    """Comparisons and differences of one check."""

    compared: int = 0
    tokens: int = 0
    refused: int = 0  # by both sides
    differences: list[str] = field(default_factory=list)


@dataclass
class Peer:
    """The other side: its tokenizer for one encoder configuration, fed with our scores."""

    tokenizer: Any
    core: Any

    @classmethod
    def load(cls, config: dict[str, Any]) -> Peer:
        import midigpt._core as core
        from midigpt.tokenizer import Tokenizer as PeerTokenizer

        return cls(PeerTokenizer(core.EncoderConfig.from_json(json.dumps(config))), core)

    def score(self, score: Score) -> Any:
        from midigpt import _types as types

        tracks = []
        for track in score.tracks:
            bars = [
                types.Bar(
                    [types.Note(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta) for n in bar.notes],
                    bar.ts_numerator,
                    bar.ts_denominator,
                    bar.beat_length,
                    bar.future,
                )
                for bar in track.bars
            ]
            tracks.append(types.Track(bars, track.instrument, track.track_type, dict(track.attributes)))
        return types.Score(tracks, score.resolution, score.tempo)

    def options(self, options: EncodeOptions) -> Any:
        theirs = self.core.EncodeOptions()
        theirs.window_bars = options.window_bars
        theirs.multi_fill = set(options.infill)
        theirs.partial_encode_track_index = options.partial_track
        theirs.partial_encode_track_bars = options.partial_bars
        theirs.use_span_masks = options.hiding == "span"
        theirs.remove_future_bars = options.hiding == "remove"
        theirs.use_velocity = options.use_velocity
        theirs.use_microtiming = options.use_microtiming
        theirs.genre = options.genre
        return theirs

    def encode(self, score: Score, options: EncodeOptions) -> tuple[list[int], list[tuple[int, int]]] | None:
        """Tokens and hidden spans of a score on the grid; None where the peer refuses."""
        from midigpt._converters import to_cpp

        try:
            found = self.tokenizer._encoder.encode_full(to_cpp(self.score(score)), self.options(options))
        except (RuntimeError, ValueError):
            return None
        return list(found.tokens), [tuple(span) for span in found.hidden_spans]

    def encode_score(self, score: Score) -> list[int] | None:
        """Tokens of a score of any resolution, attributes measured; None where the peer refuses."""
        try:
            return list(self.tokenizer.encode(self.score(score)))
        except (RuntimeError, ValueError):
            return None

    def values(self, score: Score, track: int) -> dict[str, int]:
        """Attribute values of one track of a score on the grid, under the peer's keys."""
        theirs = self.score(score)
        analyzer = self.tokenizer._analyzer
        found = dict(analyzer.compute_track_tokens(theirs, track))
        for bar in range(len(score.tracks[track].bars)):
            for key, value in analyzer.compute_bar_tokens(theirs, track, bar).items():
                found[f"bar_{key}_{bar}"] = value
        return found


def notes_of(score: Any) -> list[Any]:
    """What decoding must agree on, of their score or ours."""
    return [
        (
            track.instrument,
            track.track_type,
            dict(track.attributes),
            [
                (
                    bar.ts_numerator,
                    bar.ts_denominator,
                    bar.beat_length,
                    [(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta) for n in bar.notes],
                )
                for bar in track.bars
            ],
        )
        for track in score.tracks
    ]


def plain_config(path: Path) -> dict[str, Any]:
    """An encoder JSON whose controls all measure as the peer does, and whose notes are cut down as the peer's are."""
    config: dict[str, Any] = json.loads(path.read_text())
    config.pop("rounding", None)  # docs/differences.md: the nearest tick
    config["attribute_controls"] = [
        {key: value for key, value in entry.items() if key != "revision"} for entry in config["attribute_controls"]
    ]
    return config


class Comparison:
    """One encoder on both sides, and what was found so far."""

    def __init__(self, config: dict[str, Any], implementations: Sequence[str] = ("reference", "compiled")) -> None:
        self.tokenizer = Tokenizer.from_config(config)
        self.peer = Peer.load(config)
        self.ours = {name: OURS[name] for name in implementations}
        self.tallies = {check: Tally() for check in CHECKS}
        self.windows = 0
        self.files = 0

    @property
    def differences(self) -> list[str]:
        return [text for tally in self.tallies.values() for text in tally.differences]

    def song(self, score: Score, lengths: Sequence[int], rng: random.Random, name: str) -> None:
        """One window of each of these lengths that the song is long enough for."""
        before = self.windows
        for length in lengths:
            if score.n_bars >= length and score.tracks:
                start = rng.randrange(score.n_bars - length + 1)
                self.window(cut(score, start, start + length), rng, f"{name} bars {start}-{start + length}")
        self.files += self.windows > before

    def window(self, window: Score, rng: random.Random, name: str) -> None:
        self.windows += 1
        self._whole("window", window, name)
        listed = with_listed_metres(window, self.tokenizer.config)
        if listed is not window:
            self._whole("metres mapped", listed, name)
        grid = to_grid(listed, self.tokenizer.config)
        self._attributes(grid, name)
        grid = self.tokenizer.attributes.annotate(grid)
        for check, options in self._prompts(grid, rng):
            marked = with_future(grid, rng) if check.startswith("infill") else grid
            self._prompt(check, marked, options, name)

    def _prompts(self, grid: Score, rng: random.Random) -> Iterator[tuple[str, EncodeOptions]]:
        bars = grid.n_bars
        cells = [(t, b) for t in range(len(grid.tracks)) for b in range(bars)]
        for hiding in ("token", "span", "remove"):
            infill = frozenset(rng.sample(cells, rng.randint(1, max(1, len(cells) // 4))))
            yield f"infill: {hiding}", EncodeOptions(window_bars=bars, infill=infill, hiding=hiding)
        track = rng.randrange(len(grid.tracks))
        yield "open track", EncodeOptions(window_bars=bars, partial_track=track, partial_bars=rng.randint(0, bars))
        yield (
            "switches",
            EncodeOptions(
                use_velocity=rng.randint(-1, 1), use_microtiming=rng.randint(-1, 1), genre=rng.randint(-1, 20)
            ),
        )

    def _whole(self, check: str, window: Score, name: str) -> None:
        theirs = self.peer.encode_score(window)
        for label, ours in self.ours.items():
            found = refusable(lambda ours=ours: ours.encode_score(window, self.tokenizer).tokens)
            self._note(check, theirs, found, f"{name} ({label})")
        if theirs is not None:
            self._decode(theirs, name)

    def _decode(self, tokens: list[int], name: str) -> None:
        theirs = notes_of(self.peer.tokenizer.decode(tokens))
        for label, ours in self.ours.items():
            found = ours.decode_score(tokens, self.tokenizer)
            self._note("decode", theirs, notes_of(found), f"{name} ({label})", len(tokens))

    def _prompt(self, check: str, grid: Score, options: EncodeOptions, name: str) -> None:
        theirs = self.peer.encode(grid, options)
        for label, ours in self.ours.items():
            found = refusable(lambda ours=ours: ours.encode(grid, self.tokenizer, options))
            pair = None if found is None else (found.tokens, found.hidden_spans)
            self._note(check, theirs, pair, f"{name} {options} ({label})", len(theirs[0]) if theirs else 0)
        merged = 0 <= options.partial_track < len(grid.tracks) - 1  # the peer runs an open track into the next one
        if theirs is not None and not merged:
            self._decode(theirs[0], name)

    def _attributes(self, grid: Score, name: str) -> None:
        for track in range(len(grid.tracks)):
            theirs = self.peer.values(grid, track)
            self._note("attributes", theirs, self.tokenizer.attributes.values(grid, track), f"{name} track {track}")

    def _note(self, check: str, theirs: Any, ours: Any, name: str, tokens: int | None = None) -> None:
        tally = self.tallies[check]
        tally.compared += 1
        if theirs is None and ours is None:
            tally.refused += 1
        elif theirs != ours:
            tally.differences.append(f"{check}: {name}")
        tally.tokens += len(theirs or ()) if tokens is None else tokens


def refusable(call: Any) -> Any:
    """What the call returns, or None where it refuses with a TokenError."""
    try:
        return call()
    except TokenError:
        return None


def cut(score: Score, start: int, end: int) -> Score:
    """The tracks of a stretch of bars; those silent in it are kept, as long as they have the bars."""
    tracks = [replace(track, bars=track.bars[start:end], attributes={}) for track in score.tracks]
    return Score(tracks=tracks, resolution=score.resolution, tempo=score.tempo)


def with_future(score: Score, rng: random.Random) -> Score:
    """A copy in which about a fifth of the bars are marked as not to be shown."""
    tracks: list[Track] = []
    for track in score.tracks:
        tracks.append(replace(track, bars=[replace(bar, future=rng.random() < 0.2) for bar in track.bars]))
    return replace(score, tracks=tracks)
