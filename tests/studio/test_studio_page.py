"""In a real browser: mouse, touch, key, prefix, two tabs, a lost server, long songs, and no barriers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import Live, live_server
from studio.studio_page import (
    POP,
    SAMPLES,
    PageOn,
    begin_long,
    choose,
    download,
    long_song,
    open_song,
    page_with_key,
    until,
    write,
)

from midigpt_core.score import Bar, Note, Score, Track

pytestmark = pytest.mark.browser


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


ODD_HELP = """() => [...document.querySelectorAll(".control small")].map((row) => row.textContent)
    .filter((text) => /[[\\]|]|[A-Z]{2,}[/:-]|docs/.test(text))"""
TWINS = """() => [...document.querySelectorAll("[id]")].map((row) => row.id)
    .filter((id, at, all) => all.indexOf(id) < at)"""


def test_controls_are_told_in_sentences_and_have_names_of_their_own(page: Any) -> None:
    open_song(page, POP)
    assert page.locator(".control small").count() > 50
    assert page.evaluate(ODD_HELP) == []
    assert page.evaluate(TWINS) == []
    assert page.get_attribute("#ask-remix", "placeholder") == "e.g. 0.3"


SHOWN = """() => [...document.querySelectorAll(".control")].map((row) => [
    row.querySelector("input, select").id, row.querySelector("label").textContent,
    row.closest(".section")?.firstChild.textContent ?? ""])"""


def test_controls_have_the_labels_of_the_schema_under_the_headings_of_the_help(page: Any, server: Live) -> None:
    forms = httpx.get(f"{server.url}/openapi.json").json()["paths"]["/jobs"]["post"]["requestBody"]["content"]
    rows = forms["multipart/form-data"]["schema"]["properties"]
    info = httpx.get(f"{server.url}/info").json()
    titles = {f"ask-{name}": row["title"] for name, row in rows.items()}
    titles |= {f"ask-attribute-{name}": title for name, title in info["attribute_titles"].items()}
    shown = page.evaluate(SHOWN)
    assert len(shown) > 60
    assert {name: title for name, title, _ in shown} == {name: titles[name] for name, _, _ in shown}
    late = {name: section for name, _, section in shown if section and "attribute-" not in name}
    assert late == {name: rows[name.removeprefix("ask-")]["x-section"] for name in late}
    assert list(dict.fromkeys(section for _, _, section in shown if section)) == [
        *("Musical controls", "Attributes", "Planning", "Sampling", "Checks and retries", "Reading the song")
    ]


def test_text_field_offers_values_that_the_model_knows(page: Any) -> None:
    def offered(name: str) -> list[str]:
        found: list[str] = page.eval_on_selector_all(
            f"#ask-{name}-values option", "rows => rows.map((row) => row.value)"
        )
        return found

    assert page.get_attribute("#ask-scale", "list") == "ask-scale-values"
    assert {"C:major", "F#:dorian"} <= set(offered("scale"))
    assert {"eighth", "sixteenth_triplet"} <= set(offered("grid"))
    assert {"4/4", "6/8"} <= set(offered("time_signature"))
    assert page.locator("#ask-genre").count() == 0  # this model knows none


HEADS = """() => [...document.querySelectorAll("#tracks li")].at(-1).getBoundingClientRect().bottom
    - document.querySelector("#sizer").getBoundingClientRect().bottom"""


def test_heads_of_the_tracks_stand_beside_their_lanes(page: Any, tmp_path: Path) -> None:
    open_song(page, long_song(tmp_path / "song.mid", bars=8, tracks=20))
    until(page, lambda: abs(page.evaluate(HEADS)) < 2)
    page.click("#taller")
    assert abs(page.evaluate(HEADS)) < 2


CUT = """() => [...document.querySelectorAll("#tracks li")].filter((head) => {
    const room = head.getBoundingClientRect();
    return [...head.querySelectorAll(".kind")].some((kind) => {
        const box = kind.getBoundingClientRect();
        return kind.scrollWidth > kind.clientWidth || box.right > room.right || box.bottom > room.bottom;
    });
}).map((head) => head.textContent)"""


def test_names_of_instruments_are_shown_whole(page: Any, tmp_path: Path) -> None:
    """Of all General MIDI has, in lanes as low as they get."""
    bars = [Bar([Note(60, 90, 0, 240)]) for _ in range(2)]
    Score([Track(bars, program, name=f"Part {program}") for program in range(128)]).to_midi(str(tmp_path / "all.mid"))
    page.set_viewport_size({"width": 1280, "height": 720})
    open_song(page, tmp_path / "all.mid")
    assert page.locator("#tracks .kind").count() == 128
    assert page.evaluate(CUT) == []
    head = page.locator("#tracks li").nth(24)
    assert head.get_attribute("title") == "Part 24: Acoustic Guitar (nylon)"
    assert head.get_attribute("aria-label") == "Track 25, Part 24: Acoustic Guitar (nylon)"


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


def test_writing_can_be_stopped(page: Any, server: Live, tmp_path: Path) -> None:
    begin_long(page, tmp_path)
    server.until(lambda: server.busy)
    page.click("#stop")
    page.wait_for_selector("#progress", state="hidden")
    assert page.inner_text("#message").startswith("Stopped")
    server.until(lambda: not server.busy)


def test_server_killed_in_the_middle_is_a_sentence_and_the_song_is_safe(browser: Any, tmp_path: Path) -> None:
    with live_server() as live, PageOn(browser, f"{live.url}/studio") as page:
        begin_long(page, tmp_path)
        live.until(lambda: live.busy)
        live.server.should_exit = True
        page.wait_for_selector("#message.bad")
        assert page.is_hidden("#progress")
        assert download(page, tmp_path).read_bytes() == (tmp_path / "long.mid").read_bytes()


def test_page_works_with_a_key(browser: Any) -> None:
    with live_server(api_key="secret") as live, page_with_key(browser, f"{live.url}/studio", "secret") as page:
        open_song(page, SAMPLES[0])
        choose(page, 0, 1, 1)
        write(page)
        assert page.locator("#takes label").count() == 3  # as it was, and two takes
        refused = httpx.get(f"{live.url}/info")
        assert refused.status_code == 401


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
        assert page.locator("#takes label").count() == 3
        assert page.url.endswith("/some/prefix/studio")
        asked = page.evaluate("performance.getEntriesByType('resource').map((row) => new URL(row.name).pathname)")
        assert asked
        assert all(path.startswith("/some/prefix/") for path in asked), asked


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
        for stage in ("empty", "takes", "question"):
            if stage == "takes":
                open_song(page, SAMPLES[0])
                choose(page, 0, 1, 1)
                write(page)
            if stage == "question":
                page.keyboard.press("Control+s")
                page.wait_for_selector("#choice[open]")
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


def test_a_refusal_calls_a_field_by_its_label(page: Any) -> None:
    open_song(page, POP)
    choose(page, 0, 4, 5)
    page.fill("#ask-scale", "blues")
    page.click("#write")
    page.wait_for_selector("#message:visible")
    label = page.inner_text("label[for='ask-scale']")
    assert page.inner_text("#message").startswith(f"{label}: 'blues' is a scale without its key")
