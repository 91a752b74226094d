"""POST /render plays and draws a song as `midigpt render` does; GET /presets names the sets of options."""

from __future__ import annotations

import io
import wave
from dataclasses import replace

import pytest
from serving import client_of, midi
from tiny import song

from midigpt_core.score import Score


def render(client, file: bytes | None = None, **fields):
    return client.post("/render", files={"file": ("my song.mid", file or midi(), "audio/midi")}, data=fields)


def test_a_song_comes_back_as_sound_of_its_length(client):
    answer = render(client)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "audio/wav"
    assert "my%20song.wav" in answer.headers["content-disposition"]
    with wave.open(io.BytesIO(answer.content)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    score = Score.from_midi(midi())
    quarters = sum(bar.beat_length for bar in score.tracks[0].bars)
    length = quarters * score.tempo / 1e6
    assert 0.8 * length < seconds < length + 10


def test_a_picture_shows_the_bars_asked_for(client):
    pytest.importorskip("matplotlib")
    whole, part, lit = (
        render(client, format="svg", **more).text
        for more in ({}, {"bars": "2-3"}, {"bars": "2-3", "highlight": "bass:2"})
    )
    assert whole.lstrip().startswith("<?xml")
    assert len({whole, part, lit}) == 3
    assert render(client, format="png").content[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"format": "mov"}, "format = 'mov' cannot be made"),
        ({"fromat": "wav"}, "format"),
        ({"bars": "99"}, "bar 99"),
        ({"highlight": "bass"}, "TRACK:BARS"),
    ],
)
def test_what_cannot_be_rendered_is_refused_in_the_forms_words(client, fields, says):
    answer = render(client, **fields)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert "--" not in answer.json()["detail"]


def test_a_song_that_is_too_long_to_play_can_still_be_drawn():
    slow = replace(song(8), tempo=10_000_000)
    with client_of(max_render_seconds=60.0) as client:
        file = client.post("/score", json=slow.to_dict()).content
        answer = render(client, file)
        assert answer.status_code == 413
        assert "max_render_seconds" in answer.json()["detail"]
        pytest.importorskip("matplotlib")
        assert render(client, file, format="svg").status_code == 200


def test_presets_of_the_server_are_told_by_the_forms_names(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "midigpt.toml").write_text("[presets.mine]\nrhythm-lock = true\n")
    told = client.get("/presets").json()["presets"]
    assert told["mine"] == {"rhythm_lock": True}
    assert {"busier", "sparser", "fill"} <= set(told)
