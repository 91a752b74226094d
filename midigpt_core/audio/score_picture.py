"""Draw a score as a piano roll: one roll per track, bars and metres marked, new bars lit, before beside after."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_core.audio.piano_roll import Cell, PianoRoll, bar_lines, changed_cells, rolls
from midigpt_core.errors import AudioError
from midigpt_core.files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from midigpt_core.score import Score

FORMATS = (".png", ".svg", ".pdf")

_COLOURS = ("#3b6fb6", "#2a9d8f", "#8e5ea2", "#5a7d2b", "#1f7a99", "#6b6f7a", "#8a7340", "#4a58a0")
_NEW, _NEW_GROUND = "#e4572e", "#fff0c2"
_INK, _FAINT, _GROUND, _EVEN = "#333333", "#c9ccd1", "#ffffff", "#f6f7f9"
_TITLES = ("before", "after")
_DPI = 120
_NARROWEST, _ROOMY, _WIDEST = 7.0, 14.0, 40.0  # inches of music: at least, drawn at full width, at most
_WIDE_QUARTER, _NARROW_QUARTER = 0.22, 0.07  # inches
_THINNEST = 0.075  # inches, a note
_HEADING = 0.3  # inches, a title
_MAX_STRIPS = 64


@dataclass(frozen=True)
class _Column:
    """What one column of the picture shows."""

    rolls: Sequence[PianoRoll]
    score: Score
    bars: range
    lit: Collection[Cell]
    title: str


def check_drawing() -> None:
    """Raise AudioError where nothing can be drawn here, naming the command that changes it."""
    _matplotlib()


def draw_score(
    score: Score,
    path: str | os.PathLike[str],
    highlight: Collection[Cell] = frozenset(),
    before: Score | None = None,
    bars: range | None = None,
    title: str = "",
) -> Path:
    """Write a picture of a score as .png, .svg or .pdf, with a title above it.

    `highlight` holds the (track, bar) cells, from 0, to be lit; with `before`, that score stands to the left, and
    cells that differ are lit where `highlight` is empty. `bars` draws a part only. Raises AudioError.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise AudioError(f"{path}: cannot draw {target.suffix or 'a file without an ending'}; use {', '.join(FORMATS)}")
    shown = bars if bars is not None else range(score.n_bars)
    if not len(shown) or not score.tracks:
        raise AudioError("there is nothing to draw: no tracks, or no bars")
    lit = frozenset(highlight) or (changed_cells(before, score) if before is not None else frozenset())
    figure = _figure(score, before, shown, lit, title)
    try:
        with whole(target) as partial:
            figure.savefig(partial, format=target.suffix[1:].lower(), dpi=_DPI, facecolor=_GROUND)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {error.strerror or error}") from None
    return target


def _figure(score: Score, before: Score | None, bars: range, lit: Collection[Cell], title: str = "") -> Figure:
    figures = _matplotlib()
    both = [score] if before is None else [before, score]
    columns = rolls(both, bars, _MAX_STRIPS)
    titles = _TITLES if before is not None else ("",)
    sheets = [_Column(s, one, bars, lit, t) for s, one, t in zip(columns, both, titles, strict=True)]
    heights = [roll.height for roll in columns[0]]
    quarters = max(bar_lines(one, bars)[-1] for one in both)
    width = _width(quarters, len(both))
    left, top, bottom, gap = 2.0, 0.75 + (_HEADING if title else 0.0), 0.45, 0.12
    height = sum(heights) + gap * (len(heights) - 1) + top + bottom
    total = left + width * len(both) + 0.35 * (len(both) - 1) + 0.25
    figure: Figure = figures.Figure(figsize=(total, height))
    for number, sheet in enumerate(sheets):
        x = left + number * (width + 0.35)
        y = height - top
        for index, roll in enumerate(sheet.rolls):
            y -= roll.height
            box = (x / total, y / height, width / total, roll.height / height)
            axes = figure.add_axes(box)
            _draw_roll(axes, roll, sheet, first_column=number == 0)
            if index == 0:
                _mark_bars(axes, sheet)
            y -= gap
    if lit:
        _legend(figure, len(lit))
    if title:
        figure.text(0.12 / total, 1 - 0.3 / height, title, color=_INK, fontsize=11, fontweight="bold")
    return figure


def _width(quarters: float, columns: int) -> float:
    """Inches for one column: long songs are drawn narrower."""
    roomy = _ROOMY / columns**0.5
    wide = quarters * _WIDE_QUARTER
    if wide > roomy:
        wide = roomy + (quarters - roomy / _WIDE_QUARTER) * _NARROW_QUARTER
    return min(max(wide, _NARROWEST / columns), _WIDEST / columns)


