"""The song that `midigpt studio SONG` names: sent byte for byte, with the key only, and shown by a new tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import live_server
from studio.studio_page import POP, SAMPLES, PageOn, download, drop_song, page_with_key

from midigpt_cli.server.state import OpenedSong

OTHER = next(path for path in SAMPLES if path != POP)
SONG = OpenedSong("Für Elise; two.mid", POP.read_bytes())


def test_song_is_sent_byte_for_byte_to_callers_with_the_key_alone() -> None:
    with live_server(api_key="secret") as live:
        key = {"X-API-Key": "secret"}
        assert httpx.get(f"{live.url}/song", headers=key).status_code == 204
        live.state.opened = SONG
        assert httpx.get(f"{live.url}/song").status_code == 401
        answer = httpx.get(f"{live.url}/song", headers=key)
    assert (answer.content, answer.headers["content-type"]) == (SONG.file, "audio/midi")


@pytest.mark.browser
def test_page_shows_the_named_song_and_after_a_reload_its_own(browser: Any, tmp_path: Path) -> None:
    with live_server() as live:
        live.state.opened = SONG
        with PageOn(browser, f"{live.url}/studio") as page:
            assert page.inner_text("#song-name") == SONG.name
            assert download(page, tmp_path).read_bytes() == SONG.file
            drop_song(page, OTHER)
            page.wait_for_selector(f"#song-name:text-is({OTHER.name!r})")
            page.reload()
            page.wait_for_selector("html[data-ready=yes]")
            assert page.inner_text("#song-name") == OTHER.name


@pytest.mark.browser
def test_page_shows_the_named_song_once_the_key_is_given(browser: Any) -> None:
    with live_server(api_key="secret") as live:
        live.state.opened = SONG
        with page_with_key(browser, f"{live.url}/studio", "secret") as page:
            page.wait_for_selector("#panel:not([hidden])")
            assert page.inner_text("#song-name") == SONG.name
