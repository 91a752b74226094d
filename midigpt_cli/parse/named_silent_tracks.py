"""Take the song's silent tracks up where they are named, so that they can be written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from midigpt_cli.parse.instruments import heard_in
from midigpt_cli.parse.selectors import by_name, is_group, select_tracks
from midigpt_core.errors import RequestValidationError, SongTooLargeError
from midigpt_core.midi_file.outline import ReadLimits
from midigpt_core.midi_file.silent_tracks import SilentTrack, silent_tracks
from midigpt_core.score import DRUM, Score, Track


def with_silent(score: Score, selectors: Iterable[str]) -> Score:
    """The score with those silent tracks of its file at the end that a selector means: by their whole name, or by a
    part of it where no sounding track is meant.

    What the file does not say of their instrument, their name says.
    """
    words = [part.strip().lower() for selector in selectors for part in {selector, *selector.split(",")}]
    words = [word for word in words if not (word.isdecimal() or is_group(word, score) or by_name(word, score))]
    if not any(words):
        return score
    found = silent_tracks(score)
    silent = Score([item.track for item in found])
    meant = sorted({number for word in filter(None, words) for number in _meant(word, silent, score)})
    return replace(score, tracks=[*score.tracks, *_with_bars([found[number] for number in meant], score)])


def _with_bars(silent: Sequence[SilentTrack], score: Score) -> list[Track]:
    """Silent tracks with the song's bars, all empty. Raises SongTooLargeError."""
    longest = max(score.tracks, key=lambda track: track.n_bars, default=Track())
    cells, most = (len(score.tracks) + len(silent)) * longest.n_bars, ReadLimits().cells
    if silent and cells > most:
        raise SongTooLargeError("bars in all tracks together", most, cells)
    bars, added = longest.excerpt(0, longest.n_bars), []
    for item in silent:
        named = item.program is None and item.track.track_type != DRUM
        instrument = heard_in(item.track.name) if named else item.track.instrument
        added.append(replace(item.track, bars=[replace(bar, notes=[]) for bar in bars], instrument=instrument))
    return added


def _meant(word: str, silent: Score, sounding: Score) -> list[int]:
    named = by_name(word, silent)
    if any(silent.tracks[number].name.strip().lower() == word for number in named):
        return named
    try:
        select_tracks([word], sounding)
    except RequestValidationError:
        return named
    return []
