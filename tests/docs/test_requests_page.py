"""The page about requests says what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_about_requests_is_up_to_date() -> None:
    made = runpy.run_path(str(DOCS / "make_requests.py"))["page"]()
    assert (DOCS / "requests.md").read_text(encoding="utf-8") == made, "run python docs/make_requests.py"
