"""POST /song tells of a song what `midigpt info --json` does."""

from __future__ import annotations

import json

from serving import midi
from typer.testing import CliRunner

from midigpt_cli.main import app


def test_song_is_told_as_on_the_command_line_by_form_and_as_it_is(client, tmp_path):
    path = tmp_path / "song.mid"
    path.write_bytes(midi())
    told = json.loads(CliRunner().invoke(app, ["info", "--json", str(path)]).output)
    by_form = client.post("/song", files={"file": ("my song.mid", midi(), "audio/midi")})
    as_it_is = client.post("/song", content=midi(), headers={"Content-Type": "audio/midi"})
    assert by_form.status_code == as_it_is.status_code == 200, by_form.text
    assert told["chords"]
    assert told["key_by_notes"]
    for answer in (by_form.json(), as_it_is.json()):
        assert {**answer, "song": ""} == {**told, "song": ""}


def test_what_is_no_song_is_a_sentence(client):
    answer = client.post("/song", content=b"RIFF of something else", headers={"Content-Type": "audio/midi"})
    assert answer.status_code == 400
    assert "MIDI" in answer.json()["detail"]
    assert client.post("/song", json={}).status_code == 415
