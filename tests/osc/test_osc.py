"""An OSC session: the addresses of MIDI-GPT's server, in and out, and bars that are written ahead of the playhead."""

from __future__ import annotations

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tiny import engine

from midigpt_cli.osc.osc_session import OscSession
from midigpt_cli.osc.params import OscParams
from midigpt_core.errors import RequestValidationError

ROOT = "/midigpt"
OPENING: list[tuple[Any, ...]] = [
    ("/session/init", "test"),
    ("/track/create", 1, 0, 11, 0),
    ("/track/create", 2, 33, 10, 1),
    ("/param/set", "density_hard_limit", 6),
    ("/param/set", "sampling_seed", 3),
    ("/session/start",),
]


def bar(number: int, metre: tuple[int, int] = (4, 4)) -> list[tuple[Any, ...]]:
    """A bar of drums, as it is played."""
    beats = [("/note", 1, 36 if i % 2 == 0 else 38, 100, i / 4, 0.05, number) for i in range(4)]
    return [*beats, ("/bar/end", number, *metre)]


class Client:
    """A session with its answers, in the order they came."""

    def __init__(self, params: OscParams | None = None) -> None:
        self.answers: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self.session = OscSession(engine(), lambda *told: self.answers.put(told), params)

    def send(self, messages: Sequence[tuple[Any, ...]]) -> None:
        for address, *arguments in messages:
            self.session.hear(ROOT + address, *arguments)

    def until(self, address: str, seconds: float = 30.0) -> list[tuple[Any, ...]]:
        """All answers up to one of this address, that one last."""
        seen = []
        while not seen or seen[-1][0] != ROOT + address:
            seen.append(self.answers.get(timeout=seconds))
        return seen

    def now(self) -> list[tuple[Any, ...]]:
        seen = []
        while not self.answers.empty():
            seen.append(self.answers.get())
        return seen


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.session.close()


