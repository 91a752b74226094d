"""Rules of rhythm, on a real song through the command: taken from another track, kept, filled, swung, syncopated."""

from __future__ import annotations

from pathlib import Path

import pytest

from midigpt_core.constraints.syncopation import share_of, syncopated
from midigpt_core.score import Bar, Score

POP = Path(__file__).resolve().parents[2] / "samples" / "pop.mid"
LEAD, CHORDS, BASS, DRUMS = 0, 1, 2, 4
KICKS = {35, 36}
FILLING = {37, 38, 39, 40, 41, 43, 45, 47, 48, 50, 49, 52, 55, 57}


@pytest.fixture
def fill(midigpt, tmp_path: Path):
    """Rewrite bars 5 to 8 of a track; the song after it."""

    def call(track: str, *words: object, seed: int = 1) -> Score:
        out = tmp_path / "out.mid"
        answer = midigpt("infill", POP, "-b", "5-8", "-t", track, *words, "-s", seed, "-o", out, "--force")
        assert answer.code == 0, answer.err
        return Score.from_midi(out)

    return call


def onsets(bar: Bar, pitches: set[int] | None = None) -> set[int]:
    return {note.onset_ticks for note in bar.notes if pitches is None or note.pitch in pitches}


def numbers(bar: Bar) -> dict[int, int]:
    """Notes at each onset."""
    return {tick: sum(note.onset_ticks == tick for note in bar.notes) for tick in onsets(bar)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_notes_begin_only_where_the_kick_does_and_with_every_at_each_of_its_hits(fill, seed: int) -> None:
    some, each = (fill("bass", "--rhythm-from", source, seed=seed) for source in ("bass/kick", "kick:every"))
    for bar in range(4, 8):
        kick = onsets(some.tracks[DRUMS].bars[bar], KICKS)
        assert onsets(some.tracks[BASS].bars[bar]) <= kick
        assert onsets(each.tracks[BASS].bars[bar]) == kick


def test_rhythm_comes_from_another_track_in_each_bar(fill) -> None:
    score = fill("chords", "--rhythm-from", "bass", "--rhythm-from", "chords/8:drums:snare:every")
    for bar in range(4, 7):
        assert onsets(score.tracks[CHORDS].bars[bar]) <= onsets(score.tracks[BASS].bars[bar])
    assert onsets(score.tracks[CHORDS].bars[7]) == onsets(score.tracks[DRUMS].bars[7], {37, 38, 39, 40})


@pytest.mark.parametrize("value", [(), ("on",), ("onsets",)])
def test_a_locked_rhythm_keeps_its_onsets_and_its_numbers_of_notes_unless_only_onsets_are_kept(fill, value) -> None:
    old = Score.from_midi(POP).tracks[CHORDS].bars[4:8]
    new = [fill("chords", "--rhythm-lock", *value, seed=seed).tracks[CHORDS].bars[4:8] for seed in (1, 2)]
    assert all(onsets(a) == onsets(b) for bars in new for a, b in zip(old, bars, strict=True))
    same = all(numbers(a) == numbers(b) for bars in new for a, b in zip(old, bars, strict=True))
    assert same is (value != ("onsets",))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("value", "begin"), [("end", 960), ("8:4", 0)])
def test_a_fill_has_more_hits_than_the_bars_before_and_keeps_no_time(fill, value: str, begin: int, seed: int) -> None:
    *before, last = fill("drums", "--fill", value, seed=seed).tracks[DRUMS].bars[4:8]
    hits = [note.pitch for note in last.notes if note.onset_ticks >= begin]
    assert last.n_notes >= sum(bar.n_notes for bar in before) / 3 + 2
    usual = sum(note.onset_ticks >= begin for bar in before for note in bar.notes) / 3
    assert len(hits) >= 1.5 * usual
    assert not {42, 44, 46, 51, 53, 59} & set(hits)
    assert sum(pitch in FILLING for pitch in hits) >= len(hits) / 2
    assert any({42, 46, 51} & {note.pitch for note in bar.notes} for bar in before)


