"""`midigpt studio`: where its page is, and what is said where it cannot be."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from midigpt_cli.commands.studio import address
from midigpt_cli.exit_codes import UNREADABLE, USAGE
from midigpt_cli.main import run


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/studio"),
        ("0.0.0.0", "http://127.0.0.1:8000/studio"),
        ("::1", "http://[::1]:8000/studio"),
    ],
)
def test_address_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    assert address(host, 8000) == url


def test_port_in_use_is_a_sentence_before_a_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run(["studio", "--no-browser", "--port", str(port)]) == USAGE
    assert f"--port = {port} is in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "::::"], "--host = '::::' is no address; use 127.0.0.1 "),
        (["--host", "no such name"], "--host = 'no such name' is no address"),
        (["--host", "192.0.2.1"], "--host = '192.0.2.1' cannot be listened on"),  # of the documentation: nobody's
        (["--port", "TAKEN"], "is in use; choose another"),
    ],
)
def test_a_server_that_cannot_listen_says_why_before_a_model_is_loaded(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fastapi", reason="the serve extra is not installed")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        ckpt = ["--ckpt", "no such model"]
        assert run(["serve", *ckpt, *(taken if word == "TAKEN" else word for word in words)]) == USAGE
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"), [(None, "song.mid: cannot be read: No such file"), (b"MThd?", "song.mid: ")]
)
def test_song_that_cannot_be_read_is_a_sentence_before_a_model_is_loaded(
    content: bytes | None, says: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midigpt_cli.commands.studio.application", lambda _: pytest.fail("the server was made"))
    song = tmp_path / "song.mid"
    if content is not None:
        song.write_bytes(content)
    assert run(["studio", str(song), "--no-browser", "--port", "0"]) == UNREADABLE
    assert says in capsys.readouterr().err
