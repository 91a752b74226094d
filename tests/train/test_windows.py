"""Training windows are the prompts of inference, and nothing steers an infill that nobody steers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midigpt_core.attributes.attribute_table import AttributeTable
from midigpt_core.errors import TrainingError
from midigpt_core.midi_file import read_score
from midigpt_core.plan.cut_paste import cut
from midigpt_core.plan.steps import Step
from midigpt_core.score import DRUM, Score
from midigpt_core.tokens.decode import decode
from midigpt_core.tokens.encode import EncodeOptions, encode
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.draw_windows import Pool, Reads, WindowMaker
from midigpt_core.train.patterns import PATTERNS
from midigpt_core.train.shards import Shards
from midigpt_core.train.training_config import MixGroup, WindowConfig
from midigpt_core.train.training_example import Window, WindowTrack, as_score, assemble

CONTROLS = {TokenType.NOTE_DENSITY, TokenType.MIN_POLYPHONY, TokenType.MAX_POLYPHONY, TokenType.KEY_SIGNATURE}


@pytest.fixture(scope="module")
def vocabulary(encoder: EncoderConfig) -> Vocabulary:
    return Vocabulary(encoder)


def maker(shards: Shards, vocabulary: Vocabulary, **settings: object) -> WindowMaker:
    return WindowMaker(shards, vocabulary, WindowConfig(**settings), Reads(512))  # type: ignore[arg-type]


def window_of(shards: Shards, song: Path, start: int, bars: int) -> Window:
    """The window of a song's bars on all its tracks, straight from the shards."""
    row = shards.pieces[shards.names().index(song.name)]
    metres = shards.metres[row["first_bar"] + start : row["first_bar"] + start + bars].tolist()
    numbers = range(row["first_track"], row["first_track"] + row["n_tracks"])
    tracks = [
        WindowTrack(
            int(shards.tracks["instrument"][n]),
            bool(shards.tracks["drums"][n]),
            [shards.body(n, bar) for bar in range(start, start + bars)],
        )
        for n in numbers
    ]
    return Window(metres, tracks)


def score_of(song: Path, encoder: EncoderConfig, start: int, bars: int) -> Score:
    """The same window as inference cuts it."""
    score = to_grid(read_score(song), encoder)
    score.tracks = [track for track in score.tracks if any(bar.notes for bar in track.bars)]
    return cut(score, Step(start, start + bars, False, frozenset()))


@pytest.mark.parametrize("controls", [False, True])
def test_a_window_from_the_shards_is_the_prompt_of_inference(
    songs: list[Path], shards: Shards, encoder: EncoderConfig, vocabulary: Vocabulary, controls: bool
) -> None:
    for song in songs[:4]:
        score, window = score_of(song, encoder, 1, 4), window_of(shards, song, 1, 4)
        if controls:
            score = AttributeTable.from_config(encoder).annotate(score)
        targets, hidden = frozenset({(0, 1), (0, 2), (len(score.tracks) - 1, 3)}), (0, 3)
        score.tracks[hidden[0]].bars[hidden[1]].future = True
        shown = [
            WindowTrack(t.instrument, t.drums, t.bodies, score.tracks[i].attributes)
            for i, t in enumerate(window.tracks)
        ]
        example = assemble(Window(window.metres, shown, targets, frozenset({hidden})), vocabulary)
        assert example.tokens.tolist() == encode(score, vocabulary, EncodeOptions(4, targets)).tokens


def test_controls_are_those_of_the_real_window(
    songs: list[Path], shards: Shards, encoder: EncoderConfig, vocabulary: Vocabulary
) -> None:
    table = AttributeTable.from_config(encoder)
    longest, compared = vocabulary.domain_size(TokenType.NOTE_DURATION), 0
    for song in songs[:3]:
        real, rebuilt = score_of(song, encoder, 0, 4), as_score(window_of(shards, song, 0, 4), vocabulary)
        for index, track in enumerate(real.tracks):
            lengths = [note.duration_ticks for bar in track.bars for note in bar.notes]
            if track.track_type != DRUM and max(lengths, default=0) <= longest:  # what tokens can tell of lengths
                assert table.values(rebuilt, index) == table.values(real, index)
                compared += 1
    assert compared > 10


