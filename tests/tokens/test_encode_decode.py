"""What a prompt says, and that decode is the inverse of encode; on the references and on the compiled twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midigpt_core.errors import TokenError
from midigpt_core.score import DRUM, MELODIC, Bar, Note, Score, Track
from midigpt_core.tokens import encode as reference
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.note_table import AttributeValues, NoteTable
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType
from tests.support import encoders, songs
from tests.tokens.test_config import open_config

OPEN = Tokenizer.from_config(open_config())
FINE = Tokenizer.from_config(
    {key: value for key, value in open_config(switchable_microtiming=True).items() if key != "token_domains"}
)
TOKENIZERS = {"open": OPEN, "fine": FINE}

pytestmark = pytest.mark.usefixtures("implementation")
quick = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def words(tokens: list[int], tokenizer: Tokenizer = OPEN) -> list[tuple[str, int]]:
    return [(kind.value, value) for kind, value in map(tokenizer.vocabulary.decode, tokens)]


def four_bars(*notes: Note, track_type: str = MELODIC) -> Score:
    bars = [Bar(list(notes)), Bar(), Bar(), Bar()]
    return Score([Track(bars, track_type=track_type)], resolution=12)


def encode(score: Score, **options) -> list[tuple[str, int]]:
    return words(kernels.encode(score, OPEN.vocabulary, EncodeOptions(**options)).tokens)


EMPTY_BAR = [("Bar", 0), ("TimeSig", 13), ("BarEnd", 0)]
HEAD = [("PieceStart", 0), ("NumBars", 0), ("Track", 0), ("Instrument", 0)]


def test_a_prompt_names_position_level_pitch_and_duration() -> None:
    found = encode(four_bars(Note(64, 127, 6, 3), Note(60, 127, 0, 200)))
    notes = [
        *[("VelocityLevel", 31), ("NoteOnset", 60), ("NoteDuration", 95)],
        *[("TimeAbsolutePos", 6), ("NoteOnset", 64), ("NoteDuration", 2)],
    ]
    bar = [("Bar", 0), ("TimeSig", 13), *notes, ("BarEnd", 0)]
    assert found == [*HEAD, *bar, *EMPTY_BAR * 3, ("TrackEnd", 0)]


def test_chords_are_written_from_the_lowest_pitch_up_and_drums_without_durations() -> None:
    found = encode(four_bars(Note(42, 127, 0, 3), Note(36, 127, 0, 3), track_type=DRUM))
    assert [word for word in found if word[0].startswith("Note")] == [("NoteOnset", 36), ("NoteOnset", 42)]
    assert ("Track", 1) in found


def test_bars_to_fill_in_stand_at_the_end_in_order() -> None:
    score = four_bars(Note(60, 127, 0, 3))
    found = encode(score, infill=frozenset({(0, 2), (0, 0)}))
    hidden = [("Bar", 0), ("TimeSig", 13), ("FillInPlaceholder", 0), ("BarEnd", 0)]
    notes = [("VelocityLevel", 31), ("NoteOnset", 60), ("NoteDuration", 2)]
    fills = [("FillInStart", 0), *notes, ("FillInEnd", 0), ("FillInStart", 0), ("FillInEnd", 0)]
    bars = [*hidden, *EMPTY_BAR, *hidden, *EMPTY_BAR]
    assert found == [("PieceStart", 1), *HEAD[1:], *bars, ("TrackEnd", 0), *fills]


def test_an_open_track_stops_after_its_bars_without_an_end() -> None:
    found = encode(four_bars(Note(60, 127, 0, 3)), partial_track=0, partial_bars=1)
    assert [word for word in found if word[0] in ("Bar", "TrackEnd")] == [("Bar", 0)]


@pytest.mark.parametrize(
    ("hiding", "body", "spans"), [("token", [("MaskBar", 0)], 0), ("span", [], 1), ("remove", [], 0)]
)
def test_a_hidden_bar_never_shows_its_notes(hiding: str, body: list[tuple[str, int]], spans: int) -> None:
    score = four_bars(Note(60, 127, 0, 3))
    score.tracks[0].bars[0].future = True
    found = kernels.encode(score, OPEN.vocabulary, EncodeOptions(hiding=hiding))
    assert words(found.tokens)[4:] == [*EMPTY_BAR[:2], *body, *EMPTY_BAR[2:], *EMPTY_BAR * 3, ("TrackEnd", 0)]
    assert len(found.hidden_spans) == spans
    for start, end in found.hidden_spans:
        assert words(found.tokens[start:end]) == EMPTY_BAR


def test_a_removed_bar_says_nothing_of_its_attributes() -> None:
    score = four_bars()
    score.tracks[0].bars[0].future = True
    score.tracks[0].attributes = {"bar_BarLevelOnsetDensity_0": 3}
    assert ("BarLevelOnsetDensity", 3) in encode(score, hiding="span")
    assert ("BarLevelOnsetDensity", 3) not in encode(score, hiding="remove")


def test_micro_timing_is_written_with_its_direction_and_can_be_switched_off() -> None:
    score = four_bars(Note(60, 127, 6, 3, -4), Note(60, 127, 7, 3, 99))
    on = words(kernels.encode(score, FINE.vocabulary).tokens, FINE)
    assert [word for word in on if word[0].startswith("Delta")] == [("DeltaDirection", 0), ("Delta", 4), ("Delta", 5)]
    off = words(kernels.encode(score, FINE.vocabulary, EncodeOptions(use_microtiming=0)).tokens, FINE)
    assert [word for word in off if "Delta" in word[0] or "Micro" in word[0]] == [("UseMicrotiming", 0)]


@pytest.mark.parametrize(
    ("score", "options", "named"),
    [
        (Score([Track([Bar(ts_numerator=7, ts_denominator=16)] * 4)], 12), {}, "7/16"),
        (Score([Track([Bar()] * 5)], 12), {}, "5 bars"),
        (Score([Track([Bar()] * 4)], 12), {"window_bars": 6}, "6 bars"),
        (Score([Track([Bar()] * 4)], 12), {"hiding": "veil"}, "hiding: 'veil'"),
        (Score([Track([Bar()] * 4)], 12), {"infill": frozenset({(0, 4)})}, "no bar 4 in a track 0"),
        (Score([Track([Bar()] * 4)], 12), {"infill": frozenset({(-1, 0)})}, "no bar 0 in a track -1"),
        (Score([Track([Bar()] * 4)], 12), {"partial_track": 1, "partial_bars": 2}, "no track 1"),
    ],
)
def test_what_the_encoder_cannot_say_is_refused_by_name(score: Score, options: dict, named: str) -> None:
    with pytest.raises(TokenError, match=named):
        encode(score, **options)


def test_filling_in_needs_an_encoder_that_can() -> None:
    plain = Tokenizer.from_config(open_config(supports_infill=False))
    with pytest.raises(TokenError, match="supports_infill"):
        kernels.encode(four_bars(), plain.vocabulary, EncodeOptions(infill=frozenset({(0, 0)})))


def test_ids_outside_the_vocabulary_are_refused() -> None:
    for token in (-1, OPEN.vocab_size):
        with pytest.raises(TokenError, match=str(token)):
            kernels.decode([token], OPEN.vocabulary)
    with pytest.raises(TokenError, match="vocabulary"):
        kernels.decode([1 << 70], OPEN.vocabulary)


def test_numbers_beyond_what_midi_allows_end_at_the_nearest_token() -> None:
    found = encode(four_bars(Note(300, 500, 1 << 40, 1 << 40), Note(-5, 64, 0, -3)))
    assert found.count(("NoteOnset", 127)) == found.count(("NoteOnset", 0)) == 1
    assert ("TimeAbsolutePos", 191) in found


def test_a_track_that_begins_before_another_ended_is_a_track_of_its_own() -> None:
    two = Score([replace(four_bars(Note(60, 127, 0, 3)).tracks[0]) for _ in range(2)], 12)
    tokens = kernels.encode(two, OPEN.vocabulary, EncodeOptions(partial_track=0, partial_bars=2)).tokens
    assert [len(track.bars) for track in kernels.decode(tokens, OPEN.vocabulary).tracks] == [2, 4]


def test_the_tokenizer_leaves_the_score_as_it_was_and_measures_attributes() -> None:
    score = four_bars(Note(60, 100, 0, 3))
    before = Score.from_dict(score.to_dict())
    kinds = {word for word, _ in words(OPEN.encode(score))}
    assert score == before
    assert {"NoteDensity", "MinPolyphony", "KeySignature", "BarLevelOnsetDensity", "BarLevelPitchClassSet"} <= kinds
    assert not {"NoteDensity", "BarLevelOnsetDensity"} & {
        word for word, _ in words(OPEN.encode(score, attributes=False))
    }


# ---- properties ----

METRES = OPEN.config.time_signatures
LOUD = sorted({OPEN.vocabulary.velocities.decode(level) for level in range(1, 32)})


def bars_of(draw: Callable, metre: tuple[int, int], drums: bool) -> Bar:
    ticks = 48 * metre[0] // metre[1]
    cells = draw(st.lists(st.tuples(st.integers(0, ticks - 1), st.integers(0, 127)), max_size=6, unique=True))
    notes = [
        Note(pitch, draw(st.sampled_from(LOUD)), onset, 1 if drums else draw(st.integers(1, 96)))
        for onset, pitch in sorted(cells)
    ]
    return Bar(notes, metre[0], metre[1], 4.0 * metre[0] / metre[1])


@st.composite
def grid_scores(draw: Callable) -> Score:
    """Scores a prompt can say in full: notes in order, levels, programs and durations the encoder knows."""
    metres = draw(st.lists(st.sampled_from(METRES), min_size=4, max_size=4))
    tracks = []
    for drums in draw(st.lists(st.booleans(), min_size=1, max_size=3)):
        program = OPEN.vocabulary.instruments.decode(draw(st.integers(0, 108)))
        bars = [bars_of(draw, metre, drums) for metre in metres]
        tracks.append(Track(bars, program, DRUM if drums else MELODIC))
    return Score(tracks, resolution=12)


def notes_at(resolution: int) -> st.SearchStrategy[list[Note]]:
    onsets, durations, deltas = st.integers(0, 4 * resolution - 1), st.integers(0, 9000), st.integers(-400, 400)
    return st.lists(st.builds(Note, st.integers(0, 127), st.integers(1, 127), onsets, durations, deltas), max_size=8)


@st.composite
def any_scores(draw: Callable) -> Score:
    """Scores as files hold them: any order, doubled notes, any resolution."""
    resolution = draw(st.sampled_from([12, 96, 120, 480, 1024]))
    tracks = [
        Track(
            [Bar(draw(notes_at(resolution))) for _ in range(4)],
            draw(st.integers(0, 127)),
            draw(st.sampled_from([MELODIC, DRUM])),
        )
        for _ in range(draw(st.integers(1, 2)))
    ]
    return Score(tracks, resolution=resolution)


@quick
@given(grid_scores())
def test_decode_is_the_inverse_of_encode(score: Score) -> None:
    assert kernels.decode(kernels.encode(score, OPEN.vocabulary).tokens, OPEN.vocabulary) == score


@quick
@given(grid_scores(), st.data())
def test_bars_filled_in_come_back_in_their_places(score: Score, data: st.DataObject) -> None:
    cells = data.draw(st.frozensets(st.tuples(st.integers(0, len(score.tracks) - 1), st.integers(0, 3)), max_size=4))
    tokens = kernels.encode(score, OPEN.vocabulary, EncodeOptions(infill=cells)).tokens
    assert kernels.decode(tokens, OPEN.vocabulary) == score


@pytest.mark.parametrize("name", TOKENIZERS)
@quick
@given(score=any_scores())
def test_encoding_what_was_decoded_gives_the_same_tokens(name: str, score: Score) -> None:
    tokenizer = TOKENIZERS[name]
    tokens = tokenizer.encode(score)
    again = kernels.decode(tokens, tokenizer.vocabulary)
    assert kernels.encode(again, tokenizer.vocabulary).tokens == tokens


@quick
@given(any_scores())
def test_tokens_survive_the_output_resolution(score: Score) -> None:
    tokens = OPEN.encode(score, attributes=False)
    assert OPEN.encode(OPEN.decode(tokens), attributes=False) == tokens


@pytest.mark.parametrize("name", ["yellow", "prism", "expressive"])
def test_windows_of_real_songs_are_a_fixed_point_too(name: str) -> None:
    tokenizer = Tokenizer.from_config(encoders() / f"{name}_encoder.json")
    for path in songs(8, 1201):
        score = Score.from_midi(path)
        if score.n_bars < 8 or any((b.ts_numerator, b.ts_denominator) not in METRES for b in score.tracks[0].bars):
            continue
        window = replace(score, tracks=[replace(track, bars=track.bars[:8]) for track in score.tracks])
        tokens = tokenizer.encode(window)
        assert kernels.encode(kernels.decode(tokens, tokenizer.vocabulary), tokenizer.vocabulary).tokens == tokens


# ---- arrays ----


@quick
@given(grid_scores())
def test_a_score_survives_its_arrays(score: Score) -> None:
    table = NoteTable.from_score(score)
    assert table.to_score() == score
    assert table.n_bars == 4


@quick
@given(grid_scores(), st.integers(0, 3), st.data())
def test_arrays_cut_to_a_window_are_the_arrays_of_the_window(score: Score, start: int, data: st.DataObject) -> None:
    picked = data.draw(st.permutations(range(len(score.tracks))))
    expected = replace(
        score, tracks=[replace(score.tracks[i], bars=score.tracks[i].bars[start : start + 2]) for i in picked]
    )
    assert NoteTable.from_score(score).window(picked, start, start + 2).to_score() == expected


@quick
@given(any_scores())
def test_arrays_and_scores_give_the_same_tokens(score: Score) -> None:
    table = kernels.grid_table(score, OPEN.vocabulary)
    values = kernels.measure_table(table, OPEN.attributes)
    options = EncodeOptions(infill=frozenset({(0, 1)}))
    assert kernels.encode_table(table, OPEN.vocabulary, options, values).tokens == OPEN.encode(score, options)
    bare = kernels.encode_table(table, OPEN.vocabulary).tokens
    assert bare == OPEN.encode(score, attributes=False)


def test_a_value_of_minus_one_is_not_written() -> None:
    table = NoteTable.from_score(four_bars(Note(60, 100, 0, 3)))
    values = AttributeValues.none(table)
    values.tracks[0, 4] = 7
    found = words(kernels.encode_table(table, OPEN.vocabulary, None, values).tokens)
    assert [word for word in found if word[0] not in {w for w, _ in encode(table.to_score())}] == [("NoteDensity", 7)]


def test_cells_marked_hidden_are_the_only_ones_hidden() -> None:
    table = NoteTable.from_score(four_bars(Note(60, 100, 0, 3))).hidden([1, 3])
    assert [bar.future for bar in table.to_score().tracks[0].bars] == [False, True, False, True]
    assert TokenType.MASK_BAR in {
        OPEN.vocabulary.types[token] for token in kernels.encode_table(table, OPEN.vocabulary).tokens
    }


# ---- the nearest tick ----


def played() -> Score:
    """Four bars of music played up to a third of a grid tick early or late, the last one up to its very end."""
    notes = [Note(60 + i, 20 + 7 * i, max(0, 120 * i + (-13, 7, 13)[i % 3]), 100 + 9 * i) for i in range(16)]
    bars = [Bar([*notes, Note(90, 80, 1919, 30)]), Bar(), Bar(list(notes)), Bar([Note(40, 64, 1919, 2000)])]
    return Score([Track(bars), Track([replace(bar, notes=list(notes)) for bar in bars], track_type=DRUM)])


def test_both_implementations_move_notes_to_the_same_ticks() -> None:
    score, table = played(), OPEN.attributes
    grid = to_grid(score, OPEN.config)
    found = kernels.encode_score(score, OPEN.vocabulary, table).tokens
    assert found == reference.encode(table.annotate(grid), OPEN.vocabulary).tokens
    assert kernels.grid_table(score, OPEN.vocabulary).to_score() == NoteTable.from_score(grid).to_score()
    positions = {value for name, value in words(found) if name == "TimeAbsolutePos"}
    assert positions == {*range(3, 48, 3), 47}


@pytest.mark.parametrize("song", range(3))
def test_both_implementations_round_real_songs_alike(song: int) -> None:
    score = Score.from_midi(songs(3)[song])
    for bar in (bar for track in score.tracks for bar in track.bars):
        bar.notes = [replace(n, onset_ticks=max(0, n.onset_ticks - n.pitch % 30)) for n in bar.notes]
    grid = NoteTable.from_score(to_grid(score, OPEN.config)).to_score()
    assert kernels.grid_table(score, OPEN.vocabulary).to_score() == grid


def test_without_a_word_on_rounding_notes_are_cut_down_as_before() -> None:
    config = {key: value for key, value in open_config().items() if key != "rounding"}
    cutting = Tokenizer.from_config(config)
    score, table = played(), cutting.attributes
    found = kernels.encode_score(score, cutting.vocabulary, table).tokens
    assert found == reference.encode(table.annotate(to_grid(score, cutting.config)), cutting.vocabulary).tokens
    assert 47 in {value for name, value in words(found, cutting) if name == "TimeAbsolutePos"}
    onsets = [n.onset_ticks for n in kernels.grid_table(score, cutting.vocabulary).to_score().tracks[0].bars[2].notes]
    assert onsets == [max(0, 120 * i + (-13, 7, 13)[i % 3]) * 12 // 480 for i in range(16)]
