"""Write docs/requests.md from the request dataclasses: python docs/make_requests.py."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

from midigpt_core.constraints.controls import CONTROLS, GRIDS, SCALES
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt

HERE = Path(__file__).parent
INTRO = """# Requests

What a caller may ask, in Python (`GenerationRequest`, `TrackPrompt`, `InferenceConfig`), over HTTP (the same names in
JSON) and in `midigpt infill --request FILE.json`. Tracks and bars count from 0 here. An unknown key, or a value out of
range, is refused by name before any work. This page is made from the code: `python docs/make_requests.py`.
"""

OBEYED = """Keys of `TrackPrompt.attributes` and `TrackPrompt.bar_attributes` are the controls that the checkpoint knows
(`midigpt info`, `GET /info`). The model is told the values; what can be seen to note by note (notes per bar, notes that
begin together, durations, silence, pitch range, pitch classes, key) also becomes a rule for what it may write; and of
`control_tries` versions of each step the one whose measured values are nearest is kept. The versions are written in one
batch: eight take the built-in model on two CPU cores about twice as long as one, and all of them count in `tokens`.
Bars are told to listeners once it is known which version is kept. In a jam one version is written unless asked
otherwise. A rule that leaves nothing to write gives way for that token, control values before the controls below and
the hard limits."""


TAKES = """For bars to fill in, a pool of candidates is drawn: `pool` of them for one take, as many for several takes
together, at least three each. A take keeps the candidate that agrees most with the others (mean F1 of their notes:
bar, sixteenth, pitch), less 0.05 if all of its bars stand elsewhere in their tracks. Candidates that fail a check,
were cut off, hang on one pitch or are what stood there before come last. Each further take differs from those before
in a fifth of its notes (F1 at most 0.8) or, where none does, as much as can be had. The choice is made at each step,
and the next step hears it. Takes are ranked by the agreement (`consensus`); `logprob`, the mean log-probability of a
token, is only told.

A listener hears the bars of a step when its candidate is chosen, so one after the other at the end of the step. With
`pool` 1 take i is what a request with seed + i writes by itself, and each bar is told as soon as it is finished.
Tracks that are continued bar by bar, and jams, have one candidate unless `control_tries` or, for jams, `pool` asks
for more."""


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    for cls in (GenerationRequest, TrackPrompt, InferenceConfig):
        parts += [f"## {cls.__name__}", "", inspect.getdoc(cls) or "", "", *table(cls), ""]
    parts += ["## Control values", "", OBEYED, ""]
    parts += ["## Takes", "", TAKES, ""]
    parts += ["## Controls of a track", "", "Keys of `TrackPrompt.controls`; they work on any checkpoint.", ""]
    for name, control in CONTROLS.items():
        text = " ".join((inspect.getdoc(type(control)) or "").split())
        parts.append(f"- `{name}`: {text}")
    parts += ["", f"Scales: {', '.join(SCALES)}.", "", f"Grids: {', '.join(GRIDS)}."]
    return "\n".join(parts) + "\n"


def table(cls: type) -> list[str]:
    """A row per field that has a meaning."""
    rows = ["| field | type | default | meaning | range |", "|---|---|---|---|---|"]
    for item in dataclasses.fields(cls):
        meta = item.metadata
        default = item.default if item.default is not dataclasses.MISSING else ""
        if item.default_factory is not dataclasses.MISSING and item.default_factory in (list, dict):
            default = item.default_factory()
        kind = str(item.type).replace("|", "\\|")
        rows.append(f"| `{item.name}` | {kind} | {_shown(default)} | {meta.get('help', '')} | {_range(meta)} |")
    return rows


def _shown(value: object) -> str:
    return "" if value == "" else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _range(meta: object) -> str:
    get = meta.get  # type: ignore[attr-defined]
    if get("choices"):
        return ", ".join(get("choices"))
    low, high = get("low"), get("high")
    if low is None and high is None:
        return ""
    above = "above" if get("open_low") else "from"
    below = "below" if get("open_high") else "to"
    return f"{above} {low:g}" + ("" if high is None or high > 1e9 else f" {below} {high:g}")


if __name__ == "__main__":
    (HERE / "requests.md").write_text(page(), encoding="utf-8")
