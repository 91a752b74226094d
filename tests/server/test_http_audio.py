"""POST /audio_to_midi takes audio, answers with a job at once, and fetches from nowhere it was not told to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from serving import client_of
from test_http_jobs import ended

from midigpt_core.audio.synthesis import render_audio
from midigpt_core.errors import AudioError
from midigpt_core.score import Score

for _needed in ("onnxruntime", "librosa", "soundfile", "soxr"):
    pytest.importorskip(_needed)

from midigpt_core.audio.pitch_model import model_file  # noqa: E402

try:
    model_file()
except AudioError as missing:
    pytest.skip(str(missing), allow_module_level=True)

SAMPLE = Path(__file__).parents[2] / "samples" / "nocturne.mid"


@pytest.fixture(scope="module")
def take(tmp_path_factory) -> bytes:
    """Four bars of piano as a wav."""
    folder = tmp_path_factory.mktemp("audio")
    song = Score.from_midi(SAMPLE)
    for track in song.tracks:
        track.bars = track.bars[:4]
    song.source = None
    song.to_midi(folder / "take.mid")
    render_audio(folder / "take.mid", folder / "take.wav")
    return (folder / "take.wav").read_bytes()


def test_audio_becomes_a_job_with_a_midi_file_a_table_and_a_sound(client, take):
    words = {"sonify_midi": "true", "save_note_events": "True", "bpm": "72"}
    answer = client.post("/audio_to_midi", files={"audio_file": ("take.wav", take)}, data=words)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    job = ended(client, answer.json()["task_id"], 120)
    assert job["status"] == "succeeded", job["error"]
    assert job["kind"] == "transcribe"
    assert job["summary"]["bpm"] == pytest.approx(72)
    (result,) = job["results"]
    heard = Score.from_midi(client.get(result["midi"]).content)
    assert sum(len(bar.notes) for track in heard.tracks for bar in track.bars) == job["summary"]["notes"] > 10
    table = client.get(result["files"]["notes.csv"])
    assert table.text.splitlines()[0] == "start_time_s,end_time_s,pitch_midi,velocity,pitch_bend"
    assert len(table.text.splitlines()) == job["summary"]["notes"] + 1
    sound = client.get(result["files"]["sonified.wav"])
    assert (sound.content[:4], sound.headers["content-type"]) == (b"RIFF", "audio/wav")
    assert client.get(f"/jobs/{job['id']}/files/other.wav").status_code == 404


def test_what_is_not_audio_fails_its_job_with_a_sentence(client):
    answer = client.post("/audio_to_midi", files={"audio_file": ("take.wav", b"RIFFnothing")})
    job = ended(client, answer.json()["task_id"])
    assert job["status"] == "failed"
    assert "not audio that can be read" in job["error"]["detail"]
    assert "/tmp" not in job["error"]["detail"]
    assert job["error"]["status"] == 400


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "audio_file"),
        ({"audio_url": "https://example.org/take.wav"}, "--audio-urls"),
        ({"bmp": "120"}, "bpm"),
        ({"bpm": "fast"}, "not a number"),
        ({"metre": "four"}, "time signature"),
        ({"bpm": "nan"}, "bpm = 'nan' is not a number"),
        ({"downbeat": "-inf"}, "downbeat = '-inf' is not a number"),
        ({"minimum_note_length": "nan"}, "minimum_note_length = 'nan' is not a number"),
        ({"sonify_midi": "perhaps"}, "neither true nor false"),
        ({"webhook_url": "https://example.org/hook"}, "webhook secret"),
    ],
)
def test_a_wrong_form_is_refused_at_once(client, take, fields, says):
    files = {"audio_file": ("take.wav", take)} if fields and "audio_url" not in fields else None
    answer = client.post("/audio_to_midi", data=fields or {"metre": "4/4"}, files=files)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(("field", "value"), [("metre", "four"), ("instrument", "zither of glass")])
def test_a_refusal_names_the_field_of_the_form(client, take, field, value):
    answer = client.post("/audio_to_midi", data={field: value}, files={"audio_file": ("take.wav", take)})
    told = answer.json()
    assert (answer.status_code, told["field"]) == (422, field)
    assert told["detail"].startswith(f"{field} = {value!r}")
    assert "--" not in told["detail"] + told["remedy"]


@contextlib.contextmanager
def library(take: bytes) -> Iterator[str]:
    """A server on this machine that has the audio, a page that leads elsewhere, and one that is missing."""

    class Shelf(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response({"/take.wav": 200, "/moved.wav": 302}.get(self.path, 404))
            self.send_header("Location", "/take.wav")
            self.end_headers()
            if self.path == "/take.wav":
                with contextlib.suppress(OSError):
                    self.wfile.write(take)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Shelf)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_address_is_fetched_where_the_server_may(take):
    with library(take) as shelf, client_of(audio_urls="any") as client:
        answer = client.post("/audio_to_midi", data={"audio_url": f"{shelf}/take.wav", "bpm": "72"})
        assert ended(client, answer.json()["task_id"], 120)["status"] == "succeeded"
        for page, says in (("moved.wav", "302"), ("gone.wav", "404")):
            answer = client.post("/audio_to_midi", data={"audio_url": f"{shelf}/{page}"})
            job = ended(client, answer.json()["task_id"])
            assert (job["status"], says in job["error"]["detail"]) == ("failed", True)


def test_private_addresses_and_large_files_are_refused(take):
    with library(take) as shelf:
        with client_of(audio_urls="public") as client:
            answer = client.post("/audio_to_midi", data={"audio_url": f"{shelf}/take.wav"})
            assert answer.status_code == 422
            assert "private address" in answer.json()["detail"]
        with client_of(audio_urls="any", max_body_mb=0.1) as client:
            answer = client.post("/audio_to_midi", data={"audio_url": f"{shelf}/take.wav"})
            job = ended(client, answer.json()["task_id"])
            assert "larger than 0.1 MB" in job["error"]["detail"]


def test_a_job_that_waits_for_another_is_stopped(client, take):
    first, second = (
        client.post("/audio_to_midi", files={"audio_file": ("take.wav", take)}).json()["task_id"] for _ in range(2)
    )
    client.delete(f"/jobs/{second}")
    assert ended(client, first, 120)["status"] == "succeeded"
    assert ended(client, second, 60)["status"] == "cancelled"
