"""In a real browser: open a song, choose, write, hear, keep, undo, download; the referee looks at the file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import httpx
import pytest
from midi.referee import referee_main, verdict
from serving import Live
from studio.studio_page import (
    POP,
    SAMPLES,
    choose,
    chosen_bar,
    download,
    drop_song,
    first_with_notes,
    open_song,
    until,
    write,
)

from midigpt_cli.output.song_json import song_json
from midigpt_core.score import Score

pytestmark = pytest.mark.browser


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


def for_the_command_line(page: Any) -> None:
    if page.is_hidden("#copy"):
        page.click("text=For the command line")


def copy(page: Any) -> None:
    for_the_command_line(page)
    page.click("#copy")


def test_command_says_what_is_on_the_screen(page: Any) -> None:
    open_song(page, POP)
    choose(page, 1, 1, 2)
    page.fill("#ask-num_candidates", "2")
    page.fill("#ask-seed", "5")
    page.fill("#ask-scale", "C:major")
    copy(page)
    page.wait_for_selector("#message:not([hidden])")
    line = page.inner_text("#message")
    assert f"midigpt infill {POP.name} --bars 2-3 --track 2" in line
    assert "--takes 2 " in line
    assert "--seed 5" in line
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
    assert "'H:odd'" in page.inner_text("#message")


def test_new_bars_and_a_new_track_are_written_and_nothing_else(page: Any, tmp_path: Path) -> None:
    open_song(page, POP)
    old = Score.from_midi(str(POP))
    page.click("#add-bars")
    page.select_option("#add-track", "Violin")
    tracks = len(old.tracks)
    assert page.inner_text("#chosen") == f"Bars {old.n_bars + 1}-{old.n_bars + 4} of Violin"
    write(page, takes=1)
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")
    new = Score.from_midi(str(download(page, tmp_path)))
    assert len(new.tracks) == tracks + 1
    assert new.tracks[-1].instrument == 40
    assert not any(bar.notes for bar in new.tracks[-1].bars[: old.n_bars])
    assert any(bar.notes for bar in new.tracks[-1].bars[old.n_bars :])
    for before, after in zip(old.tracks, new.tracks, strict=False):
        assert [bar.notes for bar in after.bars[: old.n_bars]] == [bar.notes for bar in before.bars]
    assert page.is_hidden("#add-none")


def test_what_was_added_can_be_taken_away_again(page: Any) -> None:
    open_song(page, POP)
    heads = page.locator("#tracks > li").count()
    page.select_option("#add-track", "drums")
    assert page.locator("#tracks > li").count() == heads + 1
    page.click("#add-none")
    assert page.locator("#tracks > li").count() == heads
    assert page.is_disabled("#write")


def paste(page: Any, line: str) -> None:
    for_the_command_line(page)
    page.click("#paste")
    page.fill("#command", line)
    page.click("#paste-dialog .main")


def test_pasted_command_asks_for_the_same_and_is_copied_as_it_was(page: Any) -> None:
    open_song(page, POP)
    line = (
        f"midigpt infill {POP.name} --bars 2-3,7 --track 2 --track 3 --takes 2 --seed 5 --rhythm-lock "
        "--scale 'bass/C:major' --add-bars 2 --attribute 3/note_density=4"
    )
    paste(page, f"{line} -o out.mid --force")
    page.wait_for_selector("#others:not([hidden])")
    assert page.inner_text("#others").startswith("Also: attribute 3/note_density=4")
    copy(page)
    page.wait_for_selector("#message:not([hidden])")
    words, said = line.split(), page.inner_text("#message").removeprefix("Copied: ").split()
    assert sorted(said) == sorted(word.replace("'", "") for word in words)


def test_values_with_spaces_are_asked_for_whole_and_semicolons_part_them(page: Any) -> None:
    open_song(page, POP)
    line = f"midigpt infill {POP.name} --bars 2 --track 2 --takes 2 --seed 5"
    paste(page, f"{line} --remix 'Lead Guitar/0.3' --remix 0.6")
    until(page, lambda: bool(page.input_value("#ask-remix") == "Lead Guitar/0.3; 0.6"))
    page.evaluate("document.querySelectorAll('#ask details').forEach((box) => (box.open = true))")
    page.fill("#ask-chords", "Am F C G")
    page.fill("#ask-ignore_track", "Lead Guitar; bass;")
    copy(page)
    page.wait_for_selector("#message:not([hidden])")
    said = page.inner_text("#message").removeprefix("Copied: ")
    for words in ("remix 'Lead Guitar/0.3'", "remix 0.6", "chords 'Am F C G'", "ignore-track 'Lead Guitar'"):
        assert f" --{words} " in f"{said} ", said
    assert said.count("--ignore-track") == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("midigpt loop x.mid", "midigpt infill"),
        ("midigpt infill x.mid --bars 5 --wings 2", "--wings"),
        ("midigpt infill x.mid --bars 90", "from 1 to"),
        ("midigpt infill x.mid --bars 5 --track kazoo", "no track kazoo"),
    ],
)
def test_command_that_means_nothing_here_is_a_sentence(page: Any, line: str, says: str) -> None:
    open_song(page, POP)
    paste(page, line)
    page.wait_for_selector("#message.bad")
    assert says in page.inner_text("#message")


def test_preset_fills_the_controls_and_the_next_one_empties_them(page: Any, server: Live) -> None:
    options = httpx.get(f"{server.url}/presets").json()["presets"]["simpler"]
    open_song(page, POP)
    page.select_option("#preset", "simpler")
    assert page.input_value("#ask-attribute-note_density") == options["attribute"][0]
    assert float(page.input_value("#ask-temperature")) == options["temperature"]
    page.select_option("#preset", "none")
    assert page.input_value("#ask-attribute-note_density") == page.input_value("#ask-temperature") == ""


def test_pasted_command_unfolds_the_sections_it_fills(page: Any) -> None:
    open_song(page, POP)
    assert not page.is_visible("#ask-pool")
    paste(page, f"midigpt infill {POP.name} --bars 2 --track 2 --pool 4")
    until(page, lambda: bool(page.input_value("#ask-pool") == "4"))
    assert page.is_visible("#ask-pool")
    assert not page.is_visible("#ask-top_k")


def test_downloads_are_sound_and_picture_too(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    open_song(page, POP)
    for kind, head in (("wav", b"RIFF"), ("png", b"\x89PNG")):
        with page.expect_download() as found:
            page.click(f"#download-{kind}")
        found.value.save_as(tmp_path / "made")
        assert found.value.suggested_filename == f"{POP.stem}.{kind}"
        assert (tmp_path / "made").read_bytes()[:4] == head


def test_job_whose_stream_breaks_is_asked_for_again(page: Any) -> None:
    page.route("**/jobs/*/events", lambda route: route.abort())
    chosen_bar(page, POP)
    write(page)
    assert page.is_hidden("#message")


def in_words(key: str) -> str:
    return f"{key[:-1]} minor" if key.endswith("m") else f"{key} major"


def test_key_and_chords_are_those_of_the_command_line_for_the_song_and_for_its_takes(page: Any, tmp_path: Path) -> None:
    open_song(page, POP)
    told = song_json(Score.from_midi(str(POP)), "")
    key = in_words(told["keys"][0]["key"]) if told["keys"] else f"{told['key_by_notes']}, by its notes"
    until(page, lambda: page.inner_text("#song-key") == key)
    named = [row for row in told["chords"] if row["beat"] == 1 and row["confidence"] >= 0.5][:3]
    for row in named:
        choose(page, 0, row["bar"] - 1, row["bar"] - 1)
        assert f", chord {row['chord']}" in page.inner_text("#where")


DRAWN = """async () => {
    const pen = CanvasRenderingContext2D.prototype;
    const plain = pen.fillText;
    const found = [];
    pen.fillText = function (...text) { found.push(text); plain.apply(this, text); };
    document.getElementById("scroller").dispatchEvent(new Event("scroll"));
    for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
    pen.fillText = plain;
    return found;
}"""


def test_chord_names_stand_over_their_bars_at_every_zoom_and_scroll(page: Any) -> None:
    open_song(page, POP)
    until(page, lambda: page.inner_text("#song-key") != "")
    told = {row["bar"]: row for row in song_json(Score.from_midi(str(POP)), "")["chords"] if row["beat"] == 1}
    for step in ("", "+", "+", "-"):
        if step:
            page.click("#zoom-in" if step == "+" else "#zoom-out")
        page.evaluate("document.getElementById('scroller').scrollLeft = 90")
        drawn = page.evaluate(DRAWN)
        bars = {int(text.split()[0]): x for text, x, *_ in drawn if text[:1].isdigit()}
        names = {x: text for text, x, *_ in drawn if not text[:1].isdigit()}
        over = [(told[bar], names[x]) for bar, x in bars.items() if bar in told and x in names]
        assert len(over) > 2
        for row, text in over:
            assert text == row["chord"] + "?" * (row["confidence"] < 0.5)


def test_page_works_where_the_server_tells_no_chords(page: Any) -> None:
    page.route("**/song", lambda route: route.abort())
    chosen_bar(page, POP)
    write(page, takes=1)
    assert page.is_hidden("#message")
    assert page.inner_text("#song-key") == ""


def test_several_regions_are_written_and_nothing_between_them(page: Any, tmp_path: Path) -> None:
    open_song(page, POP)
    choose(page, 1, 1, 2)
    page.keyboard.press("a")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert page.inner_text("#chosen") == "Bars 2-3 of Chords; bars 5-6 of Bass"
    copy(page)
    page.wait_for_selector("#message:not([hidden])")
    assert "--region 2/2-3 --region 3/5-6 --takes" in page.inner_text("#message")
    write(page, takes=1)
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")
    old, new = Score.from_midi(str(POP)), Score.from_midi(str(download(page, tmp_path)))
    changed = {
        (number, bar)
        for number, (before, after) in enumerate(zip(old.tracks, new.tracks, strict=True))
        for bar in range(old.n_bars)
        if before.bars[bar].notes != after.bars[bar].notes
    }
    assert {track for track, _ in changed} == {1, 2}
    assert changed <= {(1, 1), (1, 2), (2, 4), (2, 5)}


def drag(page: Any, cell: tuple[int, int], last: tuple[int, int]) -> None:
    """Drag from one cell to another of a song in 4/4, each (track, bar) from 0."""
    roll, heads = page.locator("#roll").bounding_box(), page.locator("#tracks > li")
    wide = page.evaluate("document.getElementById('sizer').offsetWidth") / 16.5
    for index, (track, bar) in enumerate((cell, last)):
        head = heads.nth(track).bounding_box()
        page.mouse.move(roll["x"] + (bar + 0.5) * wide, head["y"] + head["height"] / 2, steps=4)
        if index == 0:
            page.mouse.down()
    page.mouse.up()


def test_control_and_drag_adds_a_region_and_a_plain_drag_begins_anew(page: Any) -> None:
    open_song(page, POP)
    drag(page, (0, 0), (0, 1))
    page.keyboard.down("Control")
    drag(page, (2, 3), (2, 4))
    drag(page, (1, 7), (1, 7))
    page.keyboard.up("Control")
    assert page.inner_text("#chosen") == "Bars 1-2 of Lead; bar 8 of Chords; bars 4-5 of Bass"
    drag(page, (1, 2), (1, 2))
    assert page.inner_text("#chosen") == "Bar 3 of Chords"
    page.click("#region")
    drag(page, (2, 3), (2, 3))
    assert page.inner_text("#chosen") == "Bar 3 of Chords; bar 4 of Bass"


def test_pasted_regions_are_copied_as_they_were(page: Any) -> None:
    open_song(page, POP)
    line = f"midigpt infill {POP.name} --region 2/2-3,7 --region 3/5 --takes 2 --seed 5"
    paste(page, line.replace("3/5", "bass/5"))
    copy(page)
    page.wait_for_selector("#message:not([hidden])")
    assert page.inner_text("#message").removeprefix("Copied: ") == line


def test_line_below_the_roll_counts_the_notes_that_are_shown(page: Any, tmp_path: Path) -> None:
    open_song(page, POP)
    choose(page, 0, 4, 7)
    before = page.inner_text("#where")
    assert ", bar 8, 1 note, " in before
    write(page)
    page.keyboard.press("1")
    told = page.inner_text("#where")
    page.keyboard.press("0")
    until(page, lambda: page.inner_text("#where") == before)
    page.keyboard.press("1")
    page.keyboard.press("k")
    page.wait_for_selector("#history li:nth-child(2)")
    count = len(Score.from_midi(str(download(page, tmp_path))).tracks[0].bars[7].notes)
    assert count > 1
    assert f", bar 8, {count} notes" in told
