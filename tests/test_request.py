"""Requests are read strictly, checked before any work, and refused with field, value and remedy."""

from __future__ import annotations

import pytest
from tiny import engine, request, song

from midigpt_core.errors import RequestValidationError
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt


def refusal(wish: GenerationRequest, score=None) -> RequestValidationError:
    with pytest.raises(RequestValidationError) as caught:
        engine().session(score or song(), wish)
    return caught.value


def test_the_json_form_round_trips() -> None:
    wish = GenerationRequest(
        [TrackPrompt(0, [1, 2], bar_attributes={1: {"bar_note_density": 3}}, controls={"remix": {"amount": 0.5}})],
        InferenceConfig(temperature=0.9, seed=4),
        {"velocity": True},
    )
    assert GenerationRequest.from_dict(wish.to_dict()) == wish


def test_bar_keys_may_be_strings_as_json_has_them() -> None:
    prompt = TrackPrompt.from_dict({"id": 0, "bars": [1], "bar_attributes": {"1": {"bar_note_density": 2}}})
    assert prompt.bar_attributes == {1: {"bar_note_density": 2}}


def test_auto_stands_for_zero() -> None:
    assert InferenceConfig.from_dict({"model_dim": "auto", "bars_per_step": "auto"}).model_dim == 0


def test_the_defaults_are_the_published_ones() -> None:
    config = InferenceConfig()
    published = {"model_dim": 8, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "mask_k": 0, "mask_p": 0.0}
    published |= {"max_attempts": 3, "temperature_escalation": 1.0, "silence_check": True, "novelty_check": False}
    published |= {"seed": -1, "polyphony_hard_limit": 0, "density_hard_limit": 0, "mask_mode": "auto"}
    assert {key: getattr(config, key) for key in published} == published


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"tracks": [], "confg": {}}, "did you mean 'config'"),
        ({"tracks": [{"bars": [1]}]}, "tracks\\[0\\].id is missing"),
        ({"tracks": [{"id": 0, "bars": "4-8"}]}, "is not a list of integers"),
        ({"tracks": [], "config": {"temprature": 1}}, "did you mean 'temperature'"),
        ({"tracks": [], "config": {"temperature": "hot"}}, "is not a number"),
        ({"tracks": [], "config": {"silence_check": 1}}, "is not true or false"),
        ({"tracks": {}}, "is not a list"),
    ],
)
def test_a_malformed_request_is_refused_by_key(data: dict[str, object], says: str) -> None:
    with pytest.raises(RequestValidationError, match=says):
        GenerationRequest.from_dict(data)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"temperature": 0.0}, "config.temperature"),
        ({"temperature": float("nan")}, "config.temperature"),
        ({"top_p": 0.0}, "config.top_p"),
        ({"mask_p": 1.0}, "config.mask_p"),
        ({"max_attempts": 0}, "config.max_attempts"),
        ({"mask_mode": "tokens"}, "config.mask_mode"),
        ({"model_dim": 5}, "config.model_dim"),
        ({"top_p": 0.5, "mask_p": 0.6}, "config.mask_p"),
        ({"top_k": 3, "mask_k": 3}, "config.mask_k"),
        ({"context_drop": [9]}, "config.context_drop"),
        ({"novelty_against": ["orignal"]}, "config.novelty_against"),
    ],
)
def test_a_setting_out_of_range_is_named(config: dict[str, object], field: str) -> None:
    score = song()
    error = refusal(request(score, {1: [4]}, **config))
    assert error.field == field
    assert error.remedy


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ([TrackPrompt(0), TrackPrompt(1, [4])], "have no prompt"),
        ([TrackPrompt(0), TrackPrompt(1, [4]), TrackPrompt(1), TrackPrompt(2)], "two prompts"),
        ([TrackPrompt(0), TrackPrompt(1, [4]), TrackPrompt(7)], "is not a track of this score of 3"),
        ([TrackPrompt(0), TrackPrompt(1, [40]), TrackPrompt(2)], "use 0 to 11"),
        ([TrackPrompt(0), TrackPrompt(1, [-1]), TrackPrompt(2)], "use 0 to 11"),
        ([TrackPrompt(0), TrackPrompt(1), TrackPrompt(2)], "name no bars to write"),
        ([TrackPrompt(0), TrackPrompt(1, [4], mask_bars=[4]), TrackPrompt(2)], "also to be written"),
        ([TrackPrompt(0), TrackPrompt(1, [4], ignore=True), TrackPrompt(2)], "contradicts"),
        ([TrackPrompt(0), TrackPrompt(1, [4, 6], autoregressive=True), TrackPrompt(2)], "must run to the end"),
        (
            [TrackPrompt(0), TrackPrompt(1, [4], attributes={"note_densty": 1}), TrackPrompt(2)],
            "did you mean 'note_density'",
        ),
        ([TrackPrompt(0), TrackPrompt(1, [4], attributes={"note_density": 10}), TrackPrompt(2)], "use 0 to 9"),
        ([TrackPrompt(0, [1], attributes={"key_signature": 1}), TrackPrompt(1), TrackPrompt(2)], "for melodic tracks"),
        ([TrackPrompt(0), TrackPrompt(1, [4], attributes={"bar_note_density": 1}), TrackPrompt(2)], "bar_attributes"),
        (
            [TrackPrompt(0), TrackPrompt(1, [4], bar_attributes={5: {"bar_note_density": 1}}), TrackPrompt(2)],
            "not a bar to be written",
        ),
    ],
)
def test_prompts_that_do_not_fit_the_score_are_refused(prompts: list[TrackPrompt], says: str) -> None:
    assert says in str(refusal(GenerationRequest(prompts)))


def test_the_token_mask_mode_needs_a_mask_bar_token() -> None:
    from support import encoders

    score = song()
    yellow = engine(str(encoders() / "yellow_encoder.json"))
    with pytest.raises(RequestValidationError, match="lacks"):
        yellow.session(score, request(score, {1: [4]}, mask_mode="token"))
    assert yellow.session(score, request(score, {1: [4]})).run_takes().takes[0].score.tracks[1].bars[4].notes


def test_unequal_bar_counts_are_refused() -> None:
    score = song()
    score.tracks[1].bars.pop()
    assert "number of bars" in str(refusal(request(score, {1: [4]}), score))
