"""What Python code asks for is held to the same types and ranges as what comes as JSON, in the same sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tiny import engine, request, song
from wrong_controls import WRONG_CONTROLS, track_of

from midigpt_core import Bar, InferenceConfig, InferenceEngine, Note, RequestValidationError, Score, ScoreError, Track
from midigpt_core.constraints.controls import CONTROLS
from midigpt_core.fields import Door, all_sound, check, read, setting
from midigpt_core.request import GenerationRequest, TrackPrompt


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"seed": None}, "config.seed is not an integer"),
        ({"temperature": "hot"}, "config.temperature = 'hot' is not a number"),
        ({"top_k": 1.5}, "config.top_k = 1.5 is not an integer"),
        ({"top_k": True}, "config.top_k = True is not an integer"),
        ({"silence_check": "no"}, "config.silence_check = 'no' is not true or false"),
        ({"model_dim": "largest"}, "config.model_dim = 'largest' is not an integer or 'auto'"),
        ({"context_drop": "drums"}, "config.context_drop = 'drums' is not a list of integers"),
    ],
)
def test_a_setting_of_the_wrong_type_is_refused_as_over_http(config, says) -> None:
    wanted = request(song(), {1: [4]})
    with pytest.raises(RequestValidationError) as caught:
        engine().session(song(), replace(wanted, config=replace(wanted.config, **config)))
    assert says in str(caught.value)
    assert caught.value.field == f"config.{next(iter(config))}"


@pytest.mark.parametrize(("control", "value", "says"), WRONG_CONTROLS)
def test_a_control_of_the_wrong_type_is_refused_by_name(control, value, says) -> None:
    track = track_of(control)
    with pytest.raises(RequestValidationError) as caught:
        engine().session(song(), request(song(), {track: [4]}, {control: value}))
    assert f"tracks[{track}].controls.{control}{says}" in str(caught.value)


def test_every_control_is_tried_with_a_wrong_type() -> None:
    assert {name for name, _, _ in WRONG_CONTROLS} | {"span"} == set(CONTROLS)


@pytest.mark.parametrize("value", [2, "2-4", [2], [2, "4"], [True, 4], [4, 2], [float("nan"), 4]])
def test_a_part_of_a_bar_is_two_numbers(value) -> None:
    prompts = [TrackPrompt(0), TrackPrompt(1), TrackPrompt(2, [4], bar_controls={4: {"span": value}})]
    with pytest.raises(RequestValidationError, match=r"tracks\[2\].bar_controls\[4\].span"):
        engine().session(song(), GenerationRequest(prompts, InferenceConfig(seed=1)))


@pytest.mark.parametrize("value", [1, "on", [True]])
def test_a_switch_of_the_whole_piece_is_true_or_false(value) -> None:
    for name in ("velocity", "microtiming"):
        with pytest.raises(RequestValidationError, match=f"controls.{name} = .* is not true or false"):
            engine().session(song(), replace(request(song(), {1: [4]}), controls={name: value}))


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (TrackPrompt("1", [4]), "tracks[1].id = '1' is not an integer"),  # type: ignore[arg-type]
        (TrackPrompt(1, [4], bar_attributes={"4": {"bar_note_density": 1}}), "tracks[1].bar_attributes = '4'"),  # type: ignore[dict-item]
        (TrackPrompt(1, [4], attributes={"note_density": "busy"}), "tracks[1].attributes[note_density] = 'busy'"),  # type: ignore[dict-item]
        (TrackPrompt(1, "4-8"), "tracks[1].bars = '4-8' is not a list of integers"),  # type: ignore[arg-type]
        ({"id": 1}, "tracks[1] = {'id': 1} is not a TrackPrompt"),
    ],
)
def test_a_prompt_of_the_wrong_type_is_refused(prompt, says) -> None:
    with pytest.raises(RequestValidationError) as caught:
        engine().session(song(), GenerationRequest([TrackPrompt(0), prompt, TrackPrompt(2)]))
    assert says in str(caught.value)


def test_auto_is_a_window_in_python_too() -> None:
    score = song()
    wanted = request(score, {1: [4]}, model_dim="auto", bars_per_step="auto", tracks_per_step="auto")
    assert (wanted.config.model_dim, wanted.config.bars_per_step) == (0, 0)
    assert engine().session(score, wanted).plan.window == 12


def broken(change) -> Score:
    score = song()
    change(score)
    return score


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.tracks[1].bars[4].notes.append(Note(200, 64, 0, 10)), "bars[4].notes[3].pitch = 200 is too large"),
        (lambda s: s.tracks[1].bars[4].notes.append(Note(60.0, 64, 0, 10)), "notes[3].pitch = 60.0 is not an integer"),
        (lambda s: setattr(s.tracks[1], "instrument", 200), "score.tracks[1].instrument = 200 is too large"),
        (lambda s: setattr(s.tracks[0], "track_type", "drums"), "'drums' is not known; did you mean 'drum'?"),
        (lambda s: setattr(s, "resolution", 0), "score.resolution = 0 is too small"),
        (lambda s: setattr(s.tracks[2].bars[1], "beat_length", 0), "bars[1].beat_length = 0 is too small"),
    ],
)
def test_a_score_that_cannot_be_is_refused_before_any_work(change, says, tmp_path) -> None:
    score = broken(change)
    with pytest.raises(ScoreError) as caught:
        engine().session(score, request(score, {1: [4]}))
    assert says in str(caught.value)
    with pytest.raises(ScoreError):
        score.to_midi(tmp_path / "song.mid")


def test_a_bar_is_as_long_as_its_metre_says(tmp_path) -> None:
    assert Bar(ts_numerator=3).beat_length == 3.0
    assert Bar(ts_numerator=6, ts_denominator=8).beat_length == 3.0
    assert Bar(ts_numerator=3, beat_length=2.0).beat_length == 2.0
    score = Score([Track([Bar([Note(60, 64, 960, 480)], ts_numerator=3) for _ in range(4)])])
    score.to_midi(tmp_path / "waltz.mid")
    assert [bar.beat_length for bar in Score.from_midi(tmp_path / "waltz.mid").tracks[0].bars] == [3.0] * 4


def test_json_and_python_are_refused_in_the_same_words() -> None:
    with pytest.raises(RequestValidationError) as told:
        InferenceConfig.from_dict({"temperature": "hot"})
    with pytest.raises(RequestValidationError) as caught:
        check(replace(InferenceConfig(), temperature="hot"), "config")  # type: ignore[arg-type]
    assert str(told.value) == str(caught.value)


def test_a_device_that_is_no_word_is_refused(tmp_path) -> None:
    with pytest.raises(RequestValidationError, match="device is not known; use auto"):
        InferenceEngine.from_pretrained("open", device=None)


def test_whole_numbers_of_other_libraries_are_whole_numbers() -> None:
    import numpy as np

    score = song()
    for note in score.tracks[1].bars[3].notes:
        note.pitch = np.int64(note.pitch)
    assert engine().session(score, request(score, {1: [4]})).plan.steps


def test_a_key_that_is_missing_is_asked_for_by_its_meaning() -> None:
    from dataclasses import dataclass, field

    @dataclass
    class Place:
        bar: int = field(metadata={"help": "bar of the song"})
        beat: float = setting(1.0, "beat of the bar", 1.0, 16.0)

    globals()["Place"] = Place
    assert read(Place, {"bar": 3}, "place") == Place(3)
    with pytest.raises(RequestValidationError, match=r"place\.bar is missing; give bar of the song"):
        read(Place, {"beat": 2}, "place")
    with pytest.raises(RequestValidationError, match=r"place\.beat = 17 is too large; use 1 to 16"):
        read(Place, {"bar": 1, "beat": 17}, "place")
    assert read(Place, {"bar": 1, "beat": 17}, "place", Door(ranges=False)).beat == 17


@pytest.mark.parametrize(
    "notes",
    [
        [Note(), Note(127, 127, 5, 9)],
        [Note(), Note(pitch=128)],
        [Note(), Note(pitch=-1)],
        [Note(), Note(pitch=True)],
        [Note(), Note(onset_ticks=1.0)],
        [Note(), Note(velocity="a")],
        [Note(), 7],
        [Note(), None],
    ],
)
def test_a_look_at_many_at_once_says_what_a_look_at_each_says(notes: list[Any]) -> None:
    door = Door(data=False)

    def passes(note: Any) -> bool:
        try:
            check(note, "note", door)
        except (RequestValidationError, TypeError):
            return False
        return True

    assert all_sound(Note, notes, door) is all(map(passes, notes))
