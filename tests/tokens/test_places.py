"""Rules of places: what a token is told of where it stands, and that nothing of what is to be written is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midigpt_core.compiled import compiled
from midigpt_core.errors import EncoderConfigError
from midigpt_core.midi_file import read_score
from midigpt_core.score import Bar, Note, Score, Track
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import to_grid
from midigpt_core.tokens.places import OCTAVE, Place, PlaceReader, Places, PlaceSizes
from midigpt_core.tokens.types import TokenType as T
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.prepare import OPEN_ENCODER

SAMPLES = Path(__file__).parents[2] / "samples"
VOCABULARY = Vocabulary(EncoderConfig.load(OPEN_ENCODER))
SIZES = PlaceSizes()


@pytest.fixture(params=["reference", "compiled"])
def places(request, monkeypatch):
    """Places whose readers are the reference, or the compiled twin."""
    if request.param == "reference":
        monkeypatch.setenv("MIDIGPT_PURE", "1")
    elif compiled("places") is None:
        pytest.skip("the compiled reader is not built")
    found = Places(VOCABULARY, SIZES)
    assert isinstance(found.reader(), PlaceReader) == (request.param == "reference")
    return found


def piano(*bars, metre=(4, 4), program=0, kind="standard"):
    """A track of bars, each a list of (pitch, onset, duration) in ticks of the grid."""
    beats = 4 * metre[0] / metre[1]
    made = [Bar([Note(p, 90, at, long) for p, at, long in notes], *metre, beats) for notes in bars]
    return Track(made, program, kind)


def told(places, tracks, fills=()):
    """(token type, value, place) of each token of a window of these tracks, `fills` to be filled in."""
    score = Score(list(tracks), resolution=VOCABULARY.config.resolution)
    window = EncodeOptions(window_bars=4, infill=frozenset(fills))
    tokens = kernels.encode(score, VOCABULARY, window).tokens
    rows = [Place(*map(int, row)) for row in places.of(tokens)]
    return [(VOCABULARY.types[token], VOCABULARY.values[token], row) for token, row in zip(tokens, rows, strict=True)]


def classes(bits):
    return {c for c in range(OCTAVE) if bits >> c & 1}


def note(rows, pitch):
    return next(row for kind, value, row in rows if kind is T.NOTE_ONSET and value == pitch)


def test_note_stands_in_its_track_bar_and_tick(places):
    rows = told(places, [piano([(60, 0, 12)], [(62, 18, 6)]), piano([(40, 0, 12)], [], program=33)])
    assert note(rows, 62)[:5] == (1, note(rows, 62).instrument, 2, 19, 0)
    assert note(rows, 40)[:5] == (2, note(rows, 40).instrument, 1, 1, 0)
    assert note(rows, 40).instrument != note(rows, 62).instrument > 1


def test_note_hears_the_tracks_before_it_while_their_notes_last(places):
    chords = piano([(60, 0, 24), (64, 0, 24), (67, 24, 36)], [(65, 12, 12)])  # G is held over the bar line
    melody = piano([(72, 0, 12), (74, 24, 12)], [(76, 6, 6), (77, 12, 6)])
    rows = told(places, [chords, melody])
    assert classes(note(rows, 72).harmony) == {0, 4}
    assert classes(note(rows, 74).harmony) == {7}
    assert classes(note(rows, 76).harmony) == {7}
    assert classes(note(rows, 77).harmony) == {5}
    assert classes(note(rows, 72).harmony >> OCTAVE) == {0, 4, 7}
    assert note(rows, 60).harmony == 0  # tracks that come later are not known yet


def test_drums_are_not_harmony_and_have_an_instrument_of_their_own(places):
    rows = told(places, [piano([(36, 0, 6)], [], kind="drum"), piano([(72, 0, 12)], [])])
    assert note(rows, 72).harmony == 0
    assert note(rows, 36).instrument == 1


def test_filled_bar_stands_where_it_is_missing_and_hears_all_other_tracks(places):
    chords, melody = piano([(60, 0, 48)], [(65, 0, 48)]), piano([(72, 0, 12)], [(77, 24, 12)])
    rows = told(places, [melody, chords], fills=[(0, 1)])
    assert note(rows, 77)[:1] + note(rows, 77)[2:5] == (1, 2, 25, 1)
    assert classes(note(rows, 77).harmony) == {5}


def test_bars_written_in_one_step_hear_those_written_before_them(places):
    first, second = piano([(61, 0, 48)], []), piano([(74, 0, 12)], [])
    rows = told(places, [first, second], fills=[(0, 0), (1, 0)])
    assert classes(note(rows, 74).harmony) == {1}
    assert note(rows, 61).harmony == 0


def test_bars_begin_where_their_metres_put_them(places):
    rows = told(places, [piano([], [], [(60, 0, 6)], metre=(3, 4)), piano([], [], [(72, 0, 6)], metre=(3, 4))])
    assert classes(note(rows, 72).harmony) == {0}


def test_what_lies_beyond_the_tables_counts_as_the_last_one():
    small = Places(VOCABULARY, PlaceSizes(tracks=2, bars=2, ticks=24))
    rows = told(small, [piano([], []), piano([], []), piano([], [], [(60, 40, 3)])])
    assert note(rows, 60)[:1] + note(rows, 60)[2:4] == (1, 2, 24)


@pytest.mark.parametrize("name", ["pop", "nocturne", "chorale"])
def test_nothing_of_the_bars_to_be_written_reaches_a_place_before_they_are_written(places, name):
    score = to_grid(read_score(SAMPLES / f"{name}.mid"), VOCABULARY.config)
    window = replace(score, tracks=[replace(track, bars=track.bars[4:8]) for track in score.tracks])
    targets = frozenset((t, b) for t in range(len(window.tracks)) for b in (1, 2))
    options = EncodeOptions(window_bars=4, infill=targets)

    def other(bar, cell):
        notes = [replace(n, pitch=(n.pitch + 5) % 128) for n in bar.notes]
        return replace(bar, notes=notes) if cell in targets else bar

    tracks = [
        replace(track, bars=[other(bar, (t, b)) for b, bar in enumerate(track.bars)])
        for t, track in enumerate(window.tracks)
    ]
    one = kernels.encode(window, VOCABULARY, options).tokens
    two = kernels.encode(replace(window, tracks=tracks), VOCABULARY, options).tokens
    prompt = one.index(VOCABULARY.encode(T.FILL_IN_START, 0)) + 1
    assert one[:prompt] == two[:prompt]
    assert one != two
    assert np.array_equal(places.of(one)[:prompt], places.of(two)[:prompt])


@pytest.mark.skipif(compiled("places") is None, reason="the compiled reader is not built")
@pytest.mark.parametrize("seed", range(6))
def test_compiled_reader_says_what_the_reference_says_whatever_it_reads_and_whenever_it_is_copied(seed):
    random = np.random.default_rng(seed)
    sizes = PlaceSizes(3, 4, 48)
    tokens = random.integers(VOCABULARY.size, size=900)
    common = [
        VOCABULARY.encode(kind, 0) for kind in (T.TRACK, T.BAR, T.FILL_IN_PLACEHOLDER, T.FILL_IN_START, T.BAR_END)
    ]
    tokens[::3] = random.choice(common, len(tokens[::3]))
    reference, twin = PlaceReader(VOCABULARY, sizes), Places(VOCABULARY, sizes).reader()
    for number, token in enumerate(tokens.tolist()):
        if number % 50 == 0:
            other = twin.copy()
            other.read(VOCABULARY.encode(T.NOTE_DURATION, 90))  # what a copy reads is its own
            reference, twin = reference.copy(), twin.copy()
        assert tuple(reference.read(token)) == tuple(twin.read(token))


@pytest.mark.parametrize("size", [0, -1, 1.5, "all", True, 10**9])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(EncoderConfigError, match="tracks"):
        PlaceSizes(tracks=size)
