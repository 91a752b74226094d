"""A recording that is dropped on the studio becomes a song, where the server can listen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from studio.studio_page import POP, open_song

from midigpt_core.audio.pitch_model import model_file
from midigpt_core.audio.synthesis import render_audio
from midigpt_core.errors import AudioError
from midigpt_core.score import Score

pytestmark = pytest.mark.browser


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two bars as a sound."""
    song = Score.from_midi(str(POP))
    song.tracks = song.tracks[1:2]
    for track in song.tracks:
        track.bars = track.bars[:2]
    song.source = None
    song.to_midi(str(tmp_path / "played.mid"))
    render_audio(tmp_path / "played.mid", tmp_path / "played.wav")
    return tmp_path / "played.wav"


def test_recording_becomes_a_song(page: Any, recording: Path) -> None:
    for needed in ("onnxruntime", "librosa", "soundfile", "soxr"):
        pytest.importorskip(needed)
    try:
        model_file()
    except AudioError as missing:
        pytest.skip(str(missing))
    page.set_input_files("#file", str(recording))
    page.wait_for_selector("#message:not([hidden])")
    assert page.inner_text("#message").startswith("Listening to played.wav: ")
    page.wait_for_selector("#panel:not([hidden])")
    assert page.inner_text("#song-name") == "played.mid"
    assert page.is_hidden("#message")


def test_recording_that_cannot_be_heard_is_a_sentence_and_the_song_stays(page: Any, tmp_path: Path) -> None:
    open_song(page, POP)
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"no sound at all")
    page.set_input_files("#file", str(noise))
    page.wait_for_selector("#message.bad")
    assert page.inner_text("#message").startswith("noise.wav: ")
    assert page.inner_text("#message").endswith(".")
    assert page.inner_text("#song-name") == POP.name
