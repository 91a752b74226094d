"""A novelty check gets new bars even where every bar of a track is alike, within the attempts it has."""

from __future__ import annotations

import pytest

from midigpt_core.constraints.avoid_original import places_to_leave
from midigpt_core.engine import InferenceEngine
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.score import Bar, Note, Score, Track

BEAT = [Note(42, 70, onset, 60) for onset in range(0, 1920, 240)]
BEAT += [Note(36, 100, onset, 60) for onset in (0, 960)]
RIFF = [Note(pitch, 90, onset, 400) for onset, pitch in ((0, 36), (480, 36), (960, 43), (1440, 41))]
CHORD = [Note(pitch, 70, 0, 1800) for pitch in (60, 64, 67)]


@pytest.fixture(scope="module")
def engine() -> InferenceEngine:
    return InferenceEngine.from_pretrained("open")


def looped() -> Score:
    def bars(notes: list[Note]) -> list[Bar]:
        return [Bar(list(notes)) for _ in range(8)]

    return Score([Track(bars(BEAT), 0, "drum"), Track(bars(RIFF), 33), Track(bars(CHORD), 0)])


def sharing(a: Bar, b: Bar) -> float:
    first, second = ({(n.onset_ticks, n.pitch) for n in bar.notes} for bar in (a, b))
    return len(first & second) / max(1, len(first | second))


@pytest.mark.parametrize("track", [0, 1, 2])
@pytest.mark.parametrize("threshold", [1.0, 0.6])
def test_bars_of_looped_material_come_out_new(engine, track, threshold):
    score = looped()
    for seed in range(3):
        config = InferenceConfig(
            seed=seed, model_dim=4, bars_per_step=1, novelty_check=True, novelty_threshold=threshold
        )
        prompts = [TrackPrompt(t, [3, 4] if t == track else []) for t in range(3)]
        written = engine.session(score, GenerationRequest(prompts, config)).run()  # raises where all attempts fail
        for bar in (3, 4):
            assert written.tracks[track].bars[bar].notes
            assert sharing(written.tracks[track].bars[bar], score.tracks[track].bars[bar]) < threshold


@pytest.mark.parametrize(("threshold", "least"), [(1.0, 1), (0.5, 3), (0.01, 4)])
def test_enough_notes_are_left_out_and_more_at_every_attempt(threshold, least):
    counts = []
    for attempt in (2, 3, 4):
        [places] = places_to_leave([Bar(RIFF)], threshold, attempt, seed=1).values()
        counts.append(sum(map(len, places.values())))
    assert counts[0] == least
    assert counts == sorted(counts)
    assert counts[-1] <= len(RIFF)
