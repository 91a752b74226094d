"""Clients of the MagentaRT research API, sent as its page shows them, to a server on a real socket."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import wave
from pathlib import Path
from typing import Any

import httpx
import mido
import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from midigpt_core.errors import CheckpointError
from midigpt_core.model.checkpoint import load_checkpoint

START = """
{
  "type": "start",
  "mode": "rt",
  "binary_audio": false,
  "params": {
    "styles": "electronic, ambient",
    "style_weights": "1.0, 0.8",
    "temperature": 1.1,
    "topk": 40,
    "guidance_weight": 1.1,
    "pace": "realtime",
    "style_ramp_seconds": 8.0,
    "mean": 0.0,
    "centroid_weights": "0.0, 0.0, 0.0"
  }
}
"""
UPDATE = """
{
  "type": "update",
  "styles": "jazz, hiphop",
  "style_weights": "1.0, 0.8",
  "temperature": 1.2,
  "topk": 64,
  "guidance_weight": 1.0,
  "mean": 0.2,
  "centroid_weights": "0.1, 0.3, 0.0"
}
"""
STOP = '{"type": "stop"}'


def until(line: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        text = line.recv(timeout=60)
        told = json.loads(text) if isinstance(text, str) else {"type": "sound", "bytes": text}
        assert told["type"] != "error", told
        if told["type"] == kind:
            return told


def samples(wav: bytes) -> tuple[np.ndarray, int]:
    with wave.open(io.BytesIO(wav)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return data, file.getframerate()


def changed(message: str, **params: Any) -> str:
    data = json.loads(message)
    data["params"] |= params
    return json.dumps(data)


def test_start_update_and_stop_as_the_page_has_them(url):
    with connect(f"{url.replace('http', 'ws')}/ws/jam") as line:
        line.send(START)
        started = until(line, "started")
        assert started["understood"]["styles"] == ["house", "ambient"]
        assert set(started["unused"]) == {"mode", "mean", "centroid_weights"}
        first = until(line, "chunk")
        sound, rate = samples(base64.b64decode(first["audio_base64"]))
        assert rate == first["metadata"]["sample_rate"]
        assert abs(len(sound) / rate - first["ticks"] / 480 * 60 / started["bpm"]) < 1e-4
        before = {track["instrument"] for track in first["tracks"]}
        line.send(UPDATE)
        status = until(line, "status")
        assert status["of"] == "update"
        assert set(status["unused"]) == {"mean", "centroid_weights"}
        assert status["understood"]["styles"] == ["jazz", "hip-hop"]
        chunk = first
        while chunk["index"] < status["chunk"]:
            chunk = until(line, "chunk")
        assert {track["instrument"] for track in chunk["tracks"]} != before  # other styles, other instruments
        assert first["metadata"]["bpm"] != chunk["metadata"]["bpm"]
        line.send(STOP)
        until(line, "stopped")


def test_a_new_style_s_tempo_is_reached_within_the_ramp_and_not_before(url):
    with connect(f"{url.replace('http', 'ws')}/ws/jam") as line:
        line.send(changed(START, pace="asap", styles="house", style_weights="1", style_ramp_seconds=8.0))
        begun = until(line, "started")["bpm"]
        line.send('{"type": "update", "styles": "ballad", "style_weights": "1.0"}')
        goal, tempi = 70.0, []
        while not tempi or (tempi[-1] != goal and len(tempi) < 30):
            tempi.append(until(line, "chunk")["metadata"]["bpm"])
    assert begun == 123.0
    gliding = [bpm for bpm in tempi if goal < bpm < begun]
    assert gliding == sorted(gliding, reverse=True)
    assert len(gliding) >= 2
    assert 6 <= sum(240 / bpm for bpm in gliding) <= 10  # a chunk is a bar of 4/4: 240 / bpm seconds


def test_binary_audio_comes_in_a_frame_before_its_message(url):
    message = json.loads(START) | {"binary_audio": True}
    with connect(f"{url.replace('http', 'ws')}/ws/jam") as line:
        line.send(json.dumps(message))
        sound, rate = samples(until(line, "sound")["bytes"])
        told = until(line, "chunk_meta")
        assert told["metadata"]["total_samples"] == len(sound)
        assert told["metadata"]["sample_rate"] == rate
        assert "audio_base64" not in told


def test_chunks_are_exactly_their_bars_and_nothing_drifts(http):
    asked = {"bpm": 137, "tracks": [{"instrument": 0}], "pace": "asap", "audio": True, "audio_rate": 22050, "seed": 4}
    session = http.post("/jam/start", json=asked).json()["session_id"]
    ends, edge = 0.0, 0
    for _ in range(6):
        chunk = http.get("/jam/next", params={"session_id": session}).json()
        sound, rate = samples(base64.b64decode(chunk["chunk"]["audio_base64"]))
        assert rate == 22050
        ends += chunk["ticks"] / 480 * 60 / 137
        edge += len(sound)
        assert abs(edge - ends * rate) <= 1  # no drift, however many chunks there are
        again = http.get("/jam/next", params={"session_id": session, "index": chunk["index"]}).json()
        assert again["audio_base64"] == chunk["audio_base64"]
    http.post("/jam/stop", json={"session_id": session})


def test_what_rings_on_after_a_chunk_is_heard_at_the_beginning_of_the_next():
    from midigpt_cli.live.jam_session import Delivery
    from midigpt_cli.server.chunk_audio import ChunkSound
    from midigpt_core.jam import RESOLUTION, Chunk
    from midigpt_core.score import Bar, Note, Score, Track

    def chunk(index: int, notes: list[Note]) -> Delivery:
        score = Score([Track([Bar(notes)], 0)], RESOLUTION)
        return Delivery(Chunk(index, index, score, 1, 0, 0.0, 0))

    sound = ChunkSound(8000)
    last, _ = samples(sound.wav(chunk(0, [Note(60, 100, 1440, 480)])))
    silent, _ = samples(sound.wav(chunk(1, [])))
    assert np.abs(last[-800:]).max() > 0
    assert np.abs(silent[:800]).max() > 0  # its release
    assert abs(int(last[-1, 0]) - int(silent[0, 0])) < 3000  # without a click
    assert len(last) == len(silent) == 2 * 8000


def test_a_jam_is_steered_with_forms_too(http):
    start = {
        "bpm": "110", "bars_per_chunk": "2", "beats_per_bar": "3", "styles": "waltz", "style_weights": "1.0",
        "guidance_weight": "1.1", "temperature": "1.1", "topk": "40", "loudness_mode": "auto", "loop_weight": "1.0",
    }  # fmt: skip
    begun = http.post("/jam/start", data=start).json()
    assert (begun["bpm"], begun["metre"], begun["bars_per_chunk"]) == (110, [3, 4], 2)
    assert set(begun["unused"]) == {"loudness_mode", "loop_weight"}
    session = begun["session_id"]
    assert http.get("/jam/next", params={"session_id": session}).json()["index"] == 0
    consumed = http.post("/jam/consume", data={"session_id": session, "chunk_index": "0"})
    assert consumed.json()["consumed"] == 0, consumed.text
    changed = http.post("/jam/update", data={"session_id": session, "topk": "64", "temperature": "1.2"})
    assert changed.json()["version"] == 1, changed.text
    assert http.post("/jam/stop", json={"session_id": session}).json()["state"] == "stopped"


def test_stop_all_ends_the_jams_of_the_caller(http):
    sessions = [http.post("/jam/start", data={"styles": "jazz"}).json()["session_id"] for _ in range(2)]
    assert http.post("/jam/stop_all").json() == {"stopped": 2}
    assert http.get("/jam/status", params={"session_id": sessions[0]}).status_code == 404


def test_sound_to_go_on_from_is_refused_with_the_way(http):
    answer = http.post("/jam/start", data={"bpm": "120"}, files={"loop_audio": ("loop.wav", b"RIFF", "audio/wav")})
    assert answer.status_code == 422
    assert answer.json()["field"] == "loop_audio"
    assert "/audio_to_midi" in answer.json()["detail"]


# ---- bars in a style ----


def test_a_style_is_written_from_a_form_as_sound_and_notes_of_exactly_its_bars(http):
    form = {
        "bpm": "120", "bars": "6", "beats_per_bar": "4", "styles": "jazz", "style_weights": "1.0", "topk": "40",
        "guidance_weight": "1.1", "temperature": "1.1", "target_sample_rate": "24000", "intro_bars_to_drop": "2",
    }  # fmt: skip
    answer = http.post("/generate_style", data=form).json()
    sound, rate = samples(base64.b64decode(answer["audio_base64"]))
    assert (rate, len(sound)) == (24000, 6 * 4 * 24000 // 2)
    song = mido.MidiFile(file=io.BytesIO(base64.b64decode(answer["midi"])))
    assert max(sum(message.time for message in track) for track in song.tracks) == 6 * 4 * song.ticks_per_beat
    assert answer["metadata"]["bpm"] == 120
    programs = {m.program for track in song.tracks for m in track if m.type == "program_change" and m.channel != 9}
    assert programs == {65, 0, 32}  # a jazz band: saxophone, piano, upright bass
    same = http.post("/generate_style", data={**form, "seed": str(answer["seed"])})
    assert same.json()["midi"] == answer["midi"]


@pytest.mark.parametrize(
    ("wrong", "field"), [({"bars": 0}, "bars"), ({"styles": "polka-core"}, "styles"), ({"audio_rate": 1}, "audio_rate")]
)
def test_a_style_that_cannot_be_written_is_refused_by_field(http, wrong, field):
    answer = http.post("/generate_style", json={"styles": "jazz", **wrong})
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


# ---- other checkpoints ----

SELECT = """
{
    "ckpt_repo": "thepatch/magenta-ft",
    "ckpt_step": 1863001,
    "size": "large",
    "prewarm": true
  }
