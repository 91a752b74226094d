"""A polyphony limit holds at every tick of the song, drums and odd resolutions included."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import pytest
from tiny import engine, request, song

from midigpt_core.score import Note, Score


def at_resolution(score: Score, resolution: int, hit: int) -> Score:
    """The song in other ticks, with drum hits of `hit` 480ths."""
    tracks = []
    for track in score.tracks:
        bars = []
        for bar in track.bars:
            notes = [
                replace(
                    note,
                    onset_ticks=note.onset_ticks * resolution // 480,
                    duration_ticks=max(
                        1, (hit if track.track_type == "drum" else note.duration_ticks) * resolution // 480
                    ),
                )
                for note in bar.notes
            ]
            bars.append(replace(bar, notes=notes))
        tracks.append(replace(track, bars=bars))
    return Score(tracks, resolution)


@pytest.mark.parametrize("resolution", [96, 100, 480, 1000])
@pytest.mark.parametrize(("track", "limit"), [(0, 2), (1, 1), (2, 3)])
def test_no_new_note_sounds_together_with_too_many_others(resolution, track, limit) -> None:
    score = at_resolution(song(), resolution, hit=230)
    written = [3, 4, 5, 7]
    wish = request(score, {track: written}, polyphony_hard_limit=limit, temperature=1.3)
    after = engine().session(score, wish).run_takes().takes[0].score.tracks[track]
    starts = [0, *accumulate(round(bar.beat_length * resolution) for bar in after.bars)]
    spans = [
        (starts[b] + note.onset_ticks, starts[b] + note.onset_ticks + note.duration_ticks, b in written)
        for b, bar in enumerate(after.bars)
        for note in bar.notes
    ]
    new = [(start, end) for start, end, mine in spans if mine]
    assert len(new) > 4
    for start, end in new:
        times = [start, *(other for other, _, _ in spans if start < other < end)]
        assert max(sum(a <= time < z for a, z, _ in spans) for time in times) <= limit


def test_a_held_pitch_is_not_struck_again_while_a_limit_is_on(tmp_path) -> None:
    """A file has one end for both: the new note would sound as long as the held one, and be one too many."""
    score, track, held = song(), 2, range(30, 90)
    bars = [replace(bar, notes=[]) for bar in score.tracks[track].bars]
    bars[2] = replace(bars[2], notes=[Note(pitch, 80, 0, 12 * score.resolution) for pitch in held])
    tracks = [replace(one, bars=bars) if number == track else one for number, one in enumerate(score.tracks)]
    new = []
    for seed in range(8):
        wish = request(score, {track: [3, 4]}, polyphony_hard_limit=len(held) + 3, seed=seed)
        engine().session(replace(score, tracks=tracks), wish).run().to_midi(tmp_path / "new.mid")
        new += [note for bar in Score.from_midi(tmp_path / "new.mid").tracks[track].bars[3:5] for note in bar.notes]
    assert len(new) > 10
    assert not {note.pitch for note in new} & set(held)