def written(answers: list[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    """Bar -> its notes, of the generated ones."""
    bars = {told[2]: [] for told in answers if told[0] == f"{ROOT}/generated/open"}
    for told in answers:
        if told[0] == f"{ROOT}/generated/note":
            bars[told[2]].append(told[3:])
    return bars


def test_a_session_opens_with_what_the_model_can_and_starts(client):
    client.send(OPENING)
    names = [told[0].removeprefix(ROOT) for told in client.now()]
    assert names == ["/capabilities", "/session/ready", "/session/started"]


def test_after_the_buffer_each_bar_that_ends_gets_the_bar_after_the_playhead(client):
    client.send(OPENING)
    for number in range(6):
        client.send(bar(number))
        if number < 2:
            assert not any("generat" in str(told) for told in client.now())
            continue
        answers = client.until("/status") + client.until("/status")  # generating, ready
        assert (answers[-1][1], list(written(answers))) == ("ready", [number + 2])
        [notes] = written(answers).values()
        opened = next(told for told in answers if told[0] == f"{ROOT}/generated/open")
        assert opened[1:] == (2, number + 2, len(notes))
        assert all(0 <= onset < 1 and 0 < duration <= 1 for _, _, onset, duration in notes)
        assert len(notes) <= 6


def test_other_lookaheads_and_counts_write_the_bars_they_mean(client):
    client.send(OPENING)
    client.send([("/param/set", "lookahead_bars", 2), ("/param/set", "num_anticipated_bars", 2.0)])
    client.send(bar(0) + bar(1))
    assert list(written(client.until("/status") + client.until("/status"))) == [4, 5]


@pytest.mark.parametrize("policy", ["a_empty", "a_masked", "b", "b_collapse"])
def test_warmup_policies_write_the_first_bars_too_or_leave_them(client, policy):
    client.send(OPENING)
    client.send([("/param/set", "warmup_policy", policy)])
    client.send(bar(0) + bar(1) + bar(2))
    bars = list(written(client.until("/status") + client.until("/status")))
    assert bars == ([0, 1, 2, 3, 4] if policy.startswith("b") else [4])


def test_a_parameter_set_once_holds_for_one_writing(client):
    client.send(OPENING)
    client.send([("/param/set_once", "num_anticipated_bars", 2)])
    client.send(bar(0) + bar(1) + bar(2))
    assert len(written(client.until("/status") + client.until("/status"))) == 2
    client.send(bar(3))
    assert len(written(client.until("/status") + client.until("/status"))) == 1


def test_the_agent_keeps_to_its_range_and_its_attributes(client):
    client.send([*OPENING, ("/track/param/set", 2, "min_pitch", 40), ("/track/param/set", 2, "max_pitch", 43)])
    client.send([("/attr/set", "max_polyphony", 0)])
    client.send(bar(0) + bar(1) + bar(2))
    answers = client.until("/status") + client.until("/status")
    assert {note[0] for notes in written(answers).values() for note in notes} <= {40, 41, 42, 43}
    attributes = json.loads(next(told[1] for told in answers if told[0] == f"{ROOT}/sampled/attrs"))
    assert (attributes["start_bar"], attributes["end_bar"]) == (4, 5)


def test_the_metre_of_a_bar_is_heard_and_kept(client):
    client.send(OPENING)
    for number in range(3):
        client.send(bar(number, (3, 4)))
    answers = client.until("/status") + client.until("/status")
    features = next(told for told in answers if told[0] == f"{ROOT}/generated/features")
    [notes] = written(answers).values()
    assert features[3] == pytest.approx(len(notes) / 3)


def test_stopping_ends_the_writing(client):
    client.send([*OPENING, ("/session/stop",)])
    client.until("/session/stopped")
    client.send(bar(0))
    assert all(told[:2] == (f"{ROOT}/error", 1) for told in client.now())


INIT, AGENT = ("/session/init",), ("/track/create", 2, 33, 10, 1)
WRONG: list[tuple[int, list[tuple[Any, ...]]]] = [
    (1, [("/session/start",)]),
    (1, [INIT, ("/note", 1, 60, 100, 0.0, 0.1, 0)]),
    (1, [INIT, AGENT, ("/session/start",)]),
    (2, [INIT, ("/track/remove", 9)]),
    (2, [*OPENING, ("/note", 9, 60, 100, 0.0, 0.1, 0)]),
    (3, [INIT, AGENT, ("/track/create", 2, 0, 10, 0)]),
    (4, [("/param/set", "temprature", 1.0)]),
    (4, [("/param/set", "temperature", 9.0)]),
    (4, [("/param/set", "temperature", "hot")]),
    (4, [("/param/set", "warmup_policy", "c")]),
    (4, [("/param/set", "model_dim")]),
    (4, [("/attr/set", "loudness", 1)]),
    (4, [INIT, ("/track/create", 1, "piano", 10, 0)]),
    (4, [*OPENING, ("/bar/end", 0, 4, 3)]),
    (4, [*OPENING, ("/note", 1, 60, 100, 1.5, 0.1, 0)]),
    (4, [("/param/sett", "temperature", 1.0)]),
    (6, [INIT, ("/track/create", 1, 0, 10, 0), ("/session/start",)]),
    (7, [INIT, AGENT, ("/track/create", 3, 33, 10, 1)]),
    (8, [*OPENING, ("/note", 2, 60, 100, 0.0, 0.1, 0)]),
]


@pytest.mark.parametrize(("code", "messages"), WRONG, ids=[f"{row[0]}-{row[1][-1]}" for row in WRONG])
def test_what_is_wrong_is_answered_with_its_code_and_a_sentence(client, code, messages):
    client.send(messages)
    address, found, sentence = client.now()[-1]
    assert (address, found) == (f"{ROOT}/error", code)
    assert sentence


def test_a_bar_that_takes_too_long_is_given_up():
    client = Client(OscParams(gen_timeout=1e-9, max_attempts=10, density_hard_limit=0))
    client.send([row for row in OPENING if "density_hard_limit" not in row])
    client.send(bar(0) + bar(1) + bar(2))
    assert "timeout" in client.until("/error")[-1][2]
    client.session.close()


def test_datagrams_are_answered_to_their_sender_or_to_the_port_named():
    pytest.importorskip("pythonosc", reason="the osc extra is not installed")
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import BlockingOSCUDPServer
    from pythonosc.udp_client import SimpleUDPClient

    from midigpt_cli.osc.udp import listening

    heard: list[str] = []
    table = Dispatcher()
    table.set_default_handler(lambda address, *_: heard.append(address))
    listener = BlockingOSCUDPServer(("127.0.0.1", 0), table)
    with listening(engine(), "127.0.0.1", 0, listener.server_address[1]) as server:
        for each in (listener, server):
            threading.Thread(target=each.serve_forever, daemon=True).start()
        sender = SimpleUDPClient("127.0.0.1", server.server_address[1])
        for address, *arguments in [*OPENING, *bar(0), *bar(1), *bar(2)]:
            sender.send_message(ROOT + address, arguments)
        until = time.monotonic() + 30
        while f"{ROOT}/generated/close" not in heard and time.monotonic() < until:
            time.sleep(0.05)
        server.shutdown()
        listener.shutdown()
    listener.server_close()
    assert {f"{ROOT}/session/ready", f"{ROOT}/session/started", f"{ROOT}/generated/close"} <= set(heard)


def test_the_same_messages_get_the_peer_s_answers(tmp_path):
    pytest.importorskip("pythonosc", reason="the osc extra is not installed")
    peer = pytest.importorskip("midigpt.osc.server", reason="needs the midigpt package (0.4.2) beside ours")
    from midigpt_core.model.checkpoint import save_checkpoint

    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, engine().model, engine().tokenizer.config)
    theirs: list[tuple[Any, ...]] = []
    server = peer.MidiGPTServer(str(path), 0, 1)
    server._send = lambda *told: theirs.append(told)
    ours = Client(OscParams(max_attempts=1))
    messages = [*OPENING, *bar(0), *bar(1), *bar(2), ("/session/start",), ("/param/set", "nonsense", 1)]
    for address, *arguments in messages:
        getattr(server, "handle" + address.replace("/", "_"))(("127.0.0.1", 9), ROOT + address, *arguments)
    ours.send(messages)
    until = time.monotonic() + 60
    while (f"{ROOT}/status", "ready") not in theirs and time.monotonic() < until:
        time.sleep(0.05)
    mine = ours.until("/status") + ours.until("/status") + ours.now()
    ours.session.close()

    def kinds(told: Sequence[tuple[Any, ...]]) -> dict[str, list[type]]:
        return {address: [type(value) for value in values] for address, *values in told}

    known = kinds(mine)
    for address, types in kinds(theirs).items():
        if address != f"{ROOT}/prompt/state":  # ours says nothing of the prompt
            assert known[address] == types, address
    assert [told[1] for told in theirs if told[0].endswith("/error")] == [
        told[1] for told in mine if told[0].endswith("/error")
    ]


def test_the_command_listens_and_answers(tmp_path):
    pytest.importorskip("pythonosc", reason="the osc extra is not installed")
    from pythonosc.osc_message import OscMessage
    from pythonosc.osc_message_builder import build_msg

    from midigpt_core.model.checkpoint import save_checkpoint

    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, engine().model, engine().tokenizer.config)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "midigpt_cli", "osc", "--port", str(port), "-m", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert f"127.0.0.1:{port}" in running.stderr.readline()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
                line.settimeout(30)
                line.sendto(build_msg(f"{ROOT}/session/init").dgram, ("127.0.0.1", port))
                heard = [OscMessage(line.recv(65536)).address for _ in range(2)]
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=30)
    assert heard == [f"{ROOT}/capabilities", f"{ROOT}/session/ready"]
    assert running.returncode == 130


def test_a_port_in_use_is_refused_by_name():
    pytest.importorskip("pythonosc", reason="the osc extra is not installed")
    from midigpt_cli.osc.udp import listening

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with (
            pytest.raises(RequestValidationError, match="--port"),
            listening(engine(), "127.0.0.1", taken.getsockname()[1]),
        ):
            pass
