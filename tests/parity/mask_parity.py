"""Compare legal-token masks with the peer's along real windows, listed differences applied."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from midigpt_core.plan.cut_paste import cut
from midigpt_core.plan.steps import Step
from midigpt_core.score import Score
from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES, EncodeOptions, encode
from midigpt_core.tokens.grammar import Grammar, GrammarOptions
from midigpt_core.tokens.grid import to_grid, with_listed_metres
from midigpt_core.tokens.targets import targets_in
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType as T
from tests.support import encoders, songs

WINDOW = 4
AS_THE_PEER = GrammarOptions(ascending_pitches=False)
TRACK_KINDS = [kind for _, kind in TRACK_ATTRIBUTES]
BAR_KINDS = [kind for _, kind in BAR_ATTRIBUTES]
NOTE_KINDS = (T.TIME_ABSOLUTE_POS, T.VELOCITY_LEVEL, T.DELTA_DIRECTION, T.DELTA, T.NOTE_ONSET, T.NOTE_PITCH, T.BAR_END)


@dataclass
class Peer:
    """The peer's session on one step, and its vocabulary."""

    core: object
    vocabulary: object
    encoder: object
    decoder: object

    @classmethod
    def load(cls, path) -> Peer:
        core = pytest.importorskip("midigpt._core", reason="needs the package midigpt 0.4.2")
        vocabulary = core.Vocabulary(core.EncoderConfig.from_json(path.read_text()))
        return cls(core, vocabulary, core.Encoder(vocabulary), core.Decoder(vocabulary))

    def session(self, window: Score, cells: set, autoregressive: bool, limit: int = 0):
        from midigpt._converters import to_cpp
        from midigpt._types import Bar, Note, Track
        from midigpt._types import Score as PeerScore

        tracks = [
            Track(
                bars=[
                    Bar(
                        notes=[Note(n.pitch, n.velocity, n.onset_ticks, n.duration_ticks, n.delta) for n in bar.notes],
                        ts_numerator=bar.ts_numerator,
                        ts_denominator=bar.ts_denominator,
                        beat_length=bar.beat_length,
                    )
                    for bar in track.bars
                ],
                instrument=track.instrument,
                track_type=track.track_type,
                attributes=track.attributes,
            )
            for track in window.tracks
        ]
        step = self.core.GenerationStep()
        step.start_bar, step.end_bar, step.is_autoregressive = 0, WINDOW, autoregressive
        step.bars_to_generate = cells
        step.track_indices = list(range(len(tracks)))
        step.context = [[(t, b) not in cells for b in range(WINDOW)] for t in range(len(tracks))]
        step.bar_mapping = [(t, b, t, b) for t, b in sorted(cells)]
        graph, grammar = self.core.ConstraintGraph(), self.core.GrammarConstraint()
        if autoregressive:
            grammar.set_exact_bars(WINDOW)
            grammar.set_autoregressive_mode(True)
        grammar.set_max_tracks(len(tracks))
        grammar.set_require_notes(True)
        graph.add_constraint(grammar)
        if limit:
            graph.add_constraint(self.core.DensityConstraint(limit))
        score = to_cpp(PeerScore(tracks=tracks, resolution=window.resolution))
        return self.core.SessionState(score, step, self.vocabulary, graph, self.encoder, self.decoder)