"""


def packed(checkpoint: Path, folder: Path, name: str = "checkpoint_1863001/model.safetensors") -> Path:
    """A checkpoint in a .tgz, where the hub's client keeps what it has fetched of thepatch/magenta-ft."""
    place = folder / "models--thepatch--magenta-ft" / "snapshots" / "main"
    place.mkdir(parents=True, exist_ok=True)
    archive = place / "checkpoint_1863001.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(checkpoint, name)
    return archive


def environment(folder: Path) -> dict[str, str]:
    return {"HF_HUB_CACHE": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}


def test_a_fine_tune_in_a_tgz_is_selected_as_the_page_has_it_where_it_is_allowed(served, checkpoint, tmp_path):
    packed(checkpoint, tmp_path)
    command = ["midigpt_cli", "serve", "--ckpt", str(checkpoint), "--allow-model", "thepatch/magenta-ft"]
    with served(command, environment(tmp_path)) as url, httpx.Client(base_url=url, timeout=60) as http:
        answer = http.post("/model/select", content=SELECT, headers={"Content-Type": "application/json"})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["model"], told["warmup_done"], told["unused"]) == ("checkpoint_1863001", True, ["size"])
        assert http.get("/models").json()["default_model"] == "checkpoint_1863001"
        missing = http.post("/model/select", json={"ckpt_repo": "thepatch/magenta-ft", "ckpt_step": 7})
        assert missing.status_code == 422
        assert "checkpoint_1863001" in missing.json()["detail"]  # still served


