"""Prompts as users of neighbouring systems write them are understood as a musician reads them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_FILE = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "user_prompts.py"))
PROMPTS, MISSED, wrong = _FILE["PROMPTS"], _FILE["MISSED"], _FILE["wrong"]


def test_there_are_sixty_of_them():
    assert len(dict(PROMPTS)) == 60


@pytest.mark.parametrize(("prompt", "expected"), PROMPTS, ids=[row[0][:40] for row in PROMPTS])
def test_a_prompt_is_understood_as_a_musician_reads_it(prompt, expected):
    assert bool(wrong(prompt, expected)) == (prompt in MISSED)
