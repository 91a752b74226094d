"""Evaluation results as JSON and as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from midigpt_core.evaluate.adherence import GUIDANCE
from midigpt_core.evaluate.tasks import BASS, DRUMS, MELODIC

METRICS = {  # key -> (heading, decimals, what it says)
    "note_f1": ("note F1", 3, "notes of the original found again (onset on the 16th grid, pitch); higher is closer"),
    "chroma": ("chroma", 3, "cosine of pitch classes per bar with the original"),
    "groove": ("groove", 3, "onset pattern per bar shared with the original"),
    "in_key": ("in key", 3, "share of notes in the scale of the surroundings"),
    "chord_tone": (
        "chord tone",
        3,
        "sixteenths of new notes, beside another track, whose pitch class sounds there too",
    ),
    "clash": ("clash", 3, "those where it does not, but a semitone from it does"),
    "leap": ("leap", 1, "semitones over the seams with the bars before and after"),
    "in_range": ("in range", 3, "bars whose mean pitch lies within the range of their track's context"),
    "pce_diff": ("PCE diff", 3, "pitch-class entropy, distance to the original in bits; lower is closer"),
    "covered": ("covered", 3, "bars that sound where the original did"),
    "collapse": ("collapse", 3, "tasks stuck on one pitch"),
    "copy": ("copy", 3, "written bars equal to a bar of the track's context"),
    "notes": ("notes", 1, "notes per task"),
    "nll_token": ("NLL/token", 3, "nats per token of the original"),
    "nll_note": ("NLL/note", 3, "nats per note of the original"),
    "retried": ("retried", 3, "takes in which an attempt was rejected"),
    "failed": ("failed", 3, "takes whose attempts were all rejected"),
    "seconds_per_bar": ("s/bar", 3, "wall time per written bar"),
}

ADHERENCE = ("exact", "within_one", "mean_distance", "guided_exact", "guided_within_one")


def markdown(
    summary: Sequence[dict[str, Any]],
    adherence: Sequence[dict[str, Any]],
    facts: dict[str, Any],
    constraints: Sequence[dict[str, Any]] = (),
) -> str:
    """The report a reader meets first: facts, the table over all tasks, tables by voice and kind, adherence."""
    lines = ["# Evaluation", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    lines += ["Mean and standard error.", "", *(f"- *{h}*: {text}" for h, _, text in METRICS.values()), ""]
    lines += _table("All tasks", summary, "all", "all")
    for voice in (MELODIC, BASS, DRUMS):
        lines += _table(f"All tasks, {voice} tracks", summary, "all", voice)
    for kind in sorted({row["kind"] for row in summary} - {"all"}):
        lines += _table(f"Task: {kind}", summary, kind, "all")
    if adherence:
        lines += [
            "## Control adherence",
            "",
            f"Guided: with guidance {GUIDANCE:g}, away from what the model writes uncontrolled.",
            "",
            "| control | n | exact | within one level | mean distance | guided: exact | guided: within one level |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {row['control']} | {row['n']} | " + " | ".join(f"{row[key]:.2f}" for key in ADHERENCE) + " |"
            for row in adherence
        ]
    if constraints:
        lines += [
            "",
            "## Constraints",
            "",
            "How far the new notes are as asked (0 to 1), and how far without being asked.",
            "",
        ]
        lines += ["| constraint | n | met | unasked |", "|---|--:|--:|--:|"]
        lines += [f"| {row['wish']} | {row['n']} | {row['met']:.2f} | {row['unasked']:.2f} |" for row in constraints]
    return "\n".join(lines) + "\n"


def _table(title: str, summary: Sequence[dict[str, Any]], kind: str, voice: str) -> list[str]:
    rows = [row for row in summary if row["kind"] == kind and row["voice"] == voice]
    keys = [key for key in METRICS if any(key in row for row in rows)]
    if not rows:
        return []
    head = [f"## {title}", "", "| | n | " + " | ".join(METRICS[key][0] for key in keys) + " |"]
    head.append("|---|--:|" + "--:|" * len(keys))
    rows = sorted(rows, key=lambda row: (row["doer"] != "model", row["doer"] == "original", row["doer"]))
    return [
        *head,
        *(f"| {row['doer']} | {row['n']} | " + " | ".join(_cell(row, key) for key in keys) + " |" for row in rows),
        "",
    ]


def _cell(row: dict[str, Any], key: str) -> str:
    if key not in row:
        return ""
    mean, error = row[key]
    decimals = METRICS[key][1]
    return f"{mean:.{decimals}f} ± {error:.{decimals}f}"
