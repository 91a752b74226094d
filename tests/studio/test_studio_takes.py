"""In a real browser: what takes show and tell, how they are heard, kept and asked for anew."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from studio.studio_page import (
    POP,
    choose,
    chosen_bar,
    download,
    first_with_notes,
    keep,
    open_song,
    until,
    write,
)

from midigpt_core.music import sixteenth_of
from midigpt_core.score import Score

pytestmark = pytest.mark.browser

Place = tuple[int, int, int, int]  # track, bar, sixteenth, pitch

LIT = """async () => {
    const pen = CanvasRenderingContext2D.prototype;
    const plain = pen.fillRect;
    const found = [];
    const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    pen.fillRect = function (...box) {
        const note = this.canvas.id === "roll" && box[3] < this.canvas.height / 2;
        if (note && this.fillStyle === accent) found.push(box);
        plain.apply(this, box);
    };
    document.getElementById("scroller").dispatchEvent(new Event("scroll"));
    for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
    pen.fillRect = plain;
    return found.length;
}"""


def places(path: Path) -> set[Place]:
    """The notes of a file as the server compares them."""
    score = Score.from_midi(str(path))
    return {
        (number, index, sixteenth_of(note.onset_ticks, score.resolution), note.pitch)
        for number, track in enumerate(score.tracks)
        for index, bar in enumerate(track.bars)
        for note in bar.notes
    }


def take_line(page: Any, number: int) -> str:
    return str(page.inner_text(f"#takes label:nth-child({number + 1}) small"))


def test_notes_that_are_new_are_lit_in_a_take_and_after_it_was_kept(page: Any, tmp_path: Path) -> None:
    open_song(page, POP)
    choose(page, 0, 4, 7)
    assert page.is_hidden("#legend")
    write(page, takes=1)
    in_take = page.evaluate(LIT)
    keep(page)
    new = places(download(page, tmp_path))
    written = {place for place in new if place[0] == 0 and 4 <= place[1] <= 7}
    fresh = written - places(POP)
    assert 0 < len(fresh) < len(written)  # some notes are as they were
    assert page.evaluate(LIT) == in_take == len(fresh)
    assert page.is_visible("#legend")
    assert page.inner_text("#legend").startswith("new or moved notes")
    page.keyboard.press("Control+z")
    page.wait_for_selector("#redo:not([disabled])")
    assert page.evaluate(LIT) == 0
    page.keyboard.press("Control+Shift+z")
    page.wait_for_selector("#redo[disabled]")
    assert page.evaluate(LIT) == len(fresh)


def test_lines_of_takes_count_their_new_notes_and_one_says_why_it_is_suggested(page: Any, tmp_path: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_song(page, POP)
    choose(page, 0, 4, 7)
    write(page)
    events = next(url for url in asked if url.endswith("/events"))
    results = httpx.get(events.removesuffix("/events")).json()["results"]
    old = {place for place in places(POP) if place[0] == 0 and 4 <= place[1] <= 7}
    for row in results:
        made = tmp_path / "take.mid"
        made.write_bytes(httpx.get(events.replace("events", f"takes/{row['take']}.mid")).content)
        new = {place for place in places(made) if place[0] == 0 and 4 <= place[1] <= 7}
        more = len(new) - len(old)
        than = f", {abs(more)} {'more' if more > 0 else 'fewer'} than before" if more else ""
        assert take_line(page, row["take"] + 1) == f"{len(new - old)} of {len(new)} notes new{than}"
        assert row["distance"] == pytest.approx(1 - 2 * len(new & old) / (len(new) + len(old)))
    best = max(results, key=lambda row: row["consensus"])["take"]
    reasons = page.locator("#takes small", has_text="suggested: has most in common with the other tries")
    assert reasons.count() == 1
    assert reasons.locator("xpath=..").inner_text().startswith(f"Take {best + 1}")
    page.click("#about summary")
    told = page.inner_text("#told")
    assert f"Before, there were {len(old)} notes; " in told
    assert f"{results[best]['consensus']:.0%}".replace("%", " % of its notes in common") in told
    assert f"Seed {results[best]['seed']} " in told


def test_take_of_bars_that_were_empty_is_all_new(page: Any) -> None:
    open_song(page, POP)
    page.click("#add-bars")
    page.select_option("#add-track", "Violin")
    write(page, takes=1)
    assert re.fullmatch(r"\d+ notes, all new", take_line(page, 1))


def clock(page: Any) -> tuple[int, int]:
    bar, beat = page.inner_text("#clock").split(" ")[0].split(".")
    return int(bar), int(beat)


def test_hear_plays_the_rewritten_bars_and_stops_and_its_button_stops_it_too(page: Any) -> None:
    open_song(page, POP)
    track, bar = first_with_notes(POP)
    choose(page, track, bar, bar)
    write(page)
    page.click("#hear")
    until(page, lambda: page.inner_text("#hear") == "■ Stop")
    assert clock(page)[0] == bar  # a bar before
    last = 0

    def ended() -> bool:
        nonlocal last
        last = max(last, clock(page)[0])
        return bool(page.inner_text("#hear") == "▶ Hear it")

    until(page, ended)
    assert bar + 1 <= last <= bar + 2  # at the very end of the bar the clock shows the next
    assert clock(page) == (bar, 1)
    assert "Play" in page.inner_text("#play")
    page.click("#hear")
    until(page, lambda: page.inner_text("#hear") == "■ Stop")
    page.click("#hear")
    assert page.inner_text("#hear") == "▶ Hear it"
    assert "Play" in page.inner_text("#play")


HEAR = """async () => {
    const { Player } = await import("./studio/player.js");
    const player = new Player(() => {});
    const heard = [];
    player.synth = {
        now: 0, open() {}, silence() {}, context: {resume() {}},
        play: (track, note) => heard.push(note.start),
    };
    player.use({
        tempos: [{at: 0, micros: 500000, seconds: 0}], end: 64, bars: [],
        tracks: [{number: 0, notes: Array.from({length: 256}, (_, i) => ({pitch: 60, start: i / 4, length: 0.25}))}],
    });
    player.loop = [0, 16];
    player.position = 4;
    await player.play(8);
    for (let i = 0; player.playing; i++) {
        player.synth.now = i * 0.035;
        player.schedule();
    }
    return [heard, player.position];
}"""


def test_no_note_beyond_the_bars_to_be_heard_is_played(page: Any) -> None:
    heard, position = page.evaluate(HEAR)
    assert heard == [4 + i / 4 for i in range(16)]
    assert position == 4


def test_remarks_on_a_take_are_told_with_the_names_of_its_tracks(page: Any) -> None:
    def remarked(route: Any) -> None:
        answer = route.fetch()
        job = answer.json()
        for row in job["results"]:
            row["remarks"] = [{"what": "parallel fifths", "bar": 4, "tracks": [0, 2]}] * 4
        route.fulfill(response=answer, json=job)

    page.route(re.compile(r"/jobs/[^/]+$"), remarked)
    page.route("**/jobs/*/events", lambda route: route.abort())
    chosen_bar(page, POP)
    write(page)
    assert "parallel fifths in bar 5, Lead and Bass; parallel" in page.inner_text("#takes label:nth-child(2)")
    assert "; and 2 more" in page.inner_text("#takes label:nth-child(2)")


def command(page: Any) -> str:
    """The request on the screen, as a command."""
    if page.is_hidden("#copy"):
        page.click("text=For the command line")
    page.click("#copy")
    page.wait_for_selector("#message:not([hidden])")
    return str(page.inner_text("#message"))


def share_new(page: Any) -> float:
    """Of the notes of all takes on the screen, the share that is new."""
    counts = [re.match(r"(\d+) of (\d+)", text) for text in page.locator("#takes small").all_inner_texts()]
    return sum(int(found[1]) for found in counts if found) / sum(int(found[2]) for found in counts if found)


def ask_bolder(page: Any) -> None:
    page.click("#bolder")
    page.wait_for_selector("#progress", state="visible")
    page.wait_for_selector("#takes label:nth-child(3)")
    page.wait_for_selector("#progress", state="hidden")


def test_more_different_takes_change_more_and_more_until_there_is_no_more(page: Any) -> None:
    open_song(page, POP)
    assert page.is_hidden("#bolder")
    choose(page, 1, 4, 5)  # chords that stand in the bars around as well
    write(page)
    shares = [share_new(page)]
    choose(page, 2, 1, 1)  # the takes are still those of the chords
    while page.is_enabled("#bolder"):
        least = float(re.search(r"about (\d+) %", page.get_attribute("#bolder", "title"))[1]) / 100
        ask_bolder(page)
        shares.append(share_new(page))
        assert page.inner_text("#chosen") == "Bars 5-6 of Chords"
        line = command(page)
        assert f"--distance {least:g}..1" in line
        assert "--echo 0" in line
        assert page.inner_text("#least-new").startswith(f"Asked for: about {100 * least:g} % ")
    assert page.get_attribute("#bolder", "title").endswith(" already")  # why it is grey
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert shares[1] >= max(0.5, shares[0] + 0.1)


def test_bolder_takes_are_asked_for_beside_what_else_is_asked_and_no_longer_when_told_so(page: Any) -> None:
    open_song(page, POP)
    choose(page, 0, 4, 5)
    page.fill("#ask-pitch_range", "C3-C6")
    write(page)
    before = command(page)
    ask_bolder(page)
    assert "--pitch-range C3-C6" in command(page)
    assert "--echo 0" in command(page)
    page.click("#as-before")
    assert page.is_hidden("#asked-bolder")
    until(page, lambda: command(page) == before)


def test_more_different_is_not_offered_where_the_server_has_no_such_setting(page: Any) -> None:
    def without(route: Any) -> None:
        answer = route.fetch()
        schema = answer.json()
        form = schema["paths"]["/jobs"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        del form["properties"]["distance"]
        route.fulfill(response=answer, json=schema)

    page.route("**/openapi.json", without)
    page.reload()
    chosen_bar(page, POP)
    write(page)
    assert page.is_hidden("#bolder")


def top_of_roll(page: Any) -> float:
    return float(page.locator("#roll").bounding_box()["y"])


def is_main(page: Any, button: str) -> bool:
    return "main" in (page.get_attribute(button, "class") or "").split()


def test_what_is_to_be_done_next_stands_out_and_a_kept_take_is_told_without_moving_the_roll(page: Any) -> None:
    open_song(page, POP)
    choose(page, 0, 4, 4)
    top = top_of_roll(page)
    assert is_main(page, "#write")
    write(page)
    assert page.inner_text("#write").startswith("Write again")
    assert not is_main(page, "#write")
    keep(page)
    assert page.inner_text("#no-takes").startswith("Kept.")
    assert page.is_hidden("#keep")
    assert is_main(page, "#download")
    assert not is_main(page, "#write")
    assert top_of_roll(page) == top
    choose(page, 0, 6, 6)
    assert is_main(page, "#write")
    assert not is_main(page, "#download")
    assert page.inner_text("#no-takes").startswith("Takes appear here")


def test_download_is_told_over_the_song_and_the_message_can_be_closed(page: Any, tmp_path: Path) -> None:
    open_song(page, POP)
    top = top_of_roll(page)
    download(page, tmp_path)
    assert page.inner_text("#message") == "Downloaded pop.mid."
    assert top_of_roll(page) == top
    page.click("#dismiss")
    assert page.is_hidden("#message")


def test_adding_to_the_selection_says_what_to_do_until_it_is_done(page: Any) -> None:
    open_song(page, POP)
    choose(page, 0, 4, 4)
    page.click("#region")
    assert page.get_attribute("#region", "aria-pressed") == "true"
    assert page.inner_text("#chosen") == "Bar 5 of Lead; now drag over others, or click one."
    page.focus("#roll")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#chosen") == "Bar 5 of Lead, Chords"
    assert page.get_attribute("#region", "aria-pressed") == "false"


def heard_as(route: Any, chords: list[tuple[int, float, str, float]]) -> None:
    """Answer with these chords: bar, beat, name, confidence."""
    names = ("bar", "beat", "chord", "confidence")
    answer = route.fetch()
    rows = [dict(zip(names, row, strict=True)) for row in chords]
    route.fulfill(response=answer, json={**answer.json(), "chords": rows})


def test_chords_of_a_take_change_in_its_bars_alone_and_where_they_are_sure(page: Any) -> None:
    song = [(bar, 1, "Am", 0.9) for bar in range(1, 17)]
    take = [(4, 1, "D", 0.9), (5, 1, "Em7b5", 0.2), (6, 1, "G", 0.9), (6, 3, "Bb", 0.9), (7, 1, "E", 0.9)]
    original = POP.read_bytes()
    page.route("**/song", lambda route: heard_as(route, song if route.request.post_data_buffer == original else take))
    open_song(page, POP)
    choose(page, 0, 4, 5)
    until(page, lambda: ", chord Am;" in page.inner_text("#where"))
    write(page, takes=1)
    until(page, lambda: ", chord G, from beat 3 Bb;" in page.inner_text("#where"))  # without the cursor being moved
    page.keyboard.press("ArrowLeft")
    assert ", chord Am" in page.inner_text("#where")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#where").startswith("Lead, bar 7, ")
    assert ", chord Am" in page.inner_text("#where")
    keep(page)
    page.focus("#roll")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    until(page, lambda: ", chord Em7b5 (uncertain)" in page.inner_text("#where"))


NAMED = """async () => {
    const pen = CanvasRenderingContext2D.prototype;
    const plain = pen.fillText;
    const found = [];
    pen.fillText = function (text, x, y, wide) {
        if (wide) found.push([x, wide]);
        plain.call(this, text, x, y, wide);
    };
    document.getElementById("scroller").dispatchEvent(new Event("scroll"));
    for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
    pen.fillText = plain;
    return found;
}"""


def test_names_of_chords_in_narrow_bars_are_narrower_and_none_is_missing(page: Any) -> None:
    chords = [(bar, 1, "C#m7b5" if bar % 2 else "Amaj7", 0.9) for bar in range(1, 17)]
    page.route("**/song", lambda route: heard_as(route, chords))
    open_song(page, POP)
    choose(page, 0, 0, 0)
    until(page, lambda: ", chord C#m7b5;" in page.inner_text("#where"))
    named = page.evaluate(NAMED)
    assert len(named) == len(chords)
    assert all(x + wide <= later for (x, wide), (later, _) in itertools.pairwise(named))
