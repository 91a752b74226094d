"""Clients of musicgen-looper: its input schema, field by field, to POST /loop of a server on a real socket."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mido
import pytest

SAMPLE = Path(__file__).parents[2] / "samples" / "pop.mid"
DEFAULTS: dict[str, Any] = {  # what the schema says is sent where nothing is said
    "prompt": "",
    "bpm": 140,
    "variations": 4,
    "max_duration": 8,
    "model_version": "medium",
    "top_k": 250,
    "top_p": 0,
    "temperature": 1,
    "classifier_free_guidance": 3,
    "output_format": "wav",
    "seed": -1,
}


@pytest.fixture(scope="module")
def http(served, checkpoint) -> Iterator[httpx.Client]:
    with (
        served(["midigpt_cli", "serve", "--ckpt", str(checkpoint)]) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def loops(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = http.post("/loop", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def fetched(answer: dict[str, Any], number: int) -> httpx.Response:
    """The file of a variation, at the address the answer gives."""
    file = httpx.get(answer[f"variation_{number:02d}"])
    assert file.status_code == 200, file.text
    return file


def test_the_whole_schema_with_its_defaults_gives_four_wav_files_of_one_length(http):
    answer = loops(http, **{**DEFAULTS, "prompt": "funk bass and drums", "seed": 5})
    assert sorted(key for key in answer if key.startswith("variation_")) == [f"variation_0{i}" for i in (1, 2, 3, 4)]
    assert answer["bars"] == 4  # 8 s at 140 bpm hold 4.67 bars of 4/4
    for number in (1, 2, 3, 4):
        file = fetched(answer, number)
        assert file.headers["content-type"] == "audio/wav"
        with wave.open(io.BytesIO(file.content)) as sound:
            assert sound.getnframes() == round(16 * 60 / 140 * sound.getframerate())


def test_the_fields_may_be_wrapped_in_input_or_sent_as_a_form(http):
    asked = {"prompt": "piano", "variations": 1, "max_duration": 2, "bpm": 140, "seed": 3, "output_format": "mid"}
    plain, wrapped, form = (
        fetched(loops(http, **asked), 1).content,
        fetched(loops(http, input=asked), 1).content,
        fetched(http.post("/loop", data={k: str(v) for k, v in asked.items()}).json(), 1).content,
    )
    assert plain == wrapped == form


@pytest.mark.parametrize(
    ("fields", "bars", "bpm"),
    [
        ({"bpm": 120, "max_duration": 8}, 4, 120),
        ({"bpm": 120, "max_duration": 7.9}, 2, 120),
        ({"bpm": 300, "max_duration": 13}, 16, 300),
        ({"prompt": "piano waltz, 180 bpm", "max_duration": 2}, 2, 180),  # said in words: bars of 3/4
        ({"prompt": "piano at 90 bpm", "bpm": 120, "max_duration": 4}, 2, 120),  # the field wins
    ],
)
def test_bars_follow_from_tempo_and_duration(http, fields, bars, bpm):
    asked = {"prompt": "piano", "variations": 1, "output_format": "mid", **fields}
    answer = loops(http, **asked)
    assert (answer["bars"], answer["bpm"]) == (bars, bpm)


def test_the_prompt_chooses_instruments_and_key(http):
    answer = loops(http, prompt="violin in A minor", variations=1, max_duration=2, output_format="mid", seed=1)
    song = mido.MidiFile(file=io.BytesIO(fetched(answer, 1).content))
    messages = [message for track in song.tracks for message in track]
    assert {m.program for m in messages if m.type == "program_change"} == {40}
    assert {m.note % 12 for m in messages if m.type == "note_on"} <= {9, 11, 0, 2, 4, 5, 7}
    assert answer["understood"]["scale"] == "A:minor"


def test_words_nobody_knows_are_named_and_a_band_plays(http):
    answer = loops(http, prompt="zorblax", variations=1, max_duration=2, output_format="mid")
    assert answer["understood"]["unknown"] == ["zorblax"]
    assert len(mido.MidiFile(file=io.BytesIO(fetched(answer, 1).content)).tracks) >= 4


def test_a_song_s_first_bars_are_looped_on_the_tracks_that_the_prompt_names(http):
    song = base64.b64encode(SAMPLE.read_bytes()).decode()
    answer = loops(http, prompt="bass", midi=song, variations=1, max_duration=5, output_format="mid", seed=2)
    looped = mido.MidiFile(file=io.BytesIO(fetched(answer, 1).content))
    original = mido.MidiFile(SAMPLE)
    assert len(looped.tracks) >= len(original.tracks) - 1
    assert answer["bars"] == 2


def test_the_same_seed_is_the_same_loop_and_no_seed_draws_one(http):
    asked = {"prompt": "piano", "variations": 1, "max_duration": 2, "output_format": "mid"}
    first, again = loops(http, **asked, seed=None), None
    again = loops(http, **asked, seed=first["seed"])
    assert fetched(first, 1).content == fetched(again, 1).content


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"bpm": 39}, "bpm"),
        ({"variations": 21}, "variations"),
        ({"max_duration": 21}, "max_duration"),
        ({"max_duration": 2, "bpm": 40}, "max_duration"),
        ({"model_version": "small"}, "model_version"),
        ({"output_format": "ogg"}, "output_format"),
        ({"top_p": 1.5}, "top_p"),
        ({"seed": -2}, "seed"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_by_field(http, wrong, field):
    answer = http.post("/loop", json={**DEFAULTS, "prompt": "piano", **wrong})
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


def test_mp3_is_written_or_refused_in_a_sentence(http):
    answer = http.post("/loop", json={"prompt": "piano", "variations": 1, "max_duration": 2, "output_format": "mp3"})
    if answer.status_code == 200:
        assert fetched(answer.json(), 1).headers["content-type"] == "audio/mpeg"
    else:
        assert answer.json()["field"] == "output_format"
        assert "wav" in answer.json()["detail"]


def test_a_server_that_cannot_write_mp3_says_so_before_any_work(monkeypatch):
    from midigpt_cli.server import musicgen_looper
    from midigpt_cli.server.http_errors import RefusalError
    from midigpt_core.errors import AudioError

    def missing(path: str, rate: int) -> None:
        raise AudioError("writing .mp3 needs the soundfile package")

    monkeypatch.setattr(musicgen_looper, "check_writable", missing)
    with pytest.raises(RefusalError, match="ask for wav") as refusal:
        musicgen_looper.check_format("mp3")
    assert (refusal.value.status, refusal.value.more["field"]) == (422, "output_format")


@pytest.mark.parametrize("key", ["seed", "temperature", "top_k"])
def test_beside_a_song_of_our_own_form_settings_go_into_config(http, key):
    song = base64.b64encode(SAMPLE.read_bytes()).decode()
    answer = http.post("/loop", json={"midi": song, "first": 0, "end": 2, key: 1})
    assert answer.status_code == 422
    assert "put it into config" in answer.json()["detail"]
