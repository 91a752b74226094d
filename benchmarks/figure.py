"""Draw `results/decode.svg` from the tables of `results/decode.md`: python -m benchmarks.figure.

Tokens per second, for the model of 20 million parameters: against the prompt's length with one lane, and against the
number of lanes with a prompt of 1,270 tokens. Plain SVG, so that nothing is needed to draw it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
MODEL = "20M"
COLOURS = {"midigpt": "#0b6e4f", "midigpt 0.4.2": "#b23a48", "midigpt 0.4.2, batched": "#d98e04"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 430, 300, 58, 54, 48

Line = list[tuple[float, float]]  # (x, tokens per second)


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, of MODEL alone."""
    part = text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip().strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    return [cells for line in lines if (cells := [cell.strip() for cell in line])[0] == MODEL]


def factor(cell: str) -> float | None:
    """The ratio that a cell such as "3.1 x (2.8-3.5)" begins with."""
    return float(cell.split()[0]) if cell else None


def by_prompt(text: str) -> dict[str, Line]:
    """One lane: milliseconds per token, the peer's and ours."""
    found = rows(text, "One lane, milliseconds")
    return {
        "midigpt": [(float(cells[1]), 1e3 / float(cells[7])) for cells in found],
        "midigpt 0.4.2": [(float(cells[1]), 1e3 / float(cells[5])) for cells in found],
    }


def by_lanes(text: str) -> dict[str, Line]:
    """Many lanes: our rate, and the peer's from the ratios against it."""
    lines: dict[str, Line] = {name: [] for name in COLOURS}
    for cells in rows(text, "Takes of one 1,270-token prompt"):
        lanes, rate = float(cells[1]), float(cells[3])
        lines["midigpt"].append((lanes, rate))
        for name, cell in (("midigpt 0.4.2", cells[4]), ("midigpt 0.4.2, batched", cells[5])):
            times = factor(cell)
            if times:
                lines[name].append((lanes, rate / times))
    return lines


@dataclass
class Chart:
    """One pair of axes: both logarithmic, ticks at the measured x."""

    title: str
    below: str
    lines: dict[str, Line]
    x: float  # where it stands in the picture

    def svg(self) -> str:
        points = [point for line in self.lines.values() for point in line]
        self._xs = sorted({x for x, _ in points})
        lowest, highest = min(y for _, y in points), max(y for _, y in points)
        self._ys = [y for power in range(6) for y in (10**power, 2 * 10**power, 5 * 10**power)]
        self._ys = [y for y in self._ys if lowest / 2.5 < y <= 2.5 * highest]
        parts = [self._text(self.x + LEFT, TOP - 14, self.title, "start", 'font-weight="bold"')]
        for y in self._ys:
            parts.append(self._rule(y))
            parts.append(self._text(self.x + LEFT - 8, self._at_y(y) + 4, f"{y:,}", "end"))
        for x in self._xs:
            parts.append(self._text(self._at_x(x), HEIGHT - BOTTOM + 18, f"{x:,.0f}", "middle"))
        middle = self.x + (LEFT + WIDTH) / 2
        parts.append(self._text(middle, HEIGHT - BOTTOM + 38, self.below, "middle"))
        return "\n".join(parts + [self._curve(name, line) for name, line in self.lines.items() if line])

    def _at_x(self, x: float) -> float:
        first, last = math.log(self._xs[0]), math.log(self._xs[-1])
        return self.x + LEFT + 14 + (WIDTH - LEFT - 28) * (math.log(x) - first) / (last - first)

    def _at_y(self, y: float) -> float:
        low, high = math.log(self._ys[0]), math.log(self._ys[-1])
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (math.log(y) - low) / (high - low)

    def _rule(self, y: float) -> str:
        at = self._at_y(y)
        return f'<path d="M{self.x + LEFT:.0f} {at:.1f}H{self.x + WIDTH:.0f}" stroke="#ddd"/>'

    def _curve(self, name: str, line: Line) -> str:
        spots = [(self._at_x(x), self._at_y(y)) for x, y in line]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in spots)
        colour = COLOURS[name]
        return f'<g fill="{colour}"><path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}</g>'

    def _text(self, x: float, y: float, words: str, anchor: str, more: str = "") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{words}</text>'


def picture(text: str) -> str:
    """Both charts side by side, with their legend."""
    charts = [
        Chart("One lane", "tokens of the prompt", by_prompt(text), 0),
        Chart("Takes of one 1,270-token prompt", "takes at once", by_lanes(text), WIDTH + 40),
    ]
    width, height = 2 * WIDTH + 60, HEIGHT + 34
    legend = []
    for i, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + 220 * i
        legend.append(f'<circle cx="{x}" cy="{HEIGHT + 14}" r="5" fill="{colour}"/>')
        legend.append(f'<text x="{x + 12}" y="{HEIGHT + 18}">{name}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12" fill="#222">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        f'<text x="{LEFT}" y="18">Tokens per second, {MODEL[:-1]} million parameters</text>\n'
        + "\n".join([*(chart.svg() for chart in charts), *legend])
        + "\n</svg>\n"
    )


def main() -> None:
    """Read the tables, write the picture."""
    (RESULTS / "decode.svg").write_text(picture((RESULTS / "decode.md").read_text()))


if __name__ == "__main__":
    main()