@pytest.mark.parametrize(("track", "number"), [("lead", LEAD), ("drums", DRUMS)])
@pytest.mark.parametrize(("amount", "offbeat"), [("0", 240), ("0.5", 280), ("1", 320)])
def test_offbeats_are_as_late_as_the_swing_says_and_beats_stay(fill, track, number, amount, offbeat) -> None:
    places = {tick % 480 for bar in fill(track, "--swing", amount).tracks[number].bars[4:8] for tick in onsets(bar)}
    assert {0, offbeat} <= places <= {0, offbeat // 2, offbeat, (480 + offbeat) // 2}


def test_a_kept_rhythm_swings_and_swings_no_further_where_it_did(midigpt, fill, tmp_path: Path) -> None:
    straight = Score.from_midi(POP).tracks[LEAD].bars[4:8]
    once = fill("lead", "--rhythm-lock", "--swing", "1").tracks[LEAD].bars[4:8]
    swung = [{tick + 80 * (tick % 480 == 240) for tick in onsets(bar)} for bar in straight]
    assert [onsets(bar) for bar in once] == swung != [onsets(bar) for bar in straight]
    words = ("-b", "5-8", "-t", "lead", "--rhythm-lock", "--swing", "1", "-o", tmp_path / "2.mid")
    again = midigpt("infill", tmp_path / "out.mid", *words)
    assert again.code == 0, again.err
    assert [onsets(bar) for bar in Score.from_midi(tmp_path / "2.mid").tracks[LEAD].bars[4:8]] == swung


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_as_many_onsets_are_syncopated_as_asked_for(fill, share: float, seed: int) -> None:
    bars = fill("lead", "--syncopation", share, seed=seed).tracks[LEAD].bars[4:8]
    found = sum(len(syncopated(onsets(bar), 480, 1920)) for bar in bars)
    assert abs(found / sum(len(onsets(bar)) for bar in bars) - share) <= 0.12


def test_less_syncopation_is_less_than_more(fill) -> None:
    shares = {
        word: share_of(fill("bass", "--syncopation", word).tracks[BASS].bars[4:8], 480) for word in ("more", "less")
    }
    usual = share_of(Score.from_midi(POP).tracks[BASS].bars, 480)
    assert shares["less"] <= usual < shares["more"]


def test_onsets_are_syncopated_off_the_beat_before_a_beat_of_the_bar_without_one() -> None:
    assert syncopated([0, 6, 24], 12, 48) == [6]
    assert syncopated([0, 6, 12], 12, 48) == []
    assert syncopated([3, 6, 24, 30], 12, 48) == [6, 30]
    assert syncopated([42], 12, 48) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-t", "bass", "--rhythm-from", "tuba"), "tuba"),
        (("-t", "bass", "--rhythm-from", "bass"), "is the track itself"),
        (("-t", "bass", "--rhythm-from", "drums:cowbell"), "write TRACK, or one of kick, snare"),
        (("-t", "bass", "--rhythm-from", "lead:kick"), "is for drums; track 1 is melodic"),
        (("-t", "bass", "-t", "drums", "--rhythm-from", "bass/kick"), "track 5, which is written at the same time"),
        (("-t", "bass", "--rhythm-from", "kick", "--rhythm-lock"), "all set the rhythm"),
        (("-t", "bass", "--fill", "end"), "applies to none of the tracks"),
        (("-t", "drums", "--fill", "soon"), "is not a number"),
        (("-t", "drums", "--fill", "0"), "is too small; use above 0, at most 16 or 'end'"),
        (("-t", "bass", "--swing", "66"), "use 0 to 1 (0: straight, 1: triplets)"),
        (("-t", "bass", "--syncopation", "2"), "use 0 to 1, 'more' or 'less'"),
        (("-t", "bass", "--syncopation", "0.5", "--rhythm-lock"), "all set the rhythm"),
        (("-t", "bass", "--rhythm-lock=loud"), "neither on nor off"),
    ],
)
def test_a_rhythm_that_cannot_be_taken_is_refused_in_a_sentence(midigpt, words: tuple[str, ...], says: str) -> None:
    answer = midigpt("infill", POP, "-b", "5-8", *words)
    assert answer.code == 2
    assert says in answer.err
