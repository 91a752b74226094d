"""Closed streams, odd files and odd names: a sentence and the right exit code, and no traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from midigpt_cli.server.server_settings import ServerSettings
from midigpt_core import Score

FILL = "midigpt infill song.mid --bars 5 --track bass --seed 1 -m $MODEL -o out.mid"


@pytest.fixture
def line(song, shell):
    """Run a line of shell; its status, and no traceback in what it said."""

    def run(text: str) -> subprocess.CompletedProcess[str]:
        done = shell(text)
        assert "Traceback" not in done.stderr + done.stdout
        return done

    return run


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_file_is_written_whatever_stream_is_closed(line, tmp_path, closed) -> None:
    assert line(f"{FILL} {closed}").returncode == 0
    assert Score.from_midi(tmp_path / "out.mid").n_bars == 12
    assert line(f"midigpt info nothing.mid {closed}").returncode == 3
    assert line(f"midigpt render song.mid -o out.svg --force {closed}").returncode == 0


def test_a_pipe_that_is_closed_is_said_to_be(line, tmp_path) -> None:
    done = line("midigpt infill song.mid --bars 5 --track bass -m $MODEL -o - >&-")
    assert done.returncode == 2
    assert "closed" in done.stderr
    assert line("midigpt info - <&-").returncode == 3
    assert line("midigpt infill - --bars 5 --track bass -m $MODEL -o - <song.mid >&-").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_a_failure(line) -> None:
    done = line("midigpt info song.mid > /dev/full")
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert line("midigpt info song.mid | true").returncode == 0


def test_ctrl_c_while_it_is_being_loaded_ends_quietly(tmp_path) -> None:
    (tmp_path / "typer.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(60)\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "midigpt_cli", "--version"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "midigpt: interrupted\n"


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe\x00", b'{"a":' * 100_000, b"9" * 5000])
def test_settings_that_cannot_be_read_are_refused(midigpt, song, model, tmp_path, content) -> None:
    file = tmp_path / "settings"
    file.write_bytes(content)
    answer = midigpt("infill", song, "--request", file, "-m", model)
    assert answer.code == 2
    assert len(answer.err) < 1000
    assert midigpt("plan", song, "--bars", "1", "--encoder", file).code == 4
    pytest.importorskip("yaml")
    assert midigpt("serve", "--config", file).code == 2


def test_a_training_configuration_that_cannot_be_read_is_refused(midigpt, tmp_path) -> None:
    pytest.importorskip("lightning_fabric", reason="training is not installed")
    for content in (b"\xff", b"a = " + b"[" * 100_000, b"steps = " + b"9" * 5000):
        (tmp_path / "run.toml").write_bytes(content)
        answer = midigpt("train", "run", tmp_path / "run.toml", "--data", tmp_path, "--out", tmp_path / "out")
        assert answer.code in (1, 2), answer


def test_a_symbolic_link_stays_and_what_it_leads_to_is_written(midigpt, song, model, tmp_path) -> None:
    target, link = tmp_path / "real.mid", tmp_path / "link.mid"
    shutil.copy(song, target)
    link.symlink_to(target)
    words = ("infill", song, "--bars", 5, "--track", "bass", "--seed", 1, "-m", model, "--force", "-o")
    assert midigpt(*words, link).code == 0
    assert link.is_symlink()
    assert target.read_bytes() != song.read_bytes()
    dangling = tmp_path / "dangling.mid"
    dangling.symlink_to(tmp_path / "new.mid")
    assert midigpt(*words, dangling).code == 0
    assert (tmp_path / "new.mid").read_bytes() == target.read_bytes()


def test_the_longest_name_a_folder_takes_is_written(midigpt, song, model, tmp_path) -> None:
    out = tmp_path / ("x" * 251 + ".mid")
    assert midigpt("infill", song, "--bars", 5, "--track", "bass", "-m", model, "-o", out).code == 0
    assert out.is_file()
    longer = midigpt("infill", song, "--bars", 5, "--track", "bass", "-m", model, "-o", tmp_path / ("x" * 300 + ".mid"))
    assert longer.code == 1
    assert "Traceback" not in longer.err


@pytest.mark.parametrize(
    "template", ["{take:>999999999}", "{take:>{seed}}", "{stem.__class__}", "{stem!r}", "{take:,}", "{other}", "{"]
)
def test_a_name_of_any_width_is_refused(midigpt, song, model, template) -> None:
    answer = midigpt("infill", song, "--bars", 5, "--track", "bass", "-m", model, "--filename", template)
    assert answer.code == 2
    assert "--filename" in answer.err


@pytest.mark.parametrize("template", ["{stem}.{take:03d}.{ext}", "{take:>5}-{stem:.10}.mid"])
def test_a_name_may_be_padded(midigpt, song, model, template) -> None:
    words = ("--track", "bass", "-m", model, "--filename", template, "--takes", 2)
    assert midigpt("infill", song, "--bars", 5, *words).code == 0


def test_server_settings_name_no_model_by_default() -> None:
    assert ServerSettings().allow_model == ()
