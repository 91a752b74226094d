"""Whatever messages a player sends, the line answers each in JSON, tells of no fault of the server, and lives on."""

from __future__ import annotations

import json
import os

import pytest
from fake_jam import FakeJam
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import client_of

from midigpt_cli.server import open_jams
from midigpt_cli.server.routes.jam_socket import KEYS

EXAMPLES = int(os.environ.get("MIDIGPT_FUZZ", "15"))  # talks of up to six messages; the long run multiplies them
KINDS = {"started", "chunk", "chunk_meta", "status", "error", "stopped", "pong"}
START = {"tracks": [{"drums": True}, {"instrument": 33}], "bpm": 240, "metre": "4/4", "pace": "asap", "seed": 1}

numbers = st.one_of(
    st.integers(-2, 400),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([1e308, 5e-324, -0.0, 10**500, 2**63]),
)
words = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\ud800", "\0", "\x1b[2J", "x" * 5000, "4/4", "7/0", "auto", "bass", "drums", "sad jazz", "all"]),
)
plain = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
tracks = st.lists(
    st.fixed_dictionaries({}, optional={"drums": plain, "instrument": numbers | words, "controls": plain}) | plain,
    max_size=3,
)
values = {"tracks": tracks | plain, "bpm": numbers | plain, "index": numbers | plain, "metre": words | plain}


def fields(kind: str) -> st.SearchStrategy[dict[str, object]]:
    """A message of this type with a few of its fields, and sometimes one that it may not have."""
    known = {key: values.get(key, plain) for key in (*KEYS[kind], "type", "unknown")}
    some = st.lists(st.sampled_from(list(known)), max_size=4, unique=True)
    given_fields = some.flatmap(lambda keys: st.fixed_dictionaries({key: known[key] for key in keys if key != "type"}))
    base = START if kind == "start" else {}
    return given_fields.map(lambda more: {"type": kind, **base, **more})


objects = st.sampled_from(list(KEYS)).flatmap(fields)
texts = (objects | plain).map(json.dumps)  # with NaN, Infinity and lone surrogates, as careless programs write them
DEEP = ["[" * 100_000, '{"a":' * 20_000, '{"type":"ping","time":' + "9" * 5000 + "}", '{"type":"ping","time":1e999}']
messages = st.one_of(texts, texts, st.sampled_from(DEEP), st.text(max_size=30), st.binary(max_size=40))
talks = st.lists(messages, min_size=1, max_size=6)


def strict(text: str) -> dict[str, object]:
    """JSON as browsers read it. Raises ValueError."""

    def refused(word: str) -> float:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refused)


def talk(client, said) -> None:
    """Send messages, and hear an answer that is no chunk for each; then the line must still be alive."""
    with client.websocket_connect("ws://127.0.0.1/ws/jam") as line:
        for message in [*said, '{"type": "ping", "time": "last"}']:
            if isinstance(message, bytes):
                line.send_bytes(message)
            else:
                line.send_text(message.encode("utf-8", "replace").decode())
        while True:
            heard = line.receive()
            if heard.get("bytes"):
                continue  # sound
            assert heard["type"] == "websocket.send", heard
            told = strict(heard["text"].encode().decode())  # a lone surrogate would end a real line
            assert told["type"] in KINDS
            assert told.get("status", 0) == 503 or not str(told.get("status", 0)).startswith("5"), told
            if told["type"] == "pong" and told.get("time") == "last":
                return


@pytest.fixture(scope="module")
def client():
    with client_of(max_jams=4, max_generation_seconds=0.5) as made:
        yield made


@pytest.fixture
def quick(monkeypatch):
    """Jams that cost no model."""
    monkeypatch.setattr(open_jams, "Jam", lambda engine, settings, song=None: FakeJam(settings, 0.02))


SLACK = list(HealthCheck)


@given(said=talks)
@settings(max_examples=25, suppress_health_check=SLACK, deadline=None)
def test_any_messages_are_answered_and_the_line_lives_on(quick, client, said):
    talk(client, said)


@pytest.mark.slow
@given(said=talks)
@settings(max_examples=EXAMPLES * 20, suppress_health_check=SLACK, deadline=None)
def test_any_messages_to_jams_of_a_real_model_are_answered(client, said):
    """MIDIGPT_FUZZ=500 sends ten thousand talks."""
    talk(client, said)
    assert len(client.app.state.midigpt.jams.playing()) <= 1  # of the last line at most
