"""The studio in a real browser: open, choose, write, hear, keep, undo, download; the referee looks at the file."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from midi.referee import referee_main, verdict
from serving import Live, live_server
from studio_page import (
    PageOn,
    choose,
    chosen_bar,
    download,
    drop_song,
    first_with_notes,
    long_song,
    open_song,
    until,
    write,
)

from midigpt_core.score import Score

INSTALL = "install the browser tests: pip install '.[studio-test]'"
playwright_api: Any = pytest.importorskip("playwright.sync_api", reason=INSTALL)

pytestmark = pytest.mark.browser
SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.mid"))
POP = next(path for path in SAMPLES if path.stem == "pop")
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = os.environ.get("MIDIGPT_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no browser: install chromium, or name one in MIDIGPT_BROWSER")
    with playwright_api.sync_playwright() as play:
        made = play.chromium.launch(executable_path=found, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live_server() as made:
        yield made


@pytest.fixture
def page(browser: Any, server: Live) -> Iterator[Any]:
    with PageOn(browser, f"{server.url}/studio") as made:
        yield made


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_kept_take_changes_the_chosen_bars_alone(page: Any, path: Path, tmp_path: Path) -> None:
    referee = referee_main()
    drop_song(page, path)
    track, bar = first_with_notes(path)
    choose(page, track, bar, bar + 1)
    write(page)
    page.keyboard.press("2")
    assert page.is_checked("#takes input[value='1']")
    page.keyboard.press("o")
    assert page.is_checked("#takes input[value='-1']")
    page.keyboard.press("o")
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")
    changed = download(page, tmp_path)
    assert changed.read_bytes() != path.read_bytes()
    source = Score.from_midi(str(path)).tracks[track]
    where = f"{source.midi_track}:{source.channel}"
    assert verdict(referee, path, changed, {bar, bar + 1}, where) == 0
    page.keyboard.press("Control+z")
    page.wait_for_selector("#redo:not([disabled])")
    assert download(page, tmp_path).read_bytes() == path.read_bytes()


def test_same_seed_gives_the_same_file_as_the_same_request_elsewhere(page: Any, server: Live, tmp_path: Path) -> None:
    path = POP
    open_song(page, path)
    track, bar = first_with_notes(path)
    choose(page, track, bar, bar + 1)
    write(page, takes=1)
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")
    form = {"bars": f"{bar + 1}-{bar + 2}", "track": str(track + 1), "seed": "7", "num_candidates": "1"}
    answer = httpx.post(f"{server.url}/infill", data=form, files={"file": path.read_bytes()}, timeout=60)
    assert download(page, tmp_path).read_bytes() == answer.content


def test_history_survives_a_reload(page: Any, tmp_path: Path) -> None:
    chosen_bar(page, SAMPLES[0])
    write(page)
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")
    before = download(page, tmp_path).read_bytes()
    page.wait_for_timeout(200)
    page.reload()
    page.wait_for_selector("#history li:nth-child(2) [aria-current]")
    assert download(page, tmp_path).read_bytes() == before
    page.click("#undo")
    page.wait_for_selector("#undo[disabled]")
    assert download(page, tmp_path).read_bytes() == SAMPLES[0].read_bytes()


def test_mouse_chooses_a_rectangle_of_bars_and_tracks(page: Any) -> None:
    open_song(page, POP)
    box = page.locator("#roll").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 15, box["y"] + 60, steps=3)
    page.mouse.up()
    first = page.inner_text("#chosen")
    assert first.startswith("Bar 1 of ")
    page.mouse.move(box["x"] + 10, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + box["height"] - 30, steps=5)
    page.mouse.up()
    assert page.inner_text("#chosen").startswith("Bars 1-")
    page.keyboard.press("Escape")
    assert page.is_disabled("#write")


def test_takes_are_exchanged_while_the_music_plays_on(page: Any) -> None:
    path = POP
    open_song(page, path)
    track, bar = first_with_notes(path)
    choose(page, track, bar, bar + 1)
    write(page)
    page.keyboard.press("l")
    page.keyboard.press(" ")
    until(page, lambda: "Stop" in page.inner_text("#play"))
    started = page.inner_text("#clock")
    page.keyboard.press("2")
    until(page, lambda: page.inner_text("#clock") != started)
    assert "Stop" in page.inner_text("#play")
    page.keyboard.press(" ")
    assert "Play" in page.inner_text("#play")


FAKE_SYNTH = """async () => {
    const { Player } = await import("./studio/player.js");
    const song = (pitch) => ({
        tempos: [{at: 0, micros: 500000, seconds: 0}], end: 64, bars: [],
        tracks: [{number: 0, notes: Array.from({length: 256}, (_, i) => ({pitch, start: i / 4, length: 0.25}))}],
    });
    const player = new Player(() => {});
    const heard = [];
    player.synth = {
        now: 0, open() {}, silence() {},
        play: (track, note, time) => heard.push([note.pitch, note.start, time]),
    };
    player.use(song(60));
    player.loop = [0, 4];
    player.begin(0);
    for (let i = 0; i < 130; i++) {
        if (i === 50) player.use(song(72));
        player.synth.now = i * 0.035;
        player.schedule();
    }
    return heard;
}"""


def test_exchanged_song_and_loop_leave_no_gap_and_play_nothing_twice(page: Any) -> None:
    heard = page.evaluate(FAKE_SYNTH)
    gaps = [later[2] - earlier[2] for earlier, later in itertools.pairwise(heard)]
    assert all(abs(gap - 0.125) < 1e-6 for gap in gaps)  # a sixteenth at 120, over both seams
    assert {pitch for pitch, *_ in heard} == {60, 72}
    assert max(start for _, start, _ in heard) < 4


def test_command_says_what_is_on_the_screen(page: Any) -> None:
    open_song(page, POP)
    choose(page, 1, 1, 2)
    page.fill("#ask-num_candidates", "2")
    page.fill("#ask-seed", "5")
    page.fill("#ask-scale", "C:major")
    page.click("#copy")
    page.wait_for_selector("#message:not([hidden])")
    line = page.inner_text("#message")
    assert f"midigpt infill {POP.name} --bars 2-3 --track 2" in line
    assert "--takes 2 --seed 5" in line
    assert "--scale C:major" in line


def test_damaged_file_and_impossible_request_are_sentences(page: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"RIFF of something else")
    page.set_input_files("#file", str(bad))
    page.wait_for_selector("#message.bad")
    assert page.inner_text("#message").startswith("bad.mid: ")
    open_song(page, SAMPLES[0])
    choose(page, 0, 1, 1)
    page.fill("#ask-scale", "H:odd")
    page.click("#write")
    page.wait_for_selector("#message.bad")
    assert "scale" in page.inner_text("#message")


def test_server_that_went_away_is_a_sentence_and_its_return_is_enough(browser: Any) -> None:
    with live_server() as first, PageOn(browser, f"{first.url}/studio") as page:
        open_song(page, SAMPLES[0])
        choose(page, 0, 1, 1)
        first.server.should_exit = True
        first.thread.join(20)
        page.keyboard.press("w")
        page.wait_for_selector("#message.bad")
        assert "does not answer" in page.inner_text("#message")
        with live_server(port=first.port):
            write(page)
            assert page.is_hidden("#message")


def test_page_works_with_a_key(browser: Any) -> None:
    with live_server(api_key="secret") as live:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{live.url}/studio")
        page.fill("#key", "secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-ready=yes]")
        open_song(page, SAMPLES[0])
        choose(page, 0, 1, 1)
        write(page)
        context.close()


def test_page_works_behind_a_path_prefix(browser: Any, server: Live) -> None:
    with PageOn(browser, f"{server.url}/studio") as page:

        def forward(route: Any) -> None:
            answer = route.fetch(url=route.request.url.replace("/some/prefix", "", 1))
            route.fulfill(response=answer)

        page.route("**/some/prefix/**", forward)
        page.goto(f"{server.url}/some/prefix/studio")
        page.wait_for_selector("html[data-ready=yes]")
        open_song(page, SAMPLES[0])
        choose(page, 0, 1, 1)
        write(page)


def test_two_tabs_keep_their_own_songs(browser: Any, server: Live) -> None:
    with PageOn(browser, f"{server.url}/studio") as one:
        other = one.context.new_page()
        other.goto(f"{server.url}/studio")
        other.wait_for_selector("html[data-ready=yes]")
        for page, path in ((one, SAMPLES[0]), (other, SAMPLES[1])):
            open_song(page, path)
            page.wait_for_timeout(200)
        for page, path in ((one, SAMPLES[0]), (other, SAMPLES[1])):
            page.reload()
            page.wait_for_selector("#panel:not([hidden])")
            assert page.inner_text("#song-name") == path.name


COUNT_MARKS = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const pen = CanvasRenderingContext2D.prototype;
    const plain = pen.fillRect;
    let marks = 0;
    pen.fillRect = function (...box) { marks += 1; plain.apply(this, box); };
    document.getElementById("scroller").scrollLeft += 9000;
    for (let i = 0; i < 4; i++) await frame();
    return marks;
}"""


