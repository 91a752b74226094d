"""Rules of the table of constraints: what is asked is met far more than unasked, on real songs."""

from __future__ import annotations

from pathlib import Path

from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.constraint_measures import CONSTRAINTS, constraints_met
from midigpt_core.evaluate.evaluation_report import markdown
from midigpt_core.evaluate.tasks import draw_tasks

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_each_constraint_is_met_to_nine_tenths_and_no_less_than_unasked() -> None:
    tasks = draw_tasks([SAMPLES / "pop.mid", SAMPLES / "blues.mid"], 3, 0, ("4 bars",))
    rows = constraints_met(InferenceEngine.from_pretrained("open"), tasks)
    assert [row["wish"] for row in rows] == [each.name for each in CONSTRAINTS]
    assert all(float(row["met"]) >= max(0.9, float(row["unasked"])) for row in rows), rows
    assert "| chords |" in markdown([], [], {}, rows)
