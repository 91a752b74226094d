"""Take the song's silent tracks up where they are named, so that they can be written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from midigpt_cli.parse.instruments import heard_in
from midigpt_cli.parse.selectors import by_name
from midigpt_core.score import DRUM, Score


def with_silent(score: Score, selectors: Iterable[str]) -> Score:
    """The score with those silent tracks of its file at the end that a selector names, and no sounding track.

    What the file does not say of their instrument, their name says.
    """
    words = [part.strip().lower() for selector in selectors for part in (selector, *selector.split(","))]
    unknown = [word for word in words if word and not word.isdecimal() and not by_name(word, score)]
    if not unknown:
        return score
    from midigpt_core.midi_file.silent import silent_tracks

    found = silent_tracks(score)
    silent = Score([item.track for item in found])
    added = []
    for number in sorted({number for word in unknown for number in by_name(word, silent)}):
        track, program = found[number].track, found[number].program
        if program is None and track.track_type != DRUM:
            track = replace(track, instrument=heard_in(track.name))
        added.append(track)
    return replace(score, tracks=[*score.tracks, *added])
