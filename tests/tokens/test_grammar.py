"""Whatever legal tokens are drawn, the bars come out as asked, and limits hold in the written notes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import midigpt_core.tokens
from midigpt_core.errors import TokenError
from midigpt_core.plan.cut_paste import cut, kept_notes, paste
from midigpt_core.plan.steps import Step
from midigpt_core.score import Bar, Note, Score, Track
from midigpt_core.tokens.decode import decode
from midigpt_core.tokens.encode import EncodeOptions, encode
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grammar import Grammar, GrammarOptions
from midigpt_core.tokens.grammar_table import BAR, FILL, FOLLOWS, HEAD, followers
from midigpt_core.tokens.grid import from_grid, to_grid
from midigpt_core.tokens.targets import targets_in
from midigpt_core.tokens.types import TokenType as T
from midigpt_core.tokens.vocabulary import Vocabulary

BUILT_IN = Path(midigpt_core.tokens.__file__).with_name("open_encoder.json")
PLAIN = Vocabulary(EncoderConfig.load(BUILT_IN))
EXPRESSIVE = Vocabulary(  # the same with micro-timing, and both kinds of expression switchable
    EncoderConfig.from_dict(
        {
            **{k: v for k, v in EncoderConfig.load(BUILT_IN).to_dict().items() if k != "token_domains"},
            "emit_delta_tokens": True,
            "switchable_velocity": True,
            "switchable_microtiming": True,
        }
    )
)
METRES = ((4, 4), (3, 4), (7, 8), (5, 4), (2, 4))
RESOLUTION = 480
HIT = 5  # ticks of the grid a drum hit is given


def song(seed: int, n_bars: int = 6, n_tracks: int = 3, density: int = 4) -> Score:
    """Bars of changing metres, notes that ring over bar lines, the second track drums."""
    rng = random.Random(seed)
    metres = [rng.choice(METRES) for _ in range(n_bars)]
    tracks = []
    for number in range(n_tracks):
        bars = []
        for beats, unit in metres:
            length = RESOLUTION * 4 * beats // unit
            notes = [
                Note(rng.randrange(20, 100), rng.randrange(1, 128), rng.randrange(length), rng.randrange(1, 2500))
                for _ in range(rng.randint(0, density))
            ]
            bars.append(Bar(notes, beats, unit, 4 * beats / unit))
        tracks.append(Track(bars, 10 * number, "drum" if number == 1 else "melodic"))
    return Score(tracks, RESOLUTION)


def started(score: Score, step: Step, vocabulary: Vocabulary, options: GrammarOptions, **expression: int):
    """The prompt of a step whose window is 4 bars, and a grammar that has read it."""
    window = to_grid(cut(score, step), vocabulary.config)
    if step.autoregressive:
        agent, first = min(step.local_cells)
        window.tracks.append(window.tracks.pop(agent))
        cells = {(len(window.tracks) - 1, bar) for _, bar in step.local_cells}
        encoding = EncodeOptions(4, partial_track=len(window.tracks) - 1, partial_bars=first, **expression)
    else:
        cells = step.local_cells
        encoding = EncodeOptions(4, infill=frozenset(cells), **expression)
    prompt = encode(window, vocabulary, encoding).tokens
    if step.autoregressive:
        while vocabulary.types[prompt[-1]] is T.PIECE_END:
            prompt.pop()
    else:
        prompt = prompt[: prompt.index(vocabulary.range(T.FILL_IN_START)[0]) + 1]
    kept = {}
    if options.polyphony_limit:
        kept = kept_notes(score, step, vocabulary.config.resolution)
        if step.autoregressive:
            kept = {len(window.tracks) - 1: kept[agent]}
    targets = targets_in(window, cells, vocabulary, step.autoregressive, kept, dict.fromkeys(range(3), HIT))
    return prompt, Grammar(vocabulary, targets, options).prime(prompt)


def walk(grammar: Grammar, rng: random.Random, appetite: float = 0.7) -> list[int]:
    """Draw legal tokens until the grammar is finished; `appetite` is how seldom a bar is ended where it may be."""
    ends = {grammar.vocabulary.range(kind)[0] for kind in (T.BAR_END, T.FILL_IN_END)}
    written: list[int] = []
    while not grammar.finished:
        legal = grammar.legal()
        choices = np.flatnonzero(legal).tolist()
        assert choices, f"dead end after {grammar.vocabulary.types[written[-1]]}"
        assert grammar.forced() == (choices[0] if len(choices) == 1 else None)
        end = [choice for choice in choices if choice in ends]
        token = end[0] if end and rng.random() > appetite else rng.choice(choices)
        grammar.advance(token)
        written.append(token)
        assert len(written) < 20_000
    return written


@st.composite
def steps(draw: st.DrawFn) -> tuple[Score, Step]:
    score = song(draw(st.integers(0, 10_000)), density=draw(st.sampled_from((0, 2, 5))))
    start = draw(st.integers(0, 2))
    if draw(st.booleans()):
        track, first = draw(st.integers(0, 2)), draw(st.integers(0, 3))
        bars = {(track, start + bar) for bar in range(first, draw(st.integers(first + 1, 4)))}
        return score, Step(start, start + 4, True, frozenset(bars), 4)
    cells = st.tuples(st.integers(0, 2), st.integers(start, start + 3))
    return score, Step(start, start + 4, False, frozenset(draw(st.sets(cells, min_size=1, max_size=6))), 4)


SEEDS = st.integers(0, 2**31)
OPTIONS = st.builds(
    GrammarOptions,
    require_notes=st.booleans(),
    ascending_pitches=st.booleans(),
    density_limit=st.sampled_from((0, 0, 1, 3)),
    polyphony_limit=st.sampled_from((0, 0, 1, 2, 4)),
    max_tokens=st.sampled_from((0, 0, 64)),
)


@given(steps(), OPTIONS, st.sampled_from((PLAIN, EXPRESSIVE)), st.integers(0, 1), SEEDS)
@settings(max_examples=150)
def test_any_legal_tokens_write_exactly_the_bars_asked_for(case, options, vocabulary, expression, seed) -> None:
    (score, step), rng = case, random.Random(seed)
    prompt, grammar = started(score, step, vocabulary, options, use_velocity=expression, use_microtiming=expression)
    written = walk(grammar, rng, rng.choice((0.2, 0.7, 0.95)))
    if options.max_tokens:
        assert len(written) <= options.max_tokens
    result = decode(prompt + written, vocabulary)
    window = to_grid(cut(score, step), vocabulary.config)
    if step.autoregressive:
        result.tracks.insert(min(step.cells)[0], result.tracks.pop())
        assert len(result.tracks[min(step.cells)[0]].bars) == max(bar for _, bar in step.local_cells) + 1
    for number, place in step.local_cells:
        new, old = result.tracks[number].bars[place], window.tracks[number].bars[place]
        assert (new.ts_numerator, new.ts_denominator) == (old.ts_numerator, old.ts_denominator)
        assert all(0 <= note.onset_ticks < old.beat_length * result.resolution for note in new.notes)
        assert new.notes or not options.require_notes or options.polyphony_limit
        if options.density_limit:
            assert len(new.notes) <= options.density_limit
        if options.ascending_pitches:
            assert max(Counter((n.onset_ticks, n.pitch) for n in new.notes).values(), default=0) <= 1
        if vocabulary is EXPRESSIVE and not expression:
            assert all((note.velocity, note.delta) == (100, 0) for note in new.notes)


def most_at_once(track: Track, cells: set[int]) -> int:
    """The most notes of a track that sound together while a note of one of these bars sounds."""
    begin, spans = 0.0, []
    for place, bar in enumerate(track.bars):
        for note in bar.notes:
            start = round(begin * RESOLUTION) + note.onset_ticks
            spans.append((start, start + note.duration_ticks, place in cells))
        begin += bar.beat_length
    most = 0
    for start, end, new in spans:
        if new:
            times = {start} | {other for other, _, _ in spans if start < other < end}
            most = max(most, *(sum(s <= time < e for s, e, _ in spans) for time in times))
    return most


@given(steps(), st.integers(1, 4), st.sampled_from((PLAIN, EXPRESSIVE)), SEEDS)
@settings(max_examples=80)
def test_a_polyphony_limit_holds_in_the_song_with_what_rings_on_around_the_bars(case, limit, vocabulary, seed) -> None:
    (score, step), rng = case, random.Random(seed)
    prompt, grammar = started(score, step, vocabulary, GrammarOptions(polyphony_limit=limit))
    result = decode(prompt + walk(grammar, rng, 0.9), vocabulary)
    if step.autoregressive:
        result.tracks.insert(min(step.cells)[0], result.tracks.pop())
    for note in (
        note for track in result.tracks if track.track_type == "drum" for bar in track.bars for note in bar.notes
    ):
        note.duration_ticks = HIT
    done = paste(score, step, from_grid(result, vocabulary.config))
    for number in {track for track, _ in step.cells}:
        assert most_at_once(done.tracks[number], {bar for track, bar in step.cells if track == number}) <= limit


@given(steps(), SEEDS)
@settings(max_examples=40)
def test_a_copy_goes_its_own_way(case, seed) -> None:
    (score, step), rng = case, random.Random(seed)
    _, grammar = started(score, step, PLAIN, GrammarOptions(polyphony_limit=2))
    for _ in range(rng.randrange(12)):
        if not grammar.finished:
            grammar.advance(rng.choice(np.flatnonzero(grammar.legal()).tolist()))
    alone = walk(grammar.copy(), random.Random(seed))
    assert walk(grammar, random.Random(seed)) == alone


def test_the_length_of_a_filled_bar_is_its_own_not_the_last_metre_of_the_prompt() -> None:
    score = song(1, 4)
    for track in score.tracks:
        for bar, metre in zip(track.bars, ((4, 4), (3, 4), (7, 8), (2, 4)), strict=True):
            bar.ts_numerator, bar.ts_denominator, bar.beat_length = *metre, 4 * metre[0] / metre[1]
            bar.notes.clear()
    first, end = PLAIN.range(T.TIME_ABSOLUTE_POS)
    for place, ticks in enumerate((48, 36, 42, 24)):
        _, grammar = started(score, Step(0, 4, False, frozenset({(0, place)}), 4), PLAIN, GrammarOptions())
        positions = np.flatnonzero(grammar.legal()[first:end]).max()
        assert positions == ticks - 1


def test_prompts_follow_the_table() -> None:
    score = to_grid(song(5), PLAIN.config)
    cells = frozenset({(0, 1), (1, 2)})
    for options in (EncodeOptions(4), EncodeOptions(4, infill=cells)):
        window = replace(
            score, tracks=[replace(t, bars=t.bars[:4], attributes={"key_signature": 3}) for t in score.tracks]
        )
        window.tracks[0].bars[3].future = True
        tokens = encode(window, PLAIN, options).tokens
        drum, place, fills = False, HEAD, iter(sorted(cells))
        for token, following in pairwise(tokens):
            kind = PLAIN.types[token]
            if kind is T.TRACK:
                drum = PLAIN.values[token] == 1
            if kind is T.FILL_IN_START:
                drum = next(fills)[0] == 1
            place = {T.TRACK: HEAD, T.TRACK_END: HEAD, T.BAR: BAR, T.FILL_IN_START: FILL}.get(kind, place)
            if kind is not T.FILL_IN_END:
                assert PLAIN.types[following] in followers(PLAIN, place, kind, drum)


def test_every_row_of_the_table_leads_somewhere() -> None:
    for place, rows in FOLLOWS.items():
        assert all(rows.values()), place


@pytest.mark.parametrize("autoregressive", [False, True])
def test_a_prompt_that_does_not_lead_to_the_first_target_is_refused(autoregressive) -> None:
    score = song(2)
    step = Step(0, 4, autoregressive, frozenset({(0, 2)}), 4)
    prompt, grammar = started(score, step, PLAIN, GrammarOptions())
    for broken in ([], prompt[:-2]):
        fresh = Grammar(PLAIN, grammar.targets)
        with pytest.raises(TokenError, match="prompt"):
            fresh.prime(broken)


def test_an_encoder_without_metres_or_instruments_can_still_be_written() -> None:
    skipped = {"TimeSig", "Instrument", "NumBars", "VelocityLevel"}
    data = EncoderConfig.load(BUILT_IN).to_dict()
    data["token_domains"] = [row for row in data["token_domains"] if row["type"] not in skipped]
    data["attribute_controls"], data["time_signatures"] = [], []
    vocabulary = Vocabulary(EncoderConfig.from_dict(data))
    step = Step(0, 4, True, frozenset({(2, bar) for bar in range(4)}), 4)
    prompt, grammar = started(song(3, 4), step, vocabulary, GrammarOptions())
    assert len(decode(prompt + walk(grammar, random.Random(4)), vocabulary).tracks[-1].bars) == 4
