"""POST /loop: equal ticks, score or file, and refusals that name the field."""

from __future__ import annotations

import base64
import io

import mido
import pytest
from serving import midi
from tiny import song

SMALL = {"first": 0, "end": 2, "tracks": [1], "config": {"seed": 3, "density_hard_limit": 4}}


def test_variations_are_equally_long_and_keep_the_other_tracks(client):
    answer = client.post("/loop", json={"score": song(4).to_dict(), **SMALL, "variations": 2}).json()
    assert (answer["bars"], answer["ticks"], answer["resolution"]) == (2, 2 * 4 * 480, 480)
    assert [(v["number"], v["seed"]) for v in answer["variations"]] == [(1, 3), (2, 4)]
    for variation in answer["variations"]:
        drums, bass, piano = variation["score"]["tracks"]
        assert [len(track["bars"]) for track in (drums, bass, piano)] == [2, 2, 2]
        assert len(drums["bars"][1]["notes"]) == 4
        for number, bar in enumerate(bass["bars"]):
            room = (2 - number) * 4 * 480
            assert all(note["onset_ticks"] + note["duration_ticks"] <= room for note in bar["notes"])


def test_a_file_comes_back_as_files_in_the_tempo_asked_for(client):
    body = {"midi": base64.b64encode(midi(song(4))).decode(), **SMALL, "variations": 1, "bpm": 90, "format": "midi"}
    [variation] = client.post("/loop", json=body).json()["variations"]
    file = mido.MidiFile(file=io.BytesIO(base64.b64decode(variation["midi"])))
    assert max(sum(m.time for m in track) for track in file.tracks) == 2 * 4 * file.ticks_per_beat
    assert [m.tempo for track in file.tracks for m in track if m.type == "set_tempo"] == [round(60e6 / 90)]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"end": 9}, "end"),
        ({"first": 2, "end": 2}, "end"),
        ({"first": 4}, "first"),
        ({"score": {"tracks": []}}, "first"),
        ({"variations": 21}, "variations"),
        ({"tracks": [7]}, "tracks"),
        ({"seam": "glue"}, "seam"),
        ({"format": "wav"}, "format"),
        ({"bpm": "fast"}, "bpm"),
        ({"config": {"num_candidates": 3}}, "config.num_candidates"),
        ({"nonsense": 1}, "nonsense"),
        ({"score": None}, "score"),
    ],
)
def test_a_loop_that_cannot_be_written_is_refused_by_field(client, wrong, field):
    answer = client.post("/loop", json={"score": song(4).to_dict(), **SMALL, **wrong})
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field


def test_a_file_that_is_not_base64_is_refused(client):
    for text in ("a\u00e8d", "a", "%%%%"):
        answer = client.post("/loop", json={"midi": text})
        assert (answer.status_code, answer.json()["field"]) == (422, "midi")


def test_both_answers_stand_in_the_schema(client):
    from midigpt_cli.server.routes.loop import LooperAnswer

    described = client.get("/openapi.json").json()["paths"]["/loop"]["post"]["responses"]["200"]
    shapes = described["content"]["application/json"]["schema"]["anyOf"]
    assert [shape["$ref"].rsplit("/")[-1] for shape in shapes] == ["LoopAnswer", "LooperAnswer"]
    flat = {"bpm": 120.0, "max_duration": 4, "variations": 2, "output_format": "mid", "seed": 1}
    answer = client.post("/loop", json=flat).json()
    assert LooperAnswer.model_validate(answer, strict=True).model_dump() == answer
    assert set(answer) == {*LooperAnswer.model_fields, "variation_02"}
