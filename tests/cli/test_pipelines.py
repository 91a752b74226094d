"""Lines of shell that must work: pipes, loops, JSON, Ctrl-C, and a --help that loads nothing heavy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest


def test_help_loads_no_torch() -> None:
    script = (
        "import sys; from midigpt_cli.main import run; code = [run([c, '--help']) for c in ('infill', 'continue', "
        "'generate')]; heavy = {'torch', 'pretty_midi', 'huggingface_hub'} & set(sys.modules); sys.exit(str(heavy) if "
        "heavy or any(code) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--takes" in done.stdout


def test_garbage_is_looked_for_hardly_while_loading_and_as_usual_at_work(song, model) -> None:
    script = (
        "import gc, sys; usual = gc.get_threshold(); from midigpt_cli.main import run; loading = gc.get_threshold(); "
        "code = run(sys.argv[1:]); assert (code, gc.get_threshold()) == (0, usual) and loading > usual"
    )
    words = ["infill", song, "--bars", "1", "-t", "bass", "-m", model, "--max-density", "4"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_plan_of_a_song_that_is_piped_in_is_that_of_its_file(shell, song) -> None:
    words = '--bars 4-8 -t bass -m "$MODEL" --seed 3 --dry-run'
    of_file, piped = shell(f"midigpt infill song.mid {words}"), shell(f"cat song.mid | midigpt infill - {words}")
    assert piped.returncode == of_file.returncode == 0, piped.stderr
    assert "step 1 fills in bars 4-8" in piped.stdout
    assert piped.stdout.replace("-: ", "song.mid: ", 1) == of_file.stdout


def test_song_goes_in_and_out_through_pipes(shell, song, midigpt, model) -> None:
    line = 'cat song.mid | midigpt infill - --bars 4-8 -m "$MODEL" --seed 3 -o - | tee out.mid | midigpt info - --json'
    done = shell(line)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bars"] is not None
    assert "standard input -> standard output (seed 3" in done.stderr
    midigpt("infill", song, "--bars", "4-8", "-m", model, "--seed", 3)
    assert (song.parent / "out.mid").read_bytes() == song.with_name("song.infill.mid").read_bytes()


def test_loop_over_a_folder_goes_on_and_json_is_one_object(shell, song, tmp_path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mid").write_bytes(song.read_bytes())
    read = f"'{sys.executable}' -c 'import json, sys; print(json.load(sys.stdin)[\"songs\"][0][\"outputs\"][0])'"
    line = f'for f in a b; do midigpt infill $f.mid --bars 4 -t 2 -m "$MODEL" --json -q | {read} || exit 1; done'
    done = shell(line)
    assert done.stdout.split() == ["a.infill.mid", "b.infill.mid"], done.stderr
    assert all((tmp_path / name).exists() for name in ("a.infill.mid", "b.infill.mid"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent the POSIX way")
def test_ctrl_c_leaves_no_file_and_exits_130(song, model) -> None:
    words = [
        "infill",
        "song.mid",
        "--bars",
        "1-12",
        "--takes",
        "16",
        "-m",
        model,
        "--progress",
        "--max-attempts",
        "100",
    ]
    words += ["--novelty", "--novelty-threshold", "0.000001", "--novelty-against", "takes"]
    started = subprocess.Popen(
        [sys.executable, "-m", "midigpt_cli.main", *words],
        cwd=song.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert started.stderr is not None
    heard = b""
    while b"tokens/s" not in heard and started.poll() is None:
        heard += os.read(started.stderr.fileno(), 4096)
    started.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    assert time.monotonic() - begun < 20
    assert b"Traceback" not in errors
    assert [file.name for file in song.parent.iterdir()] == ["song.mid"]
