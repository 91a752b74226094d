"""Two hundred songs filled in with random options: nothing else changes, every wish holds, memory stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import corpus

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "infill_corpus.py"
REFEREE = Path(os.environ.get("MIDIGPT_REFEREE", BENCHMARK.parents[2] / "shared" / "tools" / "midi_diff.py"))
GROWTH_MIB = 48  # allowed from the first tenth of the songs to the last: real songs differ in size


@pytest.mark.slow
def test_two_hundred_songs_are_filled_in_as_asked(tmp_path: Path) -> None:
    if not REFEREE.is_file():
        pytest.skip(f"set MIDIGPT_REFEREE to run this: {REFEREE} is not there")
    table = tmp_path / "table.md"
    words = ["--corpus", str(corpus()), "--referee", str(REFEREE), "--songs", "200", "--seed", "2", "--out", str(table)]
    done = subprocess.run([sys.executable, str(BENCHMARK), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    rows = [line.split("|")[1:3] for line in table.read_text().split("resident memory")[1].splitlines() if "|" in line]
    memory = [float(row[1]) for row in rows if row[0].strip().isdecimal()]
    assert memory[-1] - memory[0] < GROWTH_MIB
