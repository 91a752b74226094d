"""The jam's page: it starts, plays on, changes and stops, by its own sound or on a MIDI output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from serving import Live, live_server
from studio.studio_page import INSTALL, PageOn, page_with_key, until

pytestmark = [pytest.mark.browser, pytest.mark.realtime]
OUTPUT = """() => {
    window.sent = [];
    const port = { id: "one", name: "Loopback", send: (data, time) => window.sent.push([[...data], time ?? null]) };
    navigator.requestMIDIAccess = async () => ({ outputs: new Map([["one", port]]) });
}"""
VOICES = """() => {
    window.voices = 0;
    const made = AudioContext.prototype.createGain;
    AudioContext.prototype.createGain = function () { window.voices++; return made.call(this); };
}"""


@pytest.fixture
def jam(browser: Any, server: Live) -> Iterator[Any]:
    with PageOn(browser, f"{server.url}/jam") as page:
        yield page


def bar(page: Any) -> int:
    words = page.inner_text("#where").split()
    return int(words[1]) if words[:1] == ["Bar"] else 0


def started(page: Any) -> None:
    page.fill("#ask-bpm", "300")
    page.click("#toggle")
    until(page, lambda: bar(page) >= 2)


def test_jam_plays_on_until_it_is_stopped(jam: Any, server: Live) -> None:
    jam.evaluate(VOICES)
    started(jam)
    assert jam.locator("#parts li").count() >= 2
    before = jam.evaluate("window.voices")
    at = bar(jam)
    until(jam, lambda: bar(jam) > at + 1 and jam.evaluate("window.voices") > before)
    assert len(server.state.jams.playing()) == 1
    jam.click("#toggle")
    assert jam.inner_text("#where") == "Stopped"
    server.until(lambda: not server.state.jams.playing())
    started(jam)  # and once more
    jam.click("#toggle")


def test_settings_are_those_of_the_schema_with_their_labels(jam: Any) -> None:
    labels = jam.eval_on_selector_all("#ask label", "rows => rows.map((row) => row.textContent)")
    assert labels == ["Describe the music", "Tempo", "Randomness", "Bars at a time", "When late", "Random seed"]
    assert (jam.get_attribute("#ask-bpm", "min"), jam.get_attribute("#ask-bpm", "max")) == ("20", "400")


def test_change_is_heard_while_the_jam_plays(jam: Any) -> None:
    frames: list[dict[str, Any]] = []
    jam.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(json.loads(frame))))
    started(jam)
    assert {frame["bpm"] for frame in frames if frame["type"] == "chunk"} == {300}
    jam.fill("#ask-bpm", "240")
    jam.press("#ask-bpm", "Tab")
    until(jam, lambda: any(frame["type"] == "chunk" and frame["bpm"] == 240 for frame in frames))
    later = bar(jam)
    until(jam, lambda: bar(jam) > later)
    assert jam.is_hidden("#message")
    jam.click("#toggle")


def test_what_cannot_be_played_is_a_sentence(jam: Any) -> None:
    jam.fill("#ask-prompt", "")
    jam.click("#toggle")
    jam.wait_for_selector("#message.bad")
    assert "names no part" in jam.inner_text("#message")
    assert jam.inner_text("#toggle") == "Start"


def test_midi_output_gets_notes_in_time_and_none_of_a_muted_part(browser: Any, server: Live) -> None:
    with PageOn(browser, f"{server.url}/jam") as page:
        page.evaluate(OUTPUT)
        page.click("#connect")
        page.select_option("#sound", label="Loopback")
        started(page)
        until(page, lambda: bool(page.evaluate("window.sent.filter(([[kind]]) => kind >> 4 === 9).length > 4")))
        times = page.evaluate("window.sent.filter(([[kind]]) => kind >> 4 === 9).map(([, time]) => time)")
        assert times == sorted(times)
        for button in page.locator("#parts button").all():
            button.click()
        page.evaluate("window.sent.length = 0")
        at = bar(page)
        until(page, lambda: bar(page) > at + 1)
        assert page.evaluate("window.sent.filter(([[kind]]) => kind >> 4 === 9).length") == 0
        page.click("#toggle")
        assert page.evaluate("window.sent.filter(([[kind, what]]) => kind >> 4 === 11 && what === 120).length") == 16


def test_key_is_asked_for_and_sent_with_the_websocket(browser: Any) -> None:
    with live_server(api_key="secret") as live, page_with_key(browser, f"{live.url}/jam", "secret") as page:
        addresses: list[str] = []
        page.on("websocket", lambda socket: addresses.append(socket.url))
        started(page)
        assert len(live.state.jams.playing()) == 1
        assert len(addresses) == 1
        assert "secret" not in addresses[0]  # addresses stand in logs
        page.click("#toggle")


def test_server_that_goes_away_is_a_sentence(browser: Any) -> None:
    with live_server() as live, PageOn(browser, f"{live.url}/jam") as page:
        started(page)
        live.server.should_exit = True
        page.wait_for_selector("#message.bad")
        assert page.inner_text("#toggle") == "Start"


@pytest.mark.parametrize("width", [400, 1280])
def test_jam_page_has_no_serious_barrier_and_fits_the_screen(browser: Any, server: Live, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=INSTALL)
    with PageOn(browser, f"{server.url}/jam", viewport={"width": width, "height": 800}, bypass_csp=True) as page:
        started(page)
        page.click("#toggle")
        found = axe.Axe().run(page).response["violations"]
        assert [row["id"] for row in found if row["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_page_has_the_policy_of_the_studio_and_relative_addresses(client: TestClient) -> None:
    answer = client.get("/jam")
    assert answer.headers["content-security-policy"] == client.get("/studio").headers["content-security-policy"]
    assert 'src="studio/jam.js"' in answer.text


def test_websocket_is_opened_behind_the_prefix_of_the_page(browser: Any, server: Live) -> None:
    with PageOn(browser, f"{server.url}/jam") as page:

        def forward(route: Any) -> None:
            route.fulfill(response=route.fetch(url=route.request.url.replace("/some/prefix", "", 1)))

        page.route("**/some/prefix/**", forward)
        page.goto(f"{server.url}/some/prefix/jam")
        page.wait_for_selector("html[data-ready=yes]")
        with page.expect_websocket() as opened:
            page.click("#toggle")
        assert opened.value.url == f"{server.url.replace('http', 'ws')}/some/prefix/ws/jam"
        page.wait_for_selector("#message.bad")  # nothing is there in this test
