"""A jam over HTTP and websocket: order, waiting, refusals, changes, and the end of a lost client."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import time

import mido
import pytest
from fake_jam import FakeJam
from serving import client_of, live_server, midi
from starlette.testclient import WebSocketDenialResponse
from tiny import song

from midigpt_cli.server import open_jams

START = {"pace": "asap", "bpm": 240, "tracks": [{"drums": True}, {"instrument": "acoustic bass"}], "seed": 3}
WS = "ws://127.0.0.1/ws/jam"
SHORT = {**START, "density_hard_limit": 4}


@pytest.fixture
def fake(monkeypatch):
    """Jams that write at once, or as slowly as `made` is told to."""
    speed = {"seconds": 0.0}
    monkeypatch.setattr(open_jams, "Jam", lambda engine, settings, song=None: FakeJam(settings, speed["seconds"]))
    return speed


@pytest.fixture
def at_home():
    with client_of(max_jams=2) as client:
        yield client


def begin(client, **more):
    answer = client.post("/jam/start", json={**START, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["session_id"]


def take(client, jam, **more):
    return client.get("/jam/next", params={"session_id": jam, **more})


def test_a_real_jam_comes_bar_by_bar_and_no_note_crosses_its_chunk(at_home):
    answer = at_home.post("/jam/start", json={**SHORT, "metre": "3/4", "chunk_midi": True})
    started = answer.json()
    assert (started["metre"], started["chunk_seconds"]) == ([3, 4], 0.75)
    chunks = [take(at_home, started["session_id"]).json() for _ in range(3)]
    assert [c["index"] for c in chunks] == [c["start_bar"] for c in chunks] == [0, 1, 2]
    for chunk in chunks:
        assert chunk["ticks"] == 3 * chunk["resolution"]
        for track in chunk["tracks"]:
            assert all(onset + length <= chunk["ticks"] for _, _, onset, length in track["notes"])
        file = mido.MidiFile(file=io.BytesIO(base64.b64decode(chunk["midi"])))
        assert max(sum(m.time for m in track) for track in file.tracks) == 3 * file.ticks_per_beat
    told = at_home.post("/jam/stop", json={"session_id": started["session_id"]}).json()
    assert (told["state"], told["next_index"]) == ("stopped", 3)


def test_a_jam_goes_on_from_a_song_in_its_tempo_and_parts(at_home):
    answer = at_home.post("/jam/start", json={"pace": "asap", "midi": base64.b64encode(midi(song(4))).decode()})
    told = answer.json()
    assert [track["name"] for track in told["tracks"]] == ["Drums", "Bass", "Piano"]
    assert (told["bpm"], told["metre"]) == (120.0, [4, 4])


def test_a_chunk_that_was_taken_comes_again_by_its_index_until_it_is_consumed(fake, at_home):
    jam = begin(at_home)
    first = take(at_home, jam, index=0).json()
    assert take(at_home, jam, index=0).json() == first
    assert take(at_home, jam, index=3).status_code == 409
    assert at_home.post("/jam/consume", json={"session_id": jam, "index": 0}).json()["kept"] == 0
    assert take(at_home, jam, index=0).status_code == 409
    assert take(at_home, jam, index=1).json()["index"] == 1
    assert at_home.post("/jam/consume", json={"session_id": jam, "index": 7}).status_code == 409


def test_next_waits_and_then_says_why_nothing_came(fake, at_home, monkeypatch):
    rooms = at_home.app.state.midigpt.jams
    wait = rooms.next
    monkeypatch.setattr(rooms, "next", lambda room: wait(room, 0.3))
    jam = begin(at_home, ahead=1)
    take(at_home, jam)
    at_home.post("/jam/consume", json={"session_id": jam, "index": 0})
    take(at_home, jam)
    asked = time.monotonic()
    answer = take(at_home, jam)
    assert answer.status_code == 408
    assert "POST /jam/consume" in answer.json()["detail"]
    assert 0.25 < time.monotonic() - asked < 5


def test_a_jam_that_is_unknown_or_has_ended_is_404(fake, at_home):
    jam = begin(at_home)
    at_home.post("/jam/stop", json={"session_id": jam})
    for answer in (
        take(at_home, jam),
        take(at_home, "jam_none"),
        at_home.get("/jam/status", params={"session_id": jam}),
        at_home.post("/jam/stop", json={"session_id": jam}),
        at_home.post("/jam/update", json={"session_id": jam, "bpm": 90}),
    ):
        assert answer.status_code == 404
        assert answer.json()["field"] == "session_id"


def test_one_jam_too_many_is_429_until_one_ends(fake, at_home):
    jams = [begin(at_home), begin(at_home)]
    refusal = at_home.post("/jam/start", json=START)
    assert refusal.status_code == 429
    assert "max_jams" in refusal.json()["detail"]
    assert "Retry-After" in refusal.headers
    at_home.post("/jam/stop", json={"session_id": jams[0]})
    begin(at_home)


def test_an_update_and_a_reseed_say_since_when(fake, at_home):
    jam = begin(at_home)
    take(at_home, jam)
    told = at_home.post("/jam/update", json={"session_id": jam, "bpm": 100, "temperature": 1.2}).json()
    assert told["version"] == 1
    again = at_home.post("/jam/reseed", json={"session_id": jam, "score": {**two_parts(), "resolution": 480}}).json()
    assert again["version"] == 2
    chunks = [take(at_home, jam).json() for _ in range(again["chunk"] + 1)]
    versions = {chunk["index"]: chunk["version"] for chunk in chunks}
    assert all(version == 0 for index, version in versions.items() if index < told["chunk"])
    assert versions[again["chunk"]] == 2
    status = at_home.get("/jam/status", params={"session_id": jam}).json()
    assert (status["bpm"], status["late"], status["late_chunks"]) == (100, "repeat", {"total": 0})


def two_parts():
    bars = [{"notes": []} for _ in range(2)]
    return {"tracks": [{"track_type": "drum", "bars": bars}, {"instrument": 32, "bars": bars}]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bpm": 1}, "bpm"),
        ({"metre": "3/4"}, "metre"),
        ({"temprature": 1.0}, "temprature"),
        ({"attributes": {"5": {"note_density": 1}}}, "attributes.5"),
        ({"attributes": {"0": {"nonsense": 1}}}, None),
        ({"temperature": -1.0}, None),
    ],
)
def test_a_change_that_cannot_be_played_is_refused_and_the_jam_goes_on(fake, at_home, change, field):
    jam = begin(at_home)
    answer = at_home.post("/jam/update", json={"session_id": jam, **change})
    assert answer.status_code == 422, answer.text
    assert field is None or answer.json()["field"] == field
    assert take(at_home, jam).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"tracks": []},
        {"metre": "four"},
        {"pace": "slow"},
        {"ahead": True},
        {"tracks": [{"instrument": 200}]},
        {"tracks": [{"instrument": "zither of glass"}]},
        {"midi": "?"},
    ],
)
def test_a_start_that_makes_no_sense_is_refused(at_home, wrong):
    answer = at_home.post("/jam/start", json={**START, **wrong})
    assert answer.status_code == 422
    assert answer.json()["remedy"]
    assert answer.json()["field"].partition("[")[0] in wrong


def test_a_player_who_is_not_heard_of_loses_the_jam(fake):
    with client_of(jam_seconds=1, max_jams=1) as client:
        jam = begin(client)
        time.sleep(1.3)
        assert take(client, jam).status_code == 404
        begin(client)


# ---- websocket ----


def until_type(line, kind):
    while True:
        message = line.receive_json()
        if message["type"] == kind:
            return message


def test_a_websocket_player_starts_changes_and_stops_a_jam(fake, at_home):
    fake["seconds"] = 0.02
    with at_home.websocket_connect(WS) as line:
        line.send_json({"type": "ping", "time": 5})
        assert line.receive_json() == {"type": "pong", "time": 5}
        line.send_json({"type": "update", "bpm": 90})
        assert line.receive_json()["status"] == 409
        line.send_json({"type": "start", **START})
        assert line.receive_json()["type"] == "started"
        chunks = [until_type(line, "chunk") for _ in range(4)]
        assert [chunk["index"] for chunk in chunks] == [0, 1, 2, 3]
        line.send_json({"type": "update", "bpm": 100})
        told = until_type(line, "status")
        assert (told["of"], told["version"]) == ("update", 1)
        while (chunk := until_type(line, "chunk"))["index"] < told["chunk"]:
            assert chunk["version"] == 0
        assert chunk["version"] == 1
        line.send_json({"type": "start", **START})
        assert until_type(line, "error")["status"] == 409
        line.send_json({"type": "stop"})
        assert until_type(line, "stopped")["state"] == "stopped"


@pytest.mark.parametrize(
    "said", ["{", "[]", '{"type": "sing"}', '{"type": "start", "tracks": 3}', '{"type": "ping", "x": 1}']
)
def test_a_message_that_makes_no_sense_is_answered_with_a_sentence(at_home, said):
    with at_home.websocket_connect(WS) as line:
        line.send_text(said)
        told = line.receive_json()
        assert (told["type"], told["status"]) == ("error", 422)
        line.send_json({"type": "ping"})
        assert line.receive_json() == {"type": "pong"}


def test_the_door_of_the_websocket_is_the_same_door():
    with client_of(api_key="secret") as client:
        with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(WS):
            pass
        assert refusal.value.status_code == 401
        assert "X-API-Key" in refusal.value.json()["detail"]
        for known in ({"headers": {"X-API-Key": "secret"}}, {"subprotocols": ["midigpt", "key.secret"]}):
            with client.websocket_connect(WS, **known) as line:
                line.send_json({"type": "ping"})
                assert line.receive_json()["type"] == "pong"
    with client_of() as client:
        for foreign in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
            with (
                pytest.raises(WebSocketDenialResponse) as refusal,
                client.websocket_connect(WS, headers=foreign),
            ):
                pass
            assert refusal.value.status_code == 403


def test_a_lost_client_frees_its_jam_in_the_middle_of_a_chunk(fake):
    connect = pytest.importorskip("websockets.sync.client").connect
    fake["seconds"] = 20.0
    with live_server(max_jams=1) as live:
        with connect(f"ws://127.0.0.1:{live.port}/ws/jam") as line:
            line.send('{"type": "start", "tracks": [{"drums": true}]}')
            assert '"started"' in line.recv(timeout=10)
            room = live.state.jams.playing()[0]
            live.until(lambda: room.session.status()["writing"])
            line.socket.shutdown(socket.SHUT_RDWR)  # no goodbye
            live.until(lambda: not live.state.jams.playing(), 5)
        room.session.join(2)
        assert not room.session._thread.is_alive()


# ---- choosing a model ----


@pytest.fixture
def other(tmp_path):
    from tiny import engine

    from midigpt_core.model.checkpoint import save_checkpoint

    file = tmp_path / "other.safetensors"
    save_checkpoint(file, engine().model, engine().tokenizer.config)
    return str(file)


@pytest.fixture
def choosing(other, tmp_path):
    allowed = (other, str(tmp_path / "broken.safetensors"), str(tmp_path / "missing.safetensors"))
    with client_of(allow_model=allowed) as client:
        yield client


def test_another_model_takes_over_and_the_first_stays_at_hand(choosing, other):
    dry = choosing.post("/model/select", json={"model": other, "dry_run": True}).json()
    assert (dry["model"], dry["loaded"]) == ("other", True)
    assert choosing.get("/models").json()["default_model"] == "tiny"
    done = choosing.post("/model/select", json={"model": other, "prewarm": True}).json()
    assert (done["previous"], done["warmup_done"]) == ("tiny", True)
    assert choosing.get("/models").json()["default_model"] == "other"
    assert choosing.post("/model/select", json={"model": "tiny"}).json()["loaded"] is False
    assert choosing.get("/models").json()["default_model"] == "tiny"


def test_paths_that_may_be_selected_are_not_told():
    with client_of(allow_model=("hub", "ours/bands", "/srv/models/bands.safetensors", "./bands.pt")) as client:
        assert client.get("/model/config").json()["allowed"] == ["hub", "ours/bands"]


def test_a_model_that_cannot_be_loaded_changes_nothing(choosing, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"no model")
    for reference in (str(tmp_path / "broken.safetensors"), str(tmp_path / "missing.safetensors")):
        answer = choosing.post("/model/select", json={"model": reference})
        assert answer.status_code == 422, answer.text
        assert "still served" in answer.json()["detail"]
    assert choosing.get("/models").json() == {
        "default_model": "tiny",
        "models": [{"id": "tiny", "checkpoint": "tiny"}],
    }


def test_jams_that_play_keep_the_model_unless_they_may_be_stopped(fake, choosing, other):
    jam = begin(choosing)
    assert choosing.post("/model/select", json={"model": other}).status_code == 409
    assert choosing.post("/model/select", json={"model": other, "stop_active": True}).json()["jams_stopped"] == 1
    assert take(choosing, jam).status_code == 404


@pytest.mark.parametrize("open_to", [{}, {"api_key": "k"}, {"host": "0.0.0.0"}, {"allow_model": ("hub",)}])
def test_files_of_the_server_are_chosen_by_nobody_unless_it_was_started_so(other, tmp_path, open_to):
    told = set()
    with client_of(**open_to) as client:
        client.headers.update({"X-API-Key": "k", "content-type": "application/json"})
        for reference in (
            other,
            str(tmp_path / "nothing.safetensors"),
            str(tmp_path),
            "../tests",
            "x" * 5000,
        ):
            for dry_run in (False, True):
                answer = client.post(
                    "/model/select",
                    content=json.dumps({"model": reference, "dry_run": dry_run}),
                )
                assert answer.status_code == 403, answer.text
                told.add(re.sub("model '.*' is", "", answer.json()["detail"]))
        assert client.post("/model/select", json={"model": "tiny"}).status_code == 200
    assert len(told) == 1  # nothing says whether a file is there


def test_a_hub_reference_is_never_taken_for_a_path(monkeypatch, tmp_path):
    (tmp_path / "owner" / "repo").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with client_of(allow_model=("hub",)) as client:
        answer = client.post("/model/select", json={"model": "owner/repo"})
    assert answer.status_code == 422
    assert "not downloaded" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        ({"audio": 1}, "audio = 1 is not true, false or 'binary'"),
        ({"audio": "yes"}, "audio = 'yes' is not true, false or 'binary'"),
        ({"audio": []}, "audio = [] is not true, false or 'binary'"),
        ({"audio": True, "audio_rate": "48000"}, "audio_rate = '48000' is not an integer"),
        ({"audio": True, "audio_rate": 100}, "audio_rate = 100 is too small; use 8000 to 48000"),
    ],
)
def test_sound_of_the_wrong_type_is_refused(client, sound, says):
    refusal = client.post("/jam/start", json={"tracks": [{"instrument": 0}], **sound})
    assert refusal.status_code == 422
    assert says in refusal.json()["detail"]
