"""A step that is too long for the model loses whole tracks, the least related first."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from midigpt_core.plan.drop_order import by_relevance, drop_order, expected_tokens
from midigpt_core.plan.roles import role
from midigpt_core.plan.steps import Step
from midigpt_core.score import Bar, Note, Score, Track
from midigpt_core.tokens.encode import EncodeOptions, encode
from midigpt_core.tokens.grid import to_grid, with_listed_metres
from midigpt_core.tokens.tokenizer import Tokenizer
from tests.support import encoders, songs


def track(pitches: list[list[int]], kind: str = "melodic", program: int = 0) -> Track:
    """Four bars, each with these chords on its beats."""
    bars = [
        Bar([Note(pitch, 90, 12 * beat, 6) for beat, chord in enumerate(pitches) for pitch in chord]) for _ in range(4)
    ]
    return Track(bars, program, kind)


BAND = Score(
    [
        track([[60], [62], [64], [65]], program=73),  # 0 lead
        track([[48, 52, 55], [], [50, 53, 57], []]),  # 1 harmony
        track([[36], [36], [31], [31]], program=33),  # 2 bass
        track([[36], [38], [36], [38, 42]], "drum"),  # 3 kit
        track([[54], [70], [54], [70]], "drum"),  # 4 percussion
        track([[], [], [], []]),  # 5 silent
        track([[42], [42], [46], [42]], "drum"),  # 6 cymbals
    ],
    resolution=12,
)
EVEN = dict.fromkeys(range(7), 100)


def step_for(number: int) -> Step:
    return Step(0, 4, False, frozenset({(number, 2)}))


def test_parts_are_told_apart() -> None:
    parts = [role(t, 0, t.n_bars) for t in BAND.tracks]
    assert parts == ["lead", "harmony", "bass", "kit", "percussion", "silent", "cymbals"]


def test_the_least_related_tracks_go_first() -> None:
    assert drop_order(BAND, step_for(2))[0] == 5
    assert by_relevance(BAND, step_for(2), [0, 1, 3, 4, 5, 6], EVEN)[-2:] == [1, 3]
    assert by_relevance(BAND, step_for(6), [0, 1, 2, 3, 4, 5], EVEN)[-1] == 3
    assert by_relevance(BAND, step_for(0), [1, 2, 3, 4, 5, 6], EVEN)[-1] == 1


def test_of_two_equally_related_tracks_the_dearer_goes() -> None:
    order = by_relevance(BAND, step_for(0), [1, 2, 3, 4, 5, 6], {**EVEN, 4: 100, 6: 900})
    assert order.index(6) < order.index(4)


@given(st.sets(st.integers(0, 6), max_size=3), st.lists(st.integers(0, 6), max_size=3), st.integers(0, 6))
def test_listed_tracks_go_before_all_others_and_kept_ones_never(keep, first, target) -> None:
    order = drop_order(BAND, step_for(target), keep, first)
    assert set(order) == set(EVEN) - keep - {target}
    listed = [track for track in dict.fromkeys(first) if track in order]
    assert order[: len(listed)] == listed


def test_the_expected_length_is_near_the_real_one() -> None:
    tokenizer = Tokenizer.from_config(encoders() / "yellow_encoder.json")
    guessed = real = 0
    for path in songs(12, 61):
        score = Score.from_midi(path)
        step = Step(0, min(8, score.n_bars), False, frozenset((0, bar) for bar in range(min(8, score.n_bars))))
        guessed += expected_tokens(score, step)
        alone = to_grid(
            Score([replace(score.tracks[0], bars=score.tracks[0].bars[:8])], score.resolution), tokenizer.config
        )
        real += len(encode(with_listed_metres(alone, tokenizer.config), tokenizer.vocabulary, EncodeOptions(8)).tokens)
    assert 0.6 < guessed / real < 1.7
