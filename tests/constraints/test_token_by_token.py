"""What each constraint leaves, or prefers, for the very next token."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from real import engine, sample

from midigpt_core.constraints.attribute_limits import PULL, Bounds, Chords, Count, Cover, Lengths
from midigpt_core.constraints.attribute_targets import MINOR_SCALE
from midigpt_core.constraints.chord_controls import ChordStrength
from midigpt_core.constraints.controls import RhythmMask
from midigpt_core.constraints.line import NEAR, Contour, Line, Motion, Sketch, kind_of, line_of
from midigpt_core.constraints.line_controls import CONTOURS, ContourControl
from midigpt_core.constraints.masks import _HEAD_KINDS, PITCH, Allowed, Cursor, Opening, Scheduled, Slot, token_mask
from midigpt_core.constraints.span import Around, Span, span_ticks
from midigpt_core.constraints.velocity import OWN, loudness
from midigpt_core.errors import RequestValidationError
from midigpt_core.score import DRUM, Bar, Note, Track
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

BAR = 48  # ticks of a 4/4 bar
LINE = Track()
UNEVEN = {"steps": 0.06, "leaps": 0.84 - 5e-10, "repeats": 0.1}  # shares of the intervals of a line


def vocabulary() -> Vocabulary:
    return engine().tokenizer.vocabulary


def values(allowed: Allowed | None, kind: TokenType) -> list[int]:
    """The values of one type of token that are allowed."""
    assert allowed is not None
    start, end = vocabulary().range(kind)
    return np.flatnonzero(allowed[start:end]).tolist()


def durations(allowed: Allowed | None) -> list[int]:
    return [value + 1 for value in values(allowed, TokenType.NOTE_DURATION)]


def positions(allowed: Allowed | None) -> list[int]:
    return values(allowed, TokenType.TIME_ABSOLUTE_POS)


def pitches(allowed: Allowed | None) -> list[int]:
    return values(allowed, TokenType.NOTE_ONSET)


# ---- attribute values ----


def test_a_bar_that_lacks_notes_moves_on_a_quarter_note_at_most() -> None:
    count = Count(vocabulary(), {0: Bounds(4, 8, BAR)})
    assert max(positions(count.allow(Cursor()))) == 12


@pytest.mark.parametrize("pitch", [0, 60])
def test_a_bar_that_may_not_be_silent_has_no_note_shorter_than_the_gap_it_would_leave(pitch: int) -> None:
    cover = Cover(vocabulary(), {0: Bounds(BAR, BAR, BAR)})
    assert min(durations(cover.allow(Cursor(pitch=pitch)))) == 6  # up to the next eighth
    spare = Cover(vocabulary(), {0: Bounds(BAR - 2, BAR, BAR)})
    assert min(durations(spare.allow(Cursor(pitch=pitch)))) == 4


def test_further_notes_of_a_chord_are_preferred_until_it_has_its_most() -> None:
    chords = Chords(vocabulary(), {0: (1, 3)})
    logprobs = np.zeros(vocabulary().size, np.float32)
    assert [chords.bias(Cursor(slot=slot), logprobs) is not None for slot in range(4)] == [False, True, True, False]
    bias = chords.bias(Cursor(slot=1), logprobs)
    assert bias is not None
    assert set(bias[token_mask(vocabulary(), *PITCH)]) == {np.float32(PULL)}


def test_durations_of_the_wanted_kind_are_preferred_once_a_note_is_begun() -> None:
    lengths = Lengths(vocabulary(), {0: (range(6, 25), [range(6, 12), range(24, 25)])})
    logprobs = np.zeros(vocabulary().size, np.float32)
    assert lengths.bias(Cursor(), logprobs) is None
    assert lengths.bias(Cursor(cell=1, pitch=60), logprobs) is None
    bias = lengths.bias(Cursor(pitch=60), logprobs)
    assert bias is not None
    assert durations(bias > 0) == [6, 7, 8, 9, 10, 11, 24]
    assert durations(lengths.allow(Cursor(pitch=60))) == list(range(6, 25))


def test_a_minor_key_has_both_sevenths() -> None:
    assert MINOR_SCALE == (0, 2, 3, 5, 7, 8, 10, 11)


# ---- lines ----


def test_a_pitch_as_far_again_from_a_curve_is_four_times_less_welcome() -> None:
    bias = Line(vocabulary(), {0: 0}).around(60.0, NEAR)
    start, _ = vocabulary().range(TokenType.NOTE_ONSET)
    assert bias[start + 64] / bias[start + 62] == pytest.approx(4.0)
    assert bias[start + 60] == 0


def test_the_line_is_the_lowest_note_of_each_onset() -> None:
    assert line_of([(12, 64), (0, 60), (0, 48), (12, 67), (0, 72)]) == [(0, 48), (12, 64)]


def test_a_contour_prefers_the_pitch_of_its_curve_and_speaks_of_the_line_alone() -> None:
    contour = Contour(vocabulary(), {0: 0}, curves={0: [60.0] * 24 + [67.0] * 24})
    nothing = np.zeros(vocabulary().size, np.float32)
    start, end = vocabulary().range(TokenType.NOTE_ONSET)
    for tick, pitch in ((0, 60), (23, 60), (24, 67), (BAR, 67)):
        bias = contour.bias(Cursor(tick=tick), nothing)
        assert bias is not None
        assert int(np.argmax(bias[start:end])) == pitch
    assert contour.bias(Cursor(slot=1), nothing) is None


def written(motion: Motion, count: int) -> list[str]:
    """The kinds of the intervals that are written where the nearest pitch that is allowed is taken."""
    at, kinds, last = Cursor(), [], 60
    for _ in range(count):
        allowed = motion.allow(at)
        pitch = last if allowed is None else min(pitches(allowed), key=lambda p: (abs(p - last), p))
        if allowed is not None:
            kinds.append(kind_of(pitch - last))
        at.slot = 1
        motion.advance(TokenType.NOTE_ONSET, pitch, at)
        at.slot, last = 0, pitch
    return kinds


@pytest.mark.parametrize(
    "shares",
    [
        {"steps": 0.1, "repeats": 0.1, "leaps": 0.8},
        {"leaps": 0.1, "repeats": 0.1, "steps": 0.8},
        {"repeats": 0.5, "steps": 0.5, "leaps": 0.0},
    ],
)
def test_shares_of_a_line_are_met_over_its_notes_and_leave_a_pitch_at_each(shares: dict[str, float]) -> None:
    found = Counter(written(Motion(vocabulary(), {0: 0}, shares={0: shares}), 101))
    assert all(abs(found[kind] - 100 * share) <= 10 for kind, share in shares.items())


def test_what_rounding_leaves_of_a_line_is_of_the_largest_share() -> None:
    assert 1 - 1e-9 < sum(UNEVEN.values()) < 1  # as near as makes a request valid
    assert set(written(Motion(vocabulary(), {0: 0}, shares={0: UNEVEN}), 6)) == {"leaps"}


def test_what_no_share_is_said_of_fills_the_rest() -> None:
    found = Counter(written(Motion(vocabulary(), {0: 0}, shares={0: {"leaps": 0.4}}), 51))
    assert found["leaps"] == 20


def test_a_line_goes_up_where_the_old_one_did_within_a_bar() -> None:
    sketch = Sketch(vocabulary(), {0: 0, 1: 0}, old={0: [(0, 60), (12, 64), (24, 62)], 1: [(0, 50)]})
    sketch.advance(TokenType.NOTE_ONSET, 70, Cursor(slot=1))
    assert min(pitches(sketch.allow(Cursor(tick=12)))) == 71
    sketch.advance(TokenType.NOTE_ONSET, 71, Cursor(tick=12, slot=1))
    assert max(pitches(sketch.allow(Cursor(tick=24)))) == 70
    assert sketch.allow(Cursor(cell=1)) is None


def test_contours_are_curves_from_low_to_high() -> None:
    places = (0.0, 0.25, 0.5, 1.0)
    assert [[round(CONTOURS[name](x), 2) for x in places] for name in ("up", "down", "arch", "dip")] == [
        [0.0, 0.25, 0.5, 1.0],
        [1.0, 0.75, 0.5, 0.0],
        [0.0, 0.71, 1.0, 0.0],
        [1.0, 0.29, 0.0, 1.0],
    ]


# ---- schedules ----


@pytest.mark.parametrize("pitch", [0, 48])
def test_each_note_of_a_scheduled_chord_has_its_own_duration(pitch: int) -> None:
    plan = Scheduled(vocabulary(), {0: [(0, [Slot(pitch, 6), Slot(64, 12)])]})
    assert durations(plan.allow(Cursor(slot=1, pitch=pitch))) == [6]
    assert durations(plan.allow(Cursor(slot=2, pitch=64))) == [12]


def test_the_first_token_of_a_vocabulary_is_of_its_type() -> None:
    first = vocabulary().types[0]
    assert token_mask(vocabulary(), first)[0]
    assert token_mask(vocabulary(), first).sum() == vocabulary().range(first)[1]


def test_around_a_span_the_old_notes_are_due_and_within_it_anything_is() -> None:
    around = Around(vocabulary(), {0: [(0, [Slot(60, 6)]), (36, [Slot(62, 6)])]}, "span", spans={0: range(12, 24)})
    assert pitches(around.allow(Cursor())) == [60]
    after = around.allow(Cursor(slot=1, last_pitch=60))
    assert pitches(after) == []
    assert positions(after) == [*range(12, 24), 36]
    inside = around.allow(Cursor(tick=15))
    assert positions(inside) == [*range(16, 24), 36]
    assert len(pitches(inside)) == 128
    assert positions(around.allow(Cursor(tick=36, slot=1, last_pitch=62))) == []


def test_a_span_up_to_a_note_that_stays_is_free_as_a_whole() -> None:
    around = Around(vocabulary(), {0: [(24, [Slot(62, 6)])]}, "span", spans={0: range(12, 24)})
    assert positions(around.allow(Cursor())) == list(range(12, 25))


def test_a_span_is_counted_in_ticks_of_the_grid() -> None:
    assert span_ticks([1.5, 3], 12) == range(18, 36)


# ---- attributes at the head of a bar ----


def test_an_attribute_that_was_asked_for_is_written_before_the_bar_goes_on() -> None:
    kind, *others = [kind for kind in _HEAD_KINDS if vocabulary().has(kind)]
    for free in (False, True):
        opening = Opening(vocabulary(), {kind: 1}, {}, free)
        allowed = opening.allow(Cursor())
        assert values(allowed, kind) == [1]
        assert values(allowed, TokenType.TIME_SIG) == []
        assert all(bool(values(allowed, other)) is free for other in others)
    opening.advance(TokenType.TIME_SIG, 0, Cursor())
    assert opening.allow(Cursor()) is None


# ---- how loud ----


def test_notes_as_loud_as_the_track_are_so_at_each_place_of_a_bar() -> None:
    bars = [Bar([Note(60, 100, 0, 40), Note(62, 40, 240, 40)]) for _ in range(10)]
    found = loudness({"velocity": OWN}, bars, 480)
    assert found is not None
    assert (found.low, found.high) == (40, 100)
    assert found.accents == {0: 100.0, 2: 40.0}
    silent = loudness({"velocity": OWN}, [Bar()], 480)
    assert silent is not None
    assert (silent.low, silent.high, silent.accents) == (1, 127, {})


# ---- values that are refused ----


@pytest.mark.parametrize(
    ("control", "value"),
    [
        (Span(), [3]),
        (Span(), ["0", "1"]),
        (Span(), [True, 2]),
        (Span(), [2, 1]),
        (Span(), [-1, 1]),
        (ContourControl(), "sideways"),
        (ContourControl(), 3),
        (ChordStrength(), -0.5),
        (ChordStrength(), 11),
        (ChordStrength(), True),
        (RhythmMask(), {"positions": [{"pos": 0, "polyphony": 33}]}),
        (RhythmMask(), {"positions": [{"pos": 0, "polyphony": 0}]}),
    ],
)
def test_a_value_outside_a_control_s_range_is_refused(control, value: object) -> None:
    with pytest.raises(RequestValidationError):
        control.check(value, "here", engine().tokenizer.config, LINE)


@pytest.mark.parametrize(
    ("control", "value"),
    [
        (Span(), [0, 1.5]),
        (ContourControl(), "dip"),
        (ChordStrength(), 0),
        (ChordStrength(), 0.5),
        (ChordStrength(), 10),
        (RhythmMask(), {"positions": [{"pos": 0, "polyphony": 32}]}),
    ],
)
def test_a_value_within_a_control_s_range_is_taken(control, value: object) -> None:
    control.check(value, "here", engine().tokenizer.config, sample("pop").tracks[1])


def test_a_contour_is_not_for_drums() -> None:
    with pytest.raises(RequestValidationError, match="drums"):
        ContourControl().check("up", "here", engine().tokenizer.config, Track(track_type=DRUM))
