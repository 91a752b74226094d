"""Polyphony: how many notes sound at once, in the sparse and in the dense moments of a track or a bar."""

from __future__ import annotations

from midigpt_core.attributes.base import Attribute, quantile, share_of
from midigpt_core.score import Score


def sounding_counts(spans: list[tuple[int, int]], length: int) -> list[int]:
    """Notes sounding at each tick that is not silent; the last tick of the span is never counted."""
    roll = [0] * length
    for start, end in spans:
        for tick in range(max(start, 0), min(end, length - 1)):
            roll[tick] += 1
    return [count for count in roll if count]


class PolyphonyQuantile(Attribute):
    """The 15 % ("min") or 85 % ("max") quantile of the number of voices over all ticks that sound."""

    size = 10

    def __init__(self, mode: str, level: str = "track", track_type: str = "melodic") -> None:
        self.mode = mode
        self.level = level
        self.track_type = track_type
        side = "Min" if mode == "min" else "Max"
        self.title = "Fewest voices at once" if mode == "min" else "Most voices at once"
        self.name = f"bar_{mode}_polyphony" if level == "bar" else f"{mode}_polyphony"
        self.token_type = f"BarLevelOnsetPolyphony{side}" if level == "bar" else f"{side}Polyphony"

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        if self.level == "bar" and bar is not None:
            return quantile(self._in_bar(score, track, bar), share_of(self.mode))
        return quantile(self._in_track(score, track), share_of(self.mode))

    def _in_track(self, score: Score, track: int) -> list[int]:
        spans = []
        bar_start = 0
        for bar in score.tracks[track].bars:
            for note in bar.notes:
                start = bar_start + note.onset_ticks
                spans.append((start, start + note.duration_ticks))
            bar_start += bar.ticks(score.resolution)
        return sounding_counts(spans, max((end for _, end in spans), default=0))

    def _in_bar(self, score: Score, track: int, bar: int) -> list[int]:
        bars = score.tracks[track].bars[bar : bar + 1]
        spans = [(n.onset_ticks, n.onset_ticks + n.duration_ticks) for b in bars for n in b.notes]
        return sounding_counts(spans, bars[0].ticks(score.resolution)) if spans else []

    def quantize(self, value: float) -> int:
        return max(1, min(int(value), 10)) - 1

    def labels(self) -> tuple[str, ...]:
        return ("1 voice", *(f"{i} voices" for i in range(2, 10)), "10+ voices")


class OnsetPolyphony(Attribute):
    """Most notes that begin at the same tick."""

    name = "onset_polyphony"
    title = "Most notes begun at once"
    token_type = "OnsetPolyphony"
    track_type = "melodic"
    size = 10

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        most = 0
        for b in score.tracks[track].bars:
            onsets = [note.onset_ticks for note in b.notes]
            most = max([most, *(onsets.count(onset) for onset in set(onsets))])
        return most

    def quantize(self, value: float) -> int:
        return min(int(value), 127)
