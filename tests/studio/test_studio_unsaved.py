"""In a real browser: what is not kept or not downloaded is not lost without a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from studio.studio_page import POP, SAMPLES, chosen_bar, download, drop_song, keep, until, write

pytestmark = pytest.mark.browser

OTHER = next(path for path in SAMPLES if path != POP)


def asked(page: Any) -> str:
    page.wait_for_selector("#choice[open]")
    return str(page.inner_text("#choice-title"))


def shows(page: Any, name: str) -> None:
    until(page, lambda: bool(page.inner_text("#song-name") == name))


def kept_song(page: Any) -> None:
    chosen_bar(page, POP)
    write(page, takes=1)
    keep(page)


def versions(page: Any) -> int:
    return int(page.locator("#history li").count())


def test_song_with_changes_that_are_not_downloaded_makes_room_only_when_told(page: Any, tmp_path: Path) -> None:
    kept_song(page)
    drop_song(page, OTHER)
    assert asked(page) == f"{POP.name} has changes that are not downloaded"
    page.click("#choice >> text=Cancel")
    assert page.inner_text("#song-name") == POP.name
    assert versions(page) == 2
    drop_song(page, OTHER)
    asked(page)
    page.keyboard.press("Escape")
    assert page.inner_text("#song-name") == POP.name
    drop_song(page, OTHER)
    asked(page)
    with page.expect_download() as found:
        page.click("#choice >> text=Download and open")
    assert found.value.suggested_filename == f"{POP.stem}.studio.mid"
    found.value.save_as(tmp_path / "kept.mid")
    assert (tmp_path / "kept.mid").read_bytes() != POP.read_bytes()
    shows(page, OTHER.name)


def test_song_that_is_downloaded_makes_room_without_a_question(page: Any, tmp_path: Path) -> None:
    kept_song(page)
    download(page, tmp_path)
    drop_song(page, OTHER)
    shows(page, OTHER.name)
    assert not page.is_visible("#choice")


def test_damaged_file_asks_nothing(page: Any, tmp_path: Path) -> None:
    kept_song(page)
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"RIFF of something else")
    page.set_input_files("#file", str(bad))
    page.wait_for_selector("#message.bad")
    assert not page.is_visible("#choice")
    assert versions(page) == 2


def test_song_opened_again_is_as_it_was_left(page: Any, tmp_path: Path) -> None:
    kept_song(page)
    drop_song(page, OTHER)
    asked(page)
    page.click("#choice >> text=Open without")
    shows(page, OTHER.name)
    assert versions(page) == 1
    drop_song(page, POP)
    shows(page, POP.name)
    assert versions(page) == 2
    assert "as you left it" in page.inner_text("#message")
    assert download(page, tmp_path).read_bytes() != POP.read_bytes()
    page.click("#undo")
    page.wait_for_selector("#undo[disabled]")
    assert download(page, tmp_path).read_bytes() == POP.read_bytes()


@pytest.mark.parametrize("way", ["button", "key"])
def test_download_offers_to_keep_the_take_on_the_screen(page: Any, tmp_path: Path, way: str) -> None:
    def ask() -> None:
        page.keyboard.press("Control+s") if way == "key" else page.click("#download")
        assert asked(page) == "Take 2 is not kept"

    chosen_bar(page, POP)
    write(page)
    page.check("#takes input[value='1']")
    page.focus("#roll")
    ask()
    page.click("#choice >> text=Cancel")
    assert versions(page) == 1
    for words, name, count in (("Download without", POP.name, 1), ("Keep and download", f"{POP.stem}.studio.mid", 2)):
        ask()
        with page.expect_download() as found:
            page.click(f"#choice >> text={words}")
        assert found.value.suggested_filename == name
        found.value.save_as(tmp_path / name)
        until(page, lambda count=count: versions(page) == count)
    assert (tmp_path / POP.name).read_bytes() == POP.read_bytes()
    assert (tmp_path / f"{POP.stem}.studio.mid").read_bytes() != POP.read_bytes()


def test_song_as_it_was_on_the_screen_is_downloaded_without_a_question(page: Any, tmp_path: Path) -> None:
    chosen_bar(page, POP)
    write(page)
    page.check("#takes input[value='-1']")
    assert download(page, tmp_path).read_bytes() == POP.read_bytes()
