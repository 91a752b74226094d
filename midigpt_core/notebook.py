"""A score as a piano roll in HTML, drawn and played by the page itself: what a notebook shows for it."""

from __future__ import annotations

import html
import json
from collections.abc import Collection
from typing import Any

_COLOURS = ("#3b6fb6", "#2a9d8f", "#8e5ea2", "#5a7d2b", "#1f7a99", "#6b6f7a", "#8a7340", "#4a58a0")
_NEW, _GROUND = "#e4572e", "#fff0c2"
_WIDTH, _ROW, _MARGIN = 900, 3, 110  # pixels: the roll, a semitone, the names
_MOST_PLAYED = 4000  # notes; longer songs are shown, and played up to there

_PLAYER = """
<button onclick='(function(button, notes) {
  if (button.context) { button.context.close(); button.context = null; button.textContent = "\u25b6"; return; }
  const context = button.context = new AudioContext(), begin = context.currentTime + 0.1;
  button.textContent = "\u25a0";
  for (const [start, length, pitch, loudness] of notes) {
    const tone = context.createOscillator(), level = context.createGain();
    tone.type = "triangle"; tone.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    level.gain.setValueAtTime(loudness / 127 / 8, begin + start);
    level.gain.exponentialRampToValueAtTime(0.0001, begin + start + length);
    tone.connect(level).connect(context.destination);
    tone.start(begin + start); tone.stop(begin + start + length);
  }
})(this, NOTES)'>\u25b6</button>
"""


def piano_roll(score: Any, lit: Collection[tuple[int, int]] = ()) -> str:
    """HTML for a Score: a strip per track, (track, bar) cells in `lit` in another colour, and a button that plays."""
    lines = _bar_lines(score)
    strips, top = [], 4.0
    for number, track in enumerate(score.tracks):
        drawn, height = _strip(score, number, track, lines, lit, top)
        strips.append(drawn)
        top += height + 4
    size = f'width="{_MARGIN + _WIDTH}" height="{top:.0f}" viewBox="0 0 {_MARGIN + _WIDTH} {top:.0f}"'
    notes = json.dumps(_heard(score, lines))
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(strips)}</svg>'
    return f"<div>{_PLAYER.replace('NOTES', notes)}<br>{drawing}</div>"


def _bar_lines(score: Any) -> list[float]:
    """Where bars begin, in quarter notes, and where the last one ends."""
    longest: list[Any] = max((track.bars for track in score.tracks), key=len, default=[])
    lines = [0.0]
    for bar in longest:
        lines.append(lines[-1] + bar.beat_length)
    return lines


def _strip(
    score: Any, number: int, track: Any, lines: list[float], lit: Collection[tuple[int, int]], top: float
) -> tuple[str, float]:
    """One track, and how high it is drawn."""
    pitches = [note.pitch for bar in track.bars for note in bar.notes] or [60]
    low, high = min(pitches), max(pitches)
    height, scale = max(18, (high - low + 1) * _ROW), _WIDTH / max(lines[-1], 1e-9)
    parts = [f'<text x="0" y="{top + 12}" font-size="11">{html.escape(track.name or track.track_type)}</text>']
    parts.append(f'<rect x="{_MARGIN}" y="{top}" width="{_WIDTH}" height="{height}" fill="#f6f7f9"/>')
    for index, bar in enumerate(track.bars):
        x, new = _MARGIN + lines[index] * scale, (number, index) in lit
        if new:
            wide = bar.beat_length * scale
            parts.append(f'<rect x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{height}" fill="{_GROUND}"/>')
        parts.append(f'<path d="M{x:.1f} {top}v{height}" stroke="#c9ccd1" stroke-width=".5"/>')
        colour = _NEW if new else _COLOURS[number % len(_COLOURS)]
        for note in bar.notes:
            left = x + note.onset_ticks / score.resolution * scale
            wide = max(1.0, note.duration_ticks / score.resolution * scale)
            y = top + (high - note.pitch) * _ROW
            parts.append(f'<rect x="{left:.1f}" y="{y}" width="{wide:.1f}" height="{_ROW}" fill="{colour}"/>')
    return "".join(parts), height


def _heard(score: Any, lines: list[float]) -> list[list[float]]:
    """[start in seconds, length, pitch, velocity] of what is played, in order; at the first tempo, drums left out."""
    second = score.tempo / 1e6  # of a quarter note
    found = []
    for track in score.tracks:
        for index, bar in enumerate(track.bars if track.track_type != "drum" else ()):
            for note in bar.notes:
                start = (lines[index] + note.onset_ticks / score.resolution) * second
                length = max(0.05, note.duration_ticks / score.resolution * second)
                found.append([round(start, 3), round(length, 3), note.pitch, note.velocity])
    return sorted(found)[:_MOST_PLAYED]