def test_a_fine_tune_that_the_server_was_not_allowed_to_load_is_refused(http):
    answer = http.post("/model/select", content=SELECT, headers={"Content-Type": "application/json"})
    assert answer.status_code == 403
    assert "--allow-model" in answer.json()["detail"]


def test_the_environment_chooses_a_checkpoint_at_the_start(served, checkpoint, tmp_path):
    packed(checkpoint, tmp_path)
    chosen = {"MRT_CKPT_REPO": "thepatch/magenta-ft", "MRT_CKPT_STEP": "1863001", "MRT_SIZE": "large"}
    env = {**environment(tmp_path), **chosen, "SPACE_MODE": "serve"}
    with served(["midigpt_cli", "serve"], env) as url:
        assert httpx.get(f"{url}/models").json()["default_model"] == "checkpoint_1863001"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a/.zarray", "a/0.0"], "makes sound, not notes"),
        (["a/one.safetensors", "a/two.safetensors"], "several checkpoints"),
        (["readme.txt"], "no .safetensors"),
    ],
)
def test_an_archive_without_one_checkpoint_says_what_it_holds(checkpoint, tmp_path, monkeypatch, names, sentence):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    archive = tmp_path / "odd.tgz"
    with tarfile.open(archive, "w:gz") as file:
        for name in names:
            file.add(checkpoint, name)
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(archive)