def test_scrolling_a_long_song_paints_what_is_in_sight_alone(browser: Any, server: Live, tmp_path: Path) -> None:
    with PageOn(browser, f"{server.url}/studio", viewport={"width": 1280, "height": 800}) as page:
        open_song(page, long_song(tmp_path / "long.mid"))  # 120,000 notes
        assert 100 < page.evaluate(COUNT_MARKS) < 6000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_page_has_no_serious_barrier(browser: Any, server: Live, scheme: str, width: int) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="install the browser tests: .[studio-test]"
    )
    size = {"width": width, "height": 800}
    with PageOn(browser, f"{server.url}/studio", viewport=size, color_scheme=scheme, bypass_csp=True) as page:
        for stage in ("empty", "takes"):
            if stage == "takes":
                open_song(page, SAMPLES[0])
                choose(page, 0, 1, 1)
                write(page)
            found = axe.Axe().run(page).response["violations"]
            serious = [row for row in found if row["impact"] in ("serious", "critical")]
            assert not serious, [(row["id"], [node["html"] for node in row["nodes"]][:3]) for row in serious]


def test_nothing_scrolls_sideways_on_a_narrow_screen(browser: Any, server: Live) -> None:
    with PageOn(browser, f"{server.url}/studio", viewport={"width": 400, "height": 800}) as page:
        open_song(page, SAMPLES[0])
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_touch_chooses_from_tap_to_tap(browser: Any, server: Live) -> None:
    with PageOn(browser, f"{server.url}/studio", has_touch=True, viewport={"width": 1000, "height": 700}) as page:
        open_song(page, POP)
        box = page.locator("#roll").bounding_box()
        page.touchscreen.tap(box["x"] + 10, box["y"] + 50)
        assert page.inner_text("#chosen").startswith("Bar 1 of")
        page.touchscreen.tap(box["x"] + 300, box["y"] + 50)
        assert page.inner_text("#chosen").startswith("Bars 1-")
