"""Words completed by a real shell: cut at colons, quoted, in any case."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MIDIGPT = Path(sys.executable).parent / "midigpt"
SCRIPT = """
cd "$1"; shift
source <(_MIDIGPT_COMPLETE=source_bash "$0")
COMP_WORDS=(midigpt "$@"); COMP_CWORD=$#
_midigpt_completion "$0"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(song: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words, which are cut as bash cuts them."""
    if not shutil.which("bash") or not MIDIGPT.exists():
        pytest.skip("needs bash and the installed command")
    line = ["bash", "-c", SCRIPT, str(MIDIGPT), str(song.parent), *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split("\n")[:-1]


def test_a_scale_is_completed_after_its_colon(song) -> None:
    offered = completed(song, "infill", "song.mid", "--scale", "A", ":", "min")
    assert offered == ["minor", "minor_pentatonic"]
    assert "dorian" in completed(song, "infill", "song.mid", "--scale", "A", ":")


def test_a_track_is_completed_whatever_the_case_and_kept_as_typed(song) -> None:
    assert completed(song, "infill", "song.mid", "-t", "b") == ["bass"]
    assert completed(song, "infill", "song.mid", "-t", "D") == ["Drums"]


def test_spaces_are_escaped_unless_quoted_already(song) -> None:
    assert completed(song, "generate", "-i", "tubu") == ["tubular\\ bells"]
    assert completed(song, "generate", "-i", '"tubu') == ["tubular bells"]


def test_what_follows_an_equals_sign_is_its_own_word_to_bash(song) -> None:
    assert completed(song, "infill", "song.mid", "--device", "=", "cu") == ["cuda"]
