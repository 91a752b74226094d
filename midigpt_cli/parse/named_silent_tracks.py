"""Take the song's silent tracks up where they are named, so that they can be written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from midigpt_cli.parse.instruments import heard_in
from midigpt_cli.parse.selectors import by_name, is_group, select_tracks
from midigpt_core.errors import RequestValidationError
from midigpt_core.score import DRUM, Score


def with_silent(score: Score, selectors: Iterable[str]) -> Score:
    """The score with those silent tracks of its file at the end that a selector means: by their whole name, or by a
    part of it where no sounding track is meant.

    What the file does not say of their instrument, their name says.
    """
    words = [part.strip().lower() for selector in selectors for part in {selector, *selector.split(",")}]
    words = [word for word in words if not (word.isdecimal() or is_group(word, score) or by_name(word, score))]
    if not any(words):
        return score
    from midigpt_core.midi_file.silent_tracks import silent_tracks

    found = silent_tracks(score)
    silent = Score([item.track for item in found])
    added = []
    for number in sorted({number for word in filter(None, words) for number in _meant(word, silent, score)}):
        track, program = found[number].track, found[number].program
        if program is None and track.track_type != DRUM:
            track = replace(track, instrument=heard_in(track.name))
        added.append(track)
    return replace(score, tracks=[*score.tracks, *added])


def _meant(word: str, silent: Score, sounding: Score) -> list[int]:
    named = by_name(word, silent)
    if any(silent.tracks[number].name.strip().lower() == word for number in named):
        return named
    try:
        select_tracks([word], sounding)
    except RequestValidationError:
        return named
    return []