def test_nothing_of_an_archive_is_written_but_its_checkpoint(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    archive = tmp_path / "odd.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(checkpoint, "../../../escaped.safetensors")
        file.add(checkpoint, "../other.txt")
    load_checkpoint(archive)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path != archive] == [
        "checkpoint.safetensors"
    ]


def test_a_chunk_that_was_let_go_of_is_rendered_again_and_disturbs_nothing(monkeypatch):
    from tiny import engine

    from midigpt_cli.live.jam_session import Delivery
    from midigpt_cli.server import chunk_audio
    from midigpt_core.jam import Jam, JamSettings
    from midigpt_core.request import InferenceConfig
    from midigpt_core.score import Track

    monkeypatch.setattr(chunk_audio, "MOST_BYTES", 1)
    jam = Jam(engine(), JamSettings(tracks=(Track(),), config=InferenceConfig(seed=1, density_hard_limit=4)))
    chunks = [Delivery(jam.next_chunk()) for _ in range(3)]
    plain, asked_twice = chunk_audio.ChunkSound(8000), chunk_audio.ChunkSound(8000)
    told = [plain.wav(chunk) for chunk in chunks]
    again = [asked_twice.wav(chunks[0]), asked_twice.wav(chunks[1])]
    assert len(asked_twice.wav(chunks[0])) == len(told[0])
    assert [*again, asked_twice.wav(chunks[2])] == told


def test_bars_that_play_too_long_are_refused(http):
    answer = http.post("/generate_style", json={"styles": "jazz", "bpm": 20, "bars": 64})
    assert (answer.status_code, answer.json()["field"]) == (422, "bars")


def test_where_callers_are_kept_apart_nobody_ends_the_jams_of_others():
    from serving import client_of

    with client_of(api_key="secret") as client:
        headers = {"X-API-Key": "secret"}
        session = client.post("/jam/start", json={"styles": "jazz"}, headers=headers).json()["session_id"]
        assert client.post("/jam/stop_all", headers=headers).status_code == 403
        assert client.get("/jam/status", params={"session_id": session}, headers=headers).status_code == 200


@pytest.mark.parametrize(("start", "after"), [({"bpm": 100}, 100.0), ({}, 70.0)])
def test_styles_change_the_tempo_unless_it_was_given_as_a_number(http, start, after):
    session = http.post("/jam/start", json={"styles": "house", "pace": "asap", **start}).json()["session_id"]
    http.post("/jam/update", data={"session_id": session, "styles": "ballad"})
    assert http.get("/jam/status", params={"session_id": session}).json()["bpm"] == after
    http.post("/jam/update", data={"session_id": session, "styles": "jazz", "bpm": "90"})
    assert http.get("/jam/status", params={"session_id": session}).json()["bpm"] == 90
    http.post("/jam/stop", json={"session_id": session})


def test_sound_sent_to_generate_is_told_where_to_go(http):
    files = {"loop_audio": ("loop.wav", b"RIFF", "audio/wav")}
    answer = http.post("/generate", data={"bpm": "120", "bars": "8", "styles": "techno"}, files=files)
    assert answer.status_code == 415
    assert all(path in answer.json()["detail"] for path in ("/generate_style", "/audio_to_midi", "/infill"))
