"""Rules of `midigpt jam`: files that are complete however it ends, ports in time and silent at the end, keys."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from fake_jam import FAST, FakeJam

from midigpt_core import Score

PARTS = ("-i", "acoustic bass", "--drums", "--bpm", 90, "--metre", "3/4", "--seed", 1, "--max-density", 4)


def test_a_file_holds_exactly_the_bars_asked_for_in_tempo_metre_and_parts(midigpt, tmp_path, model) -> None:
    file = tmp_path / "jam.mid"
    answer = midigpt("jam", *PARTS, "--bars", 3, "--bars-per-chunk", 2, "-o", file, "-m", model)
    assert answer.code == 0, answer.err
    assert answer.out == ""
    score = Score.from_midi(file)
    assert score.n_bars == 3
    assert score.tempo == pytest.approx(60_000_000 / 90, abs=1)
    assert {(bar.ts_numerator, bar.ts_denominator) for track in score.tracks for bar in track.bars} == {(3, 4)}
    assert {(track.instrument, track.track_type) for track in score.tracks} <= {(32, "melodic"), (0, "drum")}


def test_a_song_is_gone_on_from_with_its_own_tracks(midigpt, song, tmp_path, model) -> None:
    file = tmp_path / "on.mid"
    answer = midigpt("jam", song, "--bars", 1, "-o", file, "-m", model, "--seed", 1, "--max-density", 4, "-q")
    assert (answer.code, answer.err) == (0, "")
    assert {track.name for track in Score.from_midi(file).tracks} <= {"Drums", "Bass", "Piano"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--drums",), "--output"),
        (("-o", "x.mid"), "--instrument"),
        (("--drums", "-o", "x.mid", "--late", "panic"), "repeat, rest, skip"),
        (("--drums", "-o", "x.mid", "--metre", "four"), "metre"),
        (("--drums", "-o", "x.mid", "-a", "bar_note_density=3"), "single bars"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_way_out(midigpt, tmp_path, model, monkeypatch, words, says) -> None:
    monkeypatch.chdir(tmp_path)
    answer = midigpt("jam", *words, "-m", model)
    assert answer.code == 2
    assert says in answer.err
    assert not (tmp_path / "x.mid").exists()


def test_a_file_is_not_overwritten_unasked(midigpt, tmp_path, model) -> None:
    file = tmp_path / "jam.mid"
    file.write_bytes(b"mine")
    assert midigpt("jam", "--drums", "-o", file, "-m", model).code == 2
    assert file.read_bytes() == b"mine"


def test_without_a_backend_ports_are_refused_with_a_sentence(midigpt, monkeypatch, model) -> None:
    import mido

    def missing() -> list[str]:
        raise ModuleNotFoundError("No module named 'rtmidi'")

    monkeypatch.setattr(mido, "get_output_names", missing)
    for words in (("--list-ports",), ("--drums", "-o", "port:synth", "-m", model)):
        answer = midigpt("jam", *words)
        assert answer.code == 1
        assert "midigpt-cli[live]" in answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interruption_leaves_a_complete_file_on_standard_output_and_nothing_else(model) -> None:
    words = ["jam", "--drums", "--bars", "100000", "--max-density", "4", "-o", "-", "-m", model, "--threads", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen([sys.executable, "-m", "midigpt_cli.main", *words], **pipes)
    assert b"playing" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    file, said = running.communicate(timeout=30)
    assert running.returncode == 130, said
    assert 1 <= Score.from_midi(file).n_bars < 100_000


# ---- ports and keys, on a jam that is not slow ----


class Port:
    """A MIDI output that remembers what came, and when."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, object]] = []
        self.closed = False

    def send(self, message: object) -> None:
        self.sent.append((time.perf_counter(), message))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def port(monkeypatch) -> Port:
    import mido

    from midigpt_core import jam

    made = Port()
    monkeypatch.setattr(mido, "get_output_names", lambda: ["Some Synth 1"])
    monkeypatch.setattr(mido, "open_output", lambda name: made)
    monkeypatch.setattr(jam, "Jam", lambda engine, settings, song=None: FakeJam(settings))
    return made


