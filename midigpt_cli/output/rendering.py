"""Sound and pictures beside a MIDI file: which there are, and how they are made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_core.fields import nearest, refused

if TYPE_CHECKING:
    from midigpt_core.plan.steps import Cell
    from midigpt_core.score import Score

PICTURES = (".png", ".svg", ".pdf")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
RATE = 44_100
NO_MIDI = (*PICTURES, *SOUNDS, ".jpg", ".jpeg", ".m4a", ".aiff", ".json", ".csv", ".txt", ".musicxml", ".xml")


def endings(formats: str | None) -> tuple[str, ...]:
    """The file name endings in a list such as "wav,png". Raises RequestValidationError for an unknown one."""
    found = tuple(f".{word.strip().lower().removeprefix('.')}" for word in (formats or "").split(",") if word.strip())
    for ending in found:
        if ending not in SOUNDS + PICTURES:
            known = [other[1:] for other in SOUNDS + PICTURES]
            raise refused("--render", ending[1:], "cannot be made", nearest(ending[1:], known))
    return tuple(dict.fromkeys(found))


def check_midi_name(option: str, name: str) -> None:
    """Refuse a name whose ending says that something other than MIDI is in the file."""
    ending = Path(name).suffix.lower()
    if ending in NO_MIDI:
        stem = name[: -len(ending)]
        also = f", and add --render {ending[1:]}" if ending in PICTURES + SOUNDS else ""
        raise refused(option, name, f"would hold MIDI under the name of a {ending} file", f"say {stem}.mid{also}")


def check(ending: str) -> None:
    """Raise AudioError where a file of this ending cannot be made here, before any time is spent."""
    if ending in SOUNDS:
        from midigpt_core.audio.audio_files import check_writable

        check_writable(f"sound{ending}", RATE)
    else:
        from midigpt_core.audio.score_picture import check_drawing

        check_drawing()


@dataclass(frozen=True)
class RenderOptions:
    """How a score is played and drawn."""

    soundfont: str | Path | None = None
    rate: int = RATE
    engine: str = "auto"
    lit: Collection[Cell] = frozenset()
    before: Score | None = None
    bars: range | None = None  # drawn; None: all
    heard: range | None = None  # played; None: all
    title: str = ""  # of a picture


def of_changes(song: str, before: Score, after: Score, cells: Collection[Cell]) -> RenderOptions:
    """A picture of what was written: those bars and their surroundings, beside what stood there before, if anything."""
    from midigpt_core.audio.piano_roll import around

    replaced = any(before.tracks[t].bars[b].n_notes for t, b in cells if t < len(before.tracks))
    bars = around(cells, after.n_bars)
    return RenderOptions(
        lit=frozenset(cells), before=before if replaced else None, bars=bars, title=Path(song).name.strip("-")
    )


def make(score: Score, path: Path, how: RenderOptions, tell: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Render the score to audio or a picture, by the file's extension; facts about the file. Raises AudioError."""
    if path.suffix.lower() in SOUNDS:
        from midigpt_core.audio.synthesis import render_audio
        from midigpt_core.midi_file import score_to_bytes
        from midigpt_core.midi_file.excerpt import excerpt

        part = score if how.heard is None else excerpt(score, how.heard.start, how.heard.stop)
        return render_audio(score_to_bytes(part), path, how.soundfont, how.rate, how.engine, tell).to_dict()
    from midigpt_core.audio.score_picture import draw_score

    draw_score(score, path, how.lit, how.before, how.bars, how.title)
    bars = score.n_bars if how.bars is None else len(how.bars)
    return {"path": str(path), "bars": bars, "tracks": len(score.tracks), "highlighted": len(how.lit)}