class Differences:
    """What the peer's mask becomes once each listed difference is applied; `count` says how often each did."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.vocabulary = tokenizer.vocabulary
        self.count: Counter[str] = Counter()
        self.windows = self.compared = self.outright = 0  # outright: equal before any difference was applied
        self.wrong: list[str] = []

    def apply(self, name: str, mask: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        self.count[name] += bool((mask != wanted).any())
        return wanted

    def without(self, name: str, mask: np.ndarray, *kinds: T) -> np.ndarray:
        return self.apply(name, mask, mask & ~self.ids(*kinds))

    def ids(self, *kinds: T) -> np.ndarray:
        ids = np.zeros(self.vocabulary.size, dtype=bool)
        for kind in kinds:
            start, end = self.vocabulary.range(kind)
            ids[max(start, 0) : max(end, 0)] = True
        return ids

    def own_length(self, mask: np.ndarray, last: T, position: int, grammar: Grammar) -> np.ndarray:
        """Positions up to the end of the very bar: where metres change the peer takes the last one of the prompt."""
        moves = last in (T.FILL_IN_START, T.NOTE_DURATION) or (last is T.NOTE_ONSET and grammar.here.drum)
        if not moves:
            return mask
        start, _ = self.vocabulary.range(T.TIME_ABSOLUTE_POS)
        wanted = mask & ~self.ids(T.TIME_ABSOLUTE_POS)
        wanted[start + position + 1 : start + grammar.here.ticks] = True
        return self.apply("a bar to fill in has its own length", mask, wanted)

    def __call__(self, mask: np.ndarray, last: T, in_bar: bool, grammar: Grammar) -> np.ndarray:
        mask = self.without("prompt-only tokens are never written", mask, T.MASK_BAR, T.FILL_IN_PLACEHOLDER)
        if last is T.TIME_ABSOLUTE_POS:
            mask = self.without("a position is followed by a note", mask, T.BAR_END, T.FILL_IN_END)
        if last is T.FILL_IN_END:
            mask = self.without("the next fill begins at once", mask, T.BAR_END, T.PIECE_END)
        if last is T.TIME_SIG:
            mask = self.without("attributes precede the metre", mask, *BAR_KINDS)
        if in_bar and (last is T.BAR or last in BAR_KINDS):
            mask = self.without("a bar has a metre", mask, *NOTE_KINDS)
            earlier = BAR_KINDS[: BAR_KINDS.index(last) + 1] if last in BAR_KINDS else []
            mask = self.without("attributes keep their order", mask, *earlier)
            only = self.ids(T.TIME_SIG)
            only[self.vocabulary.encode(T.TIME_SIG, grammar.here.metre)] = False
            mask = self.apply("the metre is the piece's", mask, mask & ~only)
        elif not in_bar and last in TRACK_KINDS:
            mask = self.without("attributes keep their order", mask, *TRACK_KINDS[: TRACK_KINDS.index(last) + 1])
        if grammar.here is not None and (mask & self.ids(T.TIME_ABSOLUTE_POS)).any():
            start, _ = self.vocabulary.range(T.TIME_ABSOLUTE_POS)
            zero = mask.copy()
            zero[start] = False
            mask = self.apply("position 0 needs no token", mask, zero)
        return mask


def load(name: str) -> tuple[Tokenizer, Peer]:
    """One of the published encoders, in our hands and in the peer's."""
    path = encoders() / f"{name}_encoder.json"
    return Tokenizer.from_config(path), Peer.load(path)


@cache
def read(path: Path) -> Score:
    return Score.from_midi(path)


def windows(tokenizer: Tokenizer, count: int, seed: int):
    """Windows of real songs on the grid, with attributes, that have notes; and a random generator for each."""
    found = 0
    for path in songs(2000, 23):
        rng = random.Random(f"{path.name}{seed}")
        score = read(path)
        if score.n_bars < WINDOW + 1:
            continue
        start = rng.randrange(score.n_bars - WINDOW)
        window = cut(score, Step(start, start + WINDOW, False, frozenset()))
        window = with_listed_metres(to_grid(window, tokenizer.config), tokenizer.config)
        window = replace(window, tracks=[t for t in window.tracks if any(b.notes for b in t.bars)][:6])
        if window.tracks:
            yield tokenizer.attributes.annotate(window), rng
            found += 1
        if found == count:
            return
    assert found


@dataclass
class Walk:
    """Two grammars side by side on one step."""

    session: object
    grammar: Grammar
    differ: Differences
    own_length: bool = False  # metres change: see Differences.own_length

    def follow(self, tokens: list[int], last: T) -> None:
        """Compare masks before each of `tokens`, which are those of a real song."""
        vocabulary, in_bar, position = self.grammar.vocabulary, last is T.FILL_IN_START, 0
        for token in tokens:
            if self.grammar.finished:
                return
            self.compare(last, in_bar, position)
            if not self.grammar.legal()[token]:
                self.differ.wrong.append(f"{vocabulary.decode(token)} of a real song, after {last.value}")
            self.session.advance(token)
            self.grammar.advance(token)
            last, value = vocabulary.decode(token)
            position = value if last is T.TIME_ABSOLUTE_POS else 0 if last is T.FILL_IN_START else position
            in_bar = in_bar or last is T.BAR

    def compare(self, last: T, in_bar: bool, position: int) -> None:
        """Compare one pair of masks."""
        legal = self.grammar.legal()
        raw = np.array(self.session.logit_mask())
        theirs = self.differ(raw, last, in_bar, self.grammar)
        if self.own_length and self.grammar.here is not None:
            theirs = self.differ.own_length(theirs, last, position, self.grammar)
        self.differ.compared += 1
        self.differ.outright += bool((legal == raw).all())
        for token in np.flatnonzero(legal != theirs)[:3]:
            self.differ.wrong.append(f"{self.grammar.vocabulary.decode(int(token))} after {last.value}")


