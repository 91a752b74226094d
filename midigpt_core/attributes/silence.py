"""Silence proportion: the share of a track's time in which none of its notes sounds."""

from __future__ import annotations

from midigpt_core.attributes.base import Attribute
from midigpt_core.plain_sum import plain_sum
from midigpt_core.score import Bar, Score


def metre_ticks(bar: Bar, resolution: int) -> int:
    """Length of a bar in whole ticks, from its metre."""
    return int(bar.ts_numerator * (resolution * 4 / bar.ts_denominator))


def silent_share(bar: Bar, length: int, origin: int) -> float:
    """Share of the bar's ticks without a note, where onsets count from `origin` ticks after the bar line."""
    if not bar.notes:
        return 1.0
    active = bytearray(length)
    for note in bar.notes:
        start = max(0, min(length, note.onset_ticks - origin))
        end = max(0, min(length, note.onset_ticks - origin + note.duration_ticks))
        active[start:end] = b"\1" * (end - start)
    return active.count(0) / length


class SilenceProportion(Attribute):
    """Mean silent share of the bars, in tenths.

    Revision 1 takes onsets for distances from the start of the track although they count from the bar line, so that
    bars after the first mostly read as silent: this is what the published checkpoints were trained on. Revision 2
    takes them for what they are.
    """

    title = "Silence"
    size = 10

    def __init__(self, level: str = "track", track_type: str = "both") -> None:
        self.level = level
        self.track_type = track_type
        self.name = "bar_silence_proportion" if level == "bar" else "silence_proportion"
        self.token_type = "SilenceProportionBar" if level == "bar" else "TrackLevelSilenceProportionMax"

    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        shares = []
        start = 0
        for b in score.tracks[track].bars:
            length = metre_ticks(b, score.resolution)
            if length:
                shares.append(silent_share(b, length, start if self.revision == 1 else 0))
            start += length
        if self.level == "bar" and bar is not None:
            return shares[bar] if bar < len(shares) else 0.0
        return plain_sum(shares) / len(shares) if shares else 0.0

    def quantize(self, value: float) -> int:
        return max(0, min(9, int(value * 10)))

    def labels(self) -> tuple[str, ...]:
        return tuple(f"{10 * i}-{10 * i + 10} % silent" for i in range(10))