def _draw_roll(axes: Axes, roll: PianoRoll, sheet: _Column, first_column: bool) -> None:
    lines = bar_lines(sheet.score, sheet.bars)
    axes.set_xlim(lines[0], lines[-1])
    axes.set_ylim(roll.low - 0.75, roll.high + 0.75)
    axes.set_facecolor(_GROUND)
    for bar, start, stop in zip(sheet.bars, lines, lines[1:], strict=False):
        if (roll.track, bar) in sheet.lit:
            axes.axvspan(start, stop, color=_NEW_GROUND, lw=0, zorder=0)
        elif bar % 2:
            axes.axvspan(start, stop, color=_EVEN, lw=0, zorder=0)
    for bar, line in zip((*sheet.bars, sheet.bars.stop), lines, strict=False):
        strong = bar % 4 == 0
        axes.axvline(line, color=_FAINT, lw=1.0 if strong else 0.5, zorder=1)
    for row, _ in roll.rows:
        axes.axhline(row, color=_FAINT, lw=0.35, zorder=1)
    _draw_notes(axes, roll, sheet)
    axes.set_yticks([row for row, _ in roll.rows] if first_column else [])
    axes.set_yticklabels([name for _, name in roll.rows] if first_column else [], fontsize=6.5, color=_INK)
    axes.set_xticks([])
    axes.tick_params(length=0, pad=3)
    for side in axes.spines.values():
        side.set_color(_FAINT)
        side.set_linewidth(0.6)
    if first_column:
        label = f"{roll.track + 1}  {roll.name}"
        axes.text(
            -1.88, 0.5, label, transform=_inches_left(axes), fontsize=8.5, color=_INK, va="center", fontweight="bold"
        )
        axes.text(-1.88, 0.5, f"\n\n{roll.sound}", transform=_inches_left(axes), fontsize=7, color="#777", va="center")


def _inches_left(axes: Axes) -> Any:
    """Coordinates that count inches from the roll's left edge, and shares of its height."""
    from matplotlib.transforms import Affine2D, ScaledTranslation, blended_transform_factory

    figure: Any = axes.figure
    shift: Any = axes.transAxes
    inches = Affine2D() + figure.dpi_scale_trans + ScaledTranslation(0, 0, shift)
    return blended_transform_factory(inches, axes.transAxes)


def _draw_notes(axes: Axes, roll: PianoRoll, sheet: _Column) -> None:
    """Rectangles for notes; drum hits, which have no length, as marks that grow with loudness."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    own = _COLOURS[roll.track % len(_COLOURS)]
    boxes, faces = [], []
    row_inches = roll.height / (roll.high - roll.low + 1.5)
    thick = max(0.36, _THINNEST / 2 / row_inches)
    for note in roll.notes:
        half = thick if not roll.drums else 0.18 + 0.26 * note.velocity / 127
        stop = max(note.stop, note.start + 0.06) if not roll.drums else note.start + 0.16
        boxes.append([(note.start, note.row - half), (note.start, note.row + half)])
        boxes[-1] += [(stop, note.row + half), (stop, note.row - half)]
        new = (roll.track, note.bar) in sheet.lit and sheet.title != _TITLES[0]
        faces.append(to_rgba(_NEW if new else own, 0.45 + 0.55 * note.velocity / 127))
    axes.add_collection(PolyCollection(boxes, facecolors=faces, edgecolors="white", linewidths=0.25, zorder=3))


def _mark_bars(axes: Axes, sheet: _Column) -> None:
    """Bar numbers, metres where they change, and the title, above the first roll."""
    lines = bar_lines(sheet.score, sheet.bars)
    box = axes.get_window_extent()
    width = box.width / max(len(sheet.bars), 1) / axes.figure.dpi  # inches per bar
    every = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 1 << 20) if width * step > 0.24)
    longest = max(sheet.score.tracks, key=lambda track: len(track.bars)).bars
    metre = ""
    for bar, line in zip(sheet.bars, lines, strict=False):
        if bar % every == 0:
            _above(axes, str(bar + 1), line, (2, 3), fontsize=7)
        here = f"{longest[bar].ts_numerator}/{longest[bar].ts_denominator}" if bar < len(longest) else metre
        if here != metre:
            _above(axes, here, line, (2, 14), fontsize=8, fontweight="bold")
            metre = here
    if sheet.title:
        font: dict[str, Any] = {"fontsize": 11, "fontweight": "bold", "color": _INK}
        where: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 28), "textcoords": "offset points"}
        axes.annotate(sheet.title, (0.5, 1), ha="center", **where, **font)


def _above(axes: Axes, text: str, at: float, offset: tuple[int, int], **font: Any) -> None:
    """Text above the first roll, `offset` points from a bar line."""
    axes.annotate(
        text, (at, 1), xycoords=("data", "axes fraction"), xytext=offset, textcoords="offset points", color=_INK, **font
    )


def _legend(figure: Figure, cells: int) -> None:
    height = figure.get_figheight()
    text = f"new: {cells} bar{'s' if cells != 1 else ''} of a track"
    figure.text(0.12 / figure.get_figwidth(), 0.16 / height, "\N{BLACK SQUARE}", color=_NEW, fontsize=11)
    figure.text(0.32 / figure.get_figwidth(), 0.17 / height, text, color=_INK, fontsize=8)


def _matplotlib() -> Any:
    try:
        import matplotlib.figure
    except ImportError:
        raise AudioError('pictures need matplotlib: pip install "midigpt-cli[audio]"') from None
    return matplotlib.figure
