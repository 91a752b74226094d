"""Every aim for the built-in model beside what was measured, from the reports of `midigpt evaluate`.

    midigpt evaluate CORPUS --manifest MANIFEST.csv --per-kind 20 --samplings 3 --json > model.json
    midigpt evaluate ... --echo 0 --harmony 0 --pool 1 --no-controls --json > alone.json
    python -m benchmarks.reach model.json alone.json [--pool-latency 1.5]

Copying from the training data is read from `results/copying.md`, which `benchmarks.copying` writes.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import table

RESULTS = Path(__file__).parent / "results"
TABLE, COPYING = RESULTS / "reach.md", RESULTS / "copying.md"
FLOORS = ("copy nearest bar", "copy previous bars")
PREVIOUS = "copy previous bars"
TOGETHER = "4 bars of every track"
RUN = 12  # notes in a row, by which copying is judged
LATENCY = 2.0  # times a single candidate

Row = tuple[str, str, str, str]  # what, aim, now, met


class Report:
    """What `midigpt evaluate --json` found."""

    def __init__(self, path: Path) -> None:
        self._all: dict[str, Any] = json.loads(path.read_text())
        self._rows = {(row["doer"], row["kind"], row["voice"]): row for row in self._all["summary"]}

    def mean(self, measure: str, doer: str = "model", voice: str = "all", kind: str = "all") -> float:
        """The mean of a measure."""
        return float(self._rows[doer, kind, voice][measure][0])

    def error(self, measure: str, voice: str = "all", kind: str = "all") -> float:
        """The standard error of the model's."""
        return float(self._rows["model", kind, voice][measure][1])

    def floor(self, measure: str, voice: str = "all", kind: str = "all") -> float:
        """The better of the two ways to copy."""
        return max(self.mean(measure, doer, voice, kind) for doer in FLOORS)

    def facts(self) -> str:
        """What was judged."""
        facts: Mapping[str, Any] = self._all
        return f"{facts['tasks']} tasks, {facts['samplings']} samplings, checkpoint {facts['sha256'][:12]}"


def _row(what: str, aim: str, now: str, met: bool) -> Row:
    return what, aim, now, "yes" if met else "no"


def _close_to(report: Report, what: str, measure: str, points: float) -> Row:
    """No more than so much above the original."""
    now, original = report.mean(measure), report.mean(measure, "original")
    aim = f"at most {points:.2f} above the original's {original:.3f}"
    return _row(what, aim, f"{now:.3f} ± {report.error(measure):.3f}", now <= original + points)


def _key(report: Report) -> Row:
    now, original = report.mean("in_key"), report.mean("in_key", "original")
    aim = f"within 0.02 of the original's {original:.3f}"
    return _row("in key", aim, f"{now:.3f} ± {report.error('in_key'):.3f}", abs(now - original) <= 0.02)


def _chord_tones(report: Report) -> Row:
    now, original = report.mean("chord_tone"), report.mean("chord_tone", "original")
    aim = f"at least 95 % of the original's {original:.3f}"
    return _row("chord tones", aim, f"{now:.3f} ± {report.error('chord_tone'):.3f}", now >= 0.95 * original)


def _times_floor(report: Report, voice: str, times: float) -> Row:
    now, floor = report.mean("note_f1", voice=voice), report.floor("note_f1", voice=voice)
    aim = f"at least {times} times the better floor's {floor:.3f}"
    shown = f"{now:.3f} ± {report.error('note_f1', voice):.3f}, {now / floor:.2f} times"
    return _row(f"note F1, {voice}", aim, shown, now >= times * floor)


def _above_floor(report: Report, what: str, measure: str, points: float, where: Mapping[str, str]) -> Row:
    now, floor = report.mean(measure, **where), report.floor(measure, **where)
    aim = f"at least {points:.2f} above the better floor's {floor:.3f}" if points else f"above copying's {floor:.3f}"
    met = now >= floor + points if points else now > floor
    return _row(what, aim, f"{now:.3f} ± {report.error(measure, **where):.3f}", met)


def _alone(alone: Report, model: Report) -> list[Row]:
    """The network by itself against the bars before; floors do not depend on the settings."""
    chords, clashes = alone.mean("chord_tone"), alone.mean("clash")
    floor = model.mean("chord_tone", PREVIOUS), model.mean("clash", PREVIOUS)
    return [
        _row(
            "chord tones, network alone", f"above the bars before, {floor[0]:.3f}", f"{chords:.3f}", chords > floor[0]
        ),
        _row("clashes, network alone", f"below the bars before, {floor[1]:.3f}", f"{clashes:.3f}", clashes < floor[1]),
    ]


def _copying() -> Row:
    found = re.search(rf"^\| {RUN} \| ([\d.]+) %.*?\| ([\d.]+) %", COPYING.read_text(), re.M)
    if found is None:
        raise SystemExit(f"{COPYING}: no row of {RUN} notes in a row")
    original, now = (float(share) for share in found.groups())
    aim = f"at most real music's {original} %"
    return _row(f"{RUN} notes in a row from the training data", aim, f"{now} %", now <= original)


def rows(model: Report, alone: Report, latency: float | None) -> list[Row]:
    """One row for each aim."""
    found = [
        _close_to(model, "clashes", "clash", 0.02),
        _chord_tones(model),
        *_alone(alone, model),
        _times_floor(model, "melodic", 2.5),
        _times_floor(model, "bass", 2.5),
        _above_floor(model, "note F1, drums", "note_f1", 0.04, {"voice": "drums"}),
        _above_floor(model, f"note F1, {TOGETHER}", "note_f1", 0.0, {"kind": TOGETHER, "voice": "every"}),
        _above_floor(model, "groove", "groove", 0.02, {}),
        _key(model),
        _close_to(model, "bars that stand elsewhere in the track", "copy", 0.08),
        _copying(),
    ]
    nats = model.mean("nll_token")
    found.append(_row("nats per token of the original", "at most 0.85", f"{nats:.3f}", nats <= 0.85))
    if latency is not None:
        aim = f"at most {LATENCY:.0f} times one candidate's"
        found.append(_row("time of one take, pool of 8", aim, f"{latency:.1f} times", latency <= LATENCY))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="report under the defaults")
    parser.add_argument("alone", type=Path, help="report of the network alone")
    parser.add_argument("--pool-latency", type=float, help="from `results/pool.md`: four bars of a track")
    asked = parser.parse_args()
    model = Report(asked.model)
    found = rows(model, Report(asked.alone), asked.pool_latency)
    met = sum(row[-1] == "yes" for row in found)
    lines = [
        "# What was aimed at",
        "",
        f"Written by `python -m benchmarks.reach`; {model.facts()}. {met} of {len(found)} aims are met.",
        "Measures are those of [evaluation](evaluation.md), means with the standard error of the model's. Where an aim",
        "was to come within some points of the original, clashes and repeats may fall below it by more.",
        "",
        table(("what", "aim", "now", "met"), found),
        "",
    ]
    TABLE.write_text("\n".join(lines))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