def test_written_tokens_are_the_fill_in_bodies_and_their_ends(shards: Shards, vocabulary: Vocabulary) -> None:
    draw = maker(shards, vocabulary, patterns={"one_bar": 1.0})
    for seed in range(10):
        example = draw.draw(Pool.of(shards, "train"), np.random.default_rng(seed))
        start = example.tokens.tolist().index(vocabulary.encode(TokenType.FILL_IN_START, 0))
        assert not example.written[: start + 1].any()
        assert example.written[start + 1 :].all()
        assert example.tokens[-1] == vocabulary.encode(TokenType.FILL_IN_END, 0)


def test_most_windows_carry_no_controls_and_some_carry_many(shards: Shards, vocabulary: Vocabulary) -> None:
    draw, pool = maker(shards, vocabulary), Pool.of(shards, "train")
    kinds = [vocabulary.types[i] for i in range(vocabulary.size)]
    counts = [
        sum(kinds[i] in CONTROLS for i in draw.draw(pool, np.random.default_rng(seed)).tokens) for seed in range(120)
    ]
    assert 0.5 < np.mean(np.array(counts) == 0) < 0.9
    assert max(counts) >= 4


def test_no_controls_means_no_control_token(shards: Shards, vocabulary: Vocabulary) -> None:
    draw, pool = maker(shards, vocabulary, controls=0.0), Pool.of(shards, "train")
    for seed in range(30):
        example = draw.draw(pool, np.random.default_rng(seed))
        assert not any(vocabulary.types[i] in CONTROLS for i in example.tokens)


def test_the_same_seed_draws_the_same_window(shards: Shards, vocabulary: Vocabulary) -> None:
    draw, pool = maker(shards, vocabulary), Pool.of(shards, "train")
    one, two, other = (draw.draw(pool, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert one.tokens.tolist() == two.tokens.tolist()
    assert one.tokens.tolist() != other.tokens.tolist()


def test_windows_keep_to_the_limit_and_decode(shards: Shards, vocabulary: Vocabulary) -> None:
    draw, pool = maker(shards, vocabulary, budgets={"2048": 1.0}), Pool.of(shards, "train")
    for seed in range(30):
        example = draw.draw(pool, np.random.default_rng(seed))
        assert len(example.tokens) <= 512
        assert decode(example.tokens.tolist(), vocabulary).tracks


def test_transposition_leaves_drums_alone(shards: Shards, songs: list[Path], vocabulary: Vocabulary) -> None:
    drummed = next(song for song in songs if any(t.drums for t in window_of(shards, song, 0, 4).tracks))
    window = window_of(shards, drummed, 0, 4)
    draw = maker(shards, vocabulary, transpose_down=0, velocity_shift=0)
    moved = draw._varied(window, np.random.default_rng(3))
    before, after = as_score(window, vocabulary), as_score(moved, vocabulary)
    shifts = set()
    for old, new in zip(before.tracks, after.tracks, strict=True):
        for bar, other in zip(old.bars, new.bars, strict=True):
            for a, b in zip(bar.notes, other.notes, strict=True):
                assert (a.onset_ticks, a.velocity) == (b.onset_ticks, b.velocity)
                shifts.add((old.track_type == DRUM, b.pitch - a.pitch))
    assert len(shifts) == 2
    assert (True, 0) in shifts


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_names_cells_inside_the_window(name: str) -> None:
    choose = PATTERNS[name][0]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sounding = rng.random((int(rng.integers(1, 6)), int(rng.choice([4, 8, 16])))) < 0.7
        sounding[0, 0] = True
        cells = choose(rng, sounding)
        assert cells
        assert all(0 <= t < sounding.shape[0] and 0 <= b < sounding.shape[1] for t, b in cells)


def test_a_mix_names_only_sources_the_data_has(shards: Shards) -> None:
    assert Pool.of(shards, "train", [MixGroup(tuple(shards.sources))]).shares.tolist() == [1.0]
    with pytest.raises(TrainingError, match="no source 'nowhere'"):
        Pool.of(shards, "train", [MixGroup(("nowhere",))])
