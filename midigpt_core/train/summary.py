"""What a data set holds, as numbers and as words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from midigpt_core.train.shards import PieceTokens

TOP = 12  # entries shown of a long list
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Tally:
    """Counts that grow piece by piece; `result` is what is written beside the shards."""

    def __init__(self, metre_names: list[str]) -> None:
        self._metre_names = metre_names
        self._sources: dict[str, Counter[str]] = {}
        self._metres: Counter[str] = Counter()
        self._instruments: Counter[str] = Counter()
        self._tracks: list[int] = []
        self._bars: list[int] = []
        self._tokens = 0
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, piece: PieceTokens, source: str, split: str) -> None:
        """Count one piece that was kept."""
        row = self._sources.setdefault(source, Counter())
        tokens = sum(len(body) for bodies in piece.bodies for body in bodies)
        row.update({split: 1, "notes": piece.notes, "tokens": tokens})
        row.update({"bars": len(piece.metres), "tracks": len(piece.bodies)})
        row["with drums"] += any(piece.drums)
        self._metres.update(self._metre_names[m] if m >= 0 else "other" for m in piece.metres)
        names = zip(piece.instruments, piece.drums, strict=True)
        self._instruments.update("drums" if drums else f"program {program}" for program, drums in names)
        self._tracks.append(len(piece.bodies))
        self._bars.append(len(piece.metres))
        self._tokens += tokens

    def skip(self, reason: str, name: str) -> None:
        """Count one file that was left out; the first of each reason is remembered."""
        self.skipped[reason] += 1
        self.examples.setdefault(reason, name)

    def result(self) -> dict[str, Any]:
        """Plain numbers, ready for JSON."""
        total: Counter[str] = Counter()
        for row in self._sources.values():
            total.update(row)
        return {
            "pieces": len(self._tracks),
            "total": dict(total),
            "sources": {name: dict(row) for name, row in sorted(self._sources.items())},
            "metres": dict(self._metres.most_common()),
            "instruments": dict(self._instruments.most_common()),
            "tracks_per_piece": _quantiles(self._tracks),
            "bars_per_piece": _quantiles(self._bars),
            "skipped": dict(self.skipped.most_common()),
            "skipped_first": self.examples,
        }


def as_text(result: dict[str, Any]) -> str:
    """The same as a table for the eye."""
    columns = ("train", "valid", "with drums", "tracks", "bars", "notes", "tokens")
    rows = [(name, row) for name, row in result["sources"].items()] + [("total", result["total"])]
    width = max(len(name) for name, _ in rows)
    lines = [" ".join([f"{'source':{width}}", *(f"{column:>11}" for column in columns)])]
    lines += [" ".join([f"{name:{width}}", *(f"{row.get(c, 0):>11,}" for c in columns)]) for name, row in rows]
    lines += [f"{what} per piece: {_spread(result[f'{what}_per_piece'])}" for what in ("tracks", "bars")]
    lines += [f"bars by metre: {_top(result['metres'])}", f"tracks by instrument: {_top(result['instruments'])}"]
    if result["skipped"]:
        lines.append(f"left out: {sum(result['skipped'].values()):,} files")
        first = result["skipped_first"]
        lines += [f"  {count:>6,}  {reason} (first: {first[reason]})" for reason, count in result["skipped"].items()]
    return "\n".join(lines)


def _quantiles(values: Iterable[int]) -> list[int]:
    ordered = sorted(values)
    return [ordered[round(q * (len(ordered) - 1))] for q in QUANTILES] if ordered else []


def _spread(values: list[int]) -> str:
    return "least {}, quartiles {} {} {}, most {}".format(*values) if values else "none"


def _top(counts: dict[str, int]) -> str:
    listed = list(counts.items())
    shown = ", ".join(f"{name} {count:,}" for name, count in listed[:TOP])
    return shown + (f", and {len(listed) - TOP} more" if len(listed) > TOP else "")