def compare_infill(tokenizer: Tokenizer, peer: Peer, count: int) -> Differences:
    """Steps that fill in up to four bars, on `count` windows."""
    differ = Differences(tokenizer)
    for window, rng in windows(tokenizer, count, 1):
        sounding = [(t, b) for t, track in enumerate(window.tracks) for b, bar in enumerate(track.bars) if bar.notes]
        cells = set(rng.sample(sounding, min(len(sounding), rng.randint(1, 4))))
        tokens = encode(window, tokenizer.vocabulary, EncodeOptions(WINDOW, frozenset(cells))).tokens
        session = peer.session(window, cells, False)
        prompt = session.context_tokens()
        assert prompt == tokens[: len(prompt)]
        grammar = Grammar(tokenizer.vocabulary, targets_in(window, cells, tokenizer.vocabulary), AS_THE_PEER)
        changing = len({bar.beat_length for bar in window.tracks[0].bars}) > 1
        Walk(session, grammar.prime(prompt), differ, changing).follow(tokens[len(prompt) :], T.FILL_IN_START)
        differ.windows += 1
        assert grammar.finished
    return differ


def compare_autoregressive(tokenizer: Tokenizer, peer: Peer, count: int, history: bool) -> Differences:
    """Steps that write a track to the window's end: from its beginning, attributes too, or after some `history`."""
    differ, vocabulary = Differences(tokenizer), tokenizer.vocabulary
    for window, rng in windows(tokenizer, count, 2):
        agent = len(window.tracks) - 1
        first = rng.randint(1, WINDOW - 1) if history else 0
        cells = {(agent, bar) for bar in range(first, WINDOW)}
        if not all(window.tracks[agent].bars[bar].notes for _, bar in cells):
            continue  # the peer never lets a bar stay empty
        tokens = encode(window, vocabulary, EncodeOptions(WINDOW)).tokens
        bare = replace(window, tracks=[*window.tracks[:-1], replace(window.tracks[-1], attributes={})])
        session = peer.session(window if history else bare, cells, True)
        prompt = session.context_tokens()
        assert prompt == tokens[: len(prompt)]
        grammar = Grammar(vocabulary, targets_in(window, cells, vocabulary, True), AS_THE_PEER).prime(prompt)
        Walk(session, grammar, differ).follow(tokens[len(prompt) :], vocabulary.types[prompt[-1]])
        differ.windows += 1
        assert grammar.finished
    return differ


def compare_density(tokenizer: Tokenizer, peer: Peer, count: int, limit: int) -> Differences:
    """Random legal tokens under a limit on the notes of a bar, ended as late as may be."""
    differ, vocabulary = Differences(tokenizer), tokenizer.vocabulary
    end = vocabulary.range(T.FILL_IN_END)[0]
    for window, rng in windows(tokenizer, count, 3):
        if len({bar.beat_length for bar in window.tracks[0].bars}) > 1:
            continue
        cells = {(rng.randrange(len(window.tracks)), rng.randrange(WINDOW)) for _ in range(2)}
        session = peer.session(window, cells, False, limit)
        targets = targets_in(window, cells, vocabulary)
        grammar = Grammar(vocabulary, targets, replace(AS_THE_PEER, density_limit=limit))
        walk, last, written = Walk(session, grammar.prime(session.context_tokens()), differ), T.FILL_IN_START, 0
        while not grammar.finished:
            walk.compare(last, True, 0)
            choices = [int(token) for token in np.flatnonzero(grammar.legal()) if token != end] or [end]
            token = rng.choice(choices)
            session.advance(token)
            grammar.advance(token)
            last = vocabulary.types[token]
            written += last is T.NOTE_ONSET
        differ.windows += 1
        assert written == limit * len(cells)
    return differ
