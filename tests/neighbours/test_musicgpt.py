"""Clients of MusicGPT's audio_to_midi, as its page shows them, to a server with a key on a real socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

for _needed in ("onnxruntime", "librosa", "soundfile", "soxr"):
    pytest.importorskip(_needed)

from midigpt_core.audio.pitch_model import model_file  # noqa: E402
from midigpt_core.audio.synthesis import render_audio  # noqa: E402
from midigpt_core.errors import AudioError  # noqa: E402
from midigpt_core.score import Score  # noqa: E402

try:
    model_file()
except AudioError as missing:
    pytest.skip(str(missing), allow_module_level=True)

SAMPLE = Path(__file__).parents[2] / "samples" / "nocturne.mid"
KEY = "my-secret"
PATH = "/api/public/v1/audio_to_midi"


class Elsewhere(BaseHTTPRequestHandler):
    """Where the audio lies, and where the webhook goes."""

    audio = b""
    called: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.audio)

    def do_POST(self) -> None:
        self.called.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def take(tmp_path_factory) -> bytes:
    song = Score.from_midi(SAMPLE)
    for track in song.tracks:
        track.bars = track.bars[:2]
    song.source = None
    place = tmp_path_factory.mktemp("audio") / "audio.wav"
    song.to_midi(place.with_suffix(".mid"))
    render_audio(place.with_suffix(".mid"), place, rate=22050)
    return place.read_bytes()


@pytest.fixture(scope="module")
def elsewhere(take) -> Iterator[str]:
    Elsewhere.audio = take
    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def url(served, checkpoint) -> Iterator[str]:
    doors = ["--audio-urls", "any", "--webhook-private", "--webhook-secret", "whsec_" + "c2VjcmV0"]
    with served(["midigpt_cli", "serve", "--ckpt", str(checkpoint), "--api-key", KEY, *doors]) as address:
        yield address


def finished(url: str, task_id: str) -> dict[str, Any]:
    """The conversion once it has ended, polled with byId."""
    query = {"conversionType": "AUDIO_TO_MIDI", "task_id": task_id}
    until = time.monotonic() + 120
    while time.monotonic() < until:
        answer = httpx.get(f"{url}/api/public/v1/byId", params=query, headers={"Authorization": KEY}, timeout=60)
        told = answer.json()
        assert answer.status_code == 200, told
        if told["conversion"]["status"] in ("COMPLETED", "FAILED"):
            return told["conversion"]
        assert told["conversion"]["status"] in ("IN_QUEUE", "PROCESSING")
        time.sleep(0.2)
    raise AssertionError("the conversion took too long")


def test_option_1_audio_by_its_address_then_a_webhook(url, elsewhere):
    requests = pytest.importorskip("requests")
    headers = {"Authorization": KEY}
    payload = {
        "audio_url": f"{elsewhere}/audio_file.wav",
        "sonify_midi": True,
        "save_note_events": True,
        "webhook_url": f"{elsewhere}/callback",
    }
    response = requests.post(url + PATH, headers=headers, data=payload, timeout=60)
    told = response.json()
    assert (response.status_code, told["success"]) == (200, True), told
    conversion = finished(url, told["task_id"])
    assert conversion["status"] == "COMPLETED", conversion
    until = time.monotonic() + 20
    while not Elsewhere.called and time.monotonic() < until:
        time.sleep(0.1)
    assert [job["id"] for job in Elsewhere.called] == [told["task_id"]]


def test_option_2_audio_uploaded_then_files_at_the_addresses_told(url, elsewhere, take, tmp_path):
    requests = pytest.importorskip("requests")
    (tmp_path / "audio.wav").write_bytes(take)
    headers = {"Authorization": KEY}
    payload = {"sonify_midi": True, "save_note_events": True, "webhook_url": f"{elsewhere}/callback"}
    with (tmp_path / "audio.wav").open("rb") as f:
        files = {"audio_file": f}
        response = requests.post(url + PATH, headers=headers, data=payload, files=files, timeout=60)
    conversion = finished(url, response.json()["task_id"])
    files = {
        name: httpx.get(conversion[name], headers=headers).content
        for name in ("midi_url", "audio_url", "note_events_url")
    }
    assert files["midi_url"][:4] == b"MThd"
    assert files["audio_url"][:4] == b"RIFF"
    assert files["note_events_url"].startswith(b"start_time_s,end_time_s")


def test_sound_and_table_are_made_there_unless_they_are_refused(url, take):
    headers, file = {"Authorization": KEY}, {"audio_file": ("audio.wav", take)}
    plain = httpx.post(url + PATH, headers=headers, files=file, timeout=60).json()["task_id"]
    bare = httpx.post(url + PATH, headers=headers, files=file, data={"sonify_midi": "false"}, timeout=60).json()
    assert finished(url, plain)["audio_url"]
    assert finished(url, bare["task_id"])["audio_url"] is None


def test_while_the_model_is_being_loaded_progress_says_so(monkeypatch, take):
    from midigpt_cli.options.transcribe_options import TranscribeOptions
    from midigpt_cli.server.body import Form
    from midigpt_cli.server.routes import transcribe
    from midigpt_cli.server.server_settings import ServerSettings

    stages: list[str] = []
    monkeypatch.setattr(transcribe, "is_loaded", lambda: False)
    monkeypatch.setattr(transcribe, "load_ahead", lambda: stages.append("loaded"))
    asked = transcribe.TranscribeRequest(
        Form("a.wav", take, {}), None, TranscribeOptions().settings(), False, False, None
    )
    session = transcribe.TranscribeSession(asked, ServerSettings())
    session.tell = lambda share, stage: stages.append(stage)
    session.run_takes()
    assert stages[:3] == ["loading the listening model", "loaded", "listening"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"conversionType": "AUDIO_TO_MIDI", "task_id": "job_none"}, 404),
        ({"conversionType": "REMIX", "task_id": "job_none"}, 422),
        ({"conversionType": "AUDIO_TO_MIDI"}, 422),
    ],
)
def test_an_id_that_is_not_there_is_refused_in_a_sentence(url, query, status):
    answer = httpx.get(f"{url}/api/public/v1/byId", params=query, headers={"Authorization": KEY})
    assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)


@pytest.mark.parametrize("header", [{}, {"Authorization": "wrong"}, {"Authorization": "Basic my-secret"}])
def test_without_the_key_nothing_is_done(url, header):
    assert httpx.post(url + PATH, headers=header, data={"sonify_midi": "true"}).status_code == 401