@pytest.mark.realtime
def test_a_port_gets_every_note_at_its_time_and_silence_at_the_end(midigpt, port, model, tmp_path) -> None:
    file = tmp_path / "both.mid"
    words = ("-i", "flute", "--bpm", 400, "--metre", "2/4", "--bars", 4, "-o", "port:synth", "-o", file, "-m", model)
    answer = midigpt("jam", *words)
    assert answer.code == 0, answer.err
    sent = [message for _, message in port.sent]
    assert (sent[0].type, sent[0].program) == ("program_change", 73)
    struck = [(at, message) for at, message in port.sent if message.type == "note_on"]
    assert [message.note for _, message in struck] == [36, 37, 38, 39]
    for number, (at, _) in enumerate(struck):
        assert at - struck[0][0] == pytest.approx(number * 0.3, abs=0.1)
    ended = [message.note for message in sent if message.type == "note_off"]
    assert ended == [36, 37, 38, 39]
    assert [message.control for message in sent if message.type == "control_change"] == [123, 120, 121]
    assert port.closed
    assert Score.from_midi(file).n_bars == 4


def test_an_unknown_port_names_those_there_are(midigpt, port, model) -> None:
    answer = midigpt("jam", "--drums", "-o", "port:Sum Synth", "-m", model)
    assert answer.code == 2
    assert "Some Synth 1" in answer.err
    assert midigpt("jam", "--list-ports").out == "Some Synth 1\n"


def test_keys_change_temperature_and_density_and_end_the_jam(midigpt, port, model, monkeypatch) -> None:
    from contextlib import contextmanager

    from midigpt_cli.live import jam_session
    from midigpt_cli.live import keys as live_keys

    monkeypatch.setattr(jam_session, "Jam", lambda engine, settings: FakeJam(settings))
    presses = iter(["", "+", "+]", "?", "[", "q"])

    class Keys:
        there = True

        def pressed(self) -> str:
            return next(presses)

    @contextmanager
    def keys():
        yield Keys()

    monkeypatch.setattr(live_keys, "live_keys", keys)
    answer = midigpt("jam", "-i", "flute", "--bpm", 400, "--metre", "2/4", "-o", "port:synth", "-m", model)
    assert answer.code == 0, answer.err
    assert "temperature 1.1 from bar" in answer.err
    assert "temperature 1.2 from bar" in answer.err
    assert "density 6 from bar" in answer.err


def test_notes_that_are_cut_off_by_the_end_are_ended() -> None:
    from midigpt_cli.live.jam_session import Delivery
    from midigpt_cli.live.players import PortPlayer

    port = Port()
    chunk = FakeJam(replace(FAST, bpm=20.0)).next_chunk()
    for track in chunk.score.tracks:
        track.bars[0].notes = [replace(note, duration_ticks=900) for note in track.bars[0].notes]
    player = PortPlayer(port, "synth")
    player.play(Delivery(chunk))
    time.sleep(0.3)
    player.finish(whole=False)
    kinds = [message.type for _, message in port.sent if message.type.startswith("note")]
    assert sorted(kinds) == ["note_off", "note_off", "note_on", "note_on"]


def test_control_values_cost_a_jam_no_versions_unless_asked() -> None:
    from midigpt_cli.parse.jam_messages import read_start, read_update

    asked = {"tracks": [{"instrument": 33, "attributes": {"note_density": 4}}]}
    settings = read_start(asked, None)
    assert settings.config.control_tries == 1
    assert read_update({"temperature": 1.2}, settings).config.control_tries == 1
    assert read_start({**asked, "config": {"control_tries": 4}}, None).config.control_tries == 4


@pytest.mark.parametrize(("words", "tries"), [((), 1), (("--control-tries", "3"), 3)])
def test_a_jam_on_the_command_line_writes_one_version_unless_asked(
    midigpt, tmp_path, model, monkeypatch, words, tries
) -> None:
    from midigpt_core.jam import Jam

    found, begin = [], Jam.__init__

    def noted(self, engine, settings, song=None):
        found.append(settings.config.control_tries)
        begin(self, engine, settings, song)

    monkeypatch.setattr(Jam, "__init__", noted)
    file = tmp_path / "jam.mid"
    midigpt("jam", "--instrument", "acoustic bass", "-a", "note_density=4", "--bars", "1", "-o", str(file), *words)
    assert found == [tries]
