"""What every musical attribute has: a name, a token type, a domain, a measure and its quantization."""

from __future__ import annotations

from abc import ABC, abstractmethod

from midigpt_core.score import DRUM, Bar, Score, Track


class Attribute(ABC):
    """A musical property of a track or bar, as a small number that the model reads and can be given as a target.

    name: key in requests ("note_density"). title: what people call it ("Note density"). token_type: name of the token
    that carries it. level: "track" or "bar". track_type: "melodic", "drum" or "both". size: values run from 0 to
    size - 1. revision: 1 measures exactly as midigpt 0.4.2 does, 2 corrects what is wrong there (docs/differences.md).
    measured: False where notes alone cannot tell the value, so that only a caller can give it. whole: the value is
    that of the whole score, for every track the same.
    """

    name: str
    title: str
    token_type: str
    level: str = "track"
    track_type: str = "both"
    size: int
    revision: int = 1
    measured: bool = True
    ordered: bool = True
    whole: bool = False

    @abstractmethod
    def measure(self, score: Score, track: int, bar: int | None = None) -> float:
        """The property of this track (or of this bar of it), before quantization."""

    def quantize(self, value: float) -> int:
        """The token value for a measured value, from 0 to size - 1."""
        return max(0, min(self.size - 1, int(value)))

    def labels(self) -> tuple[str, ...]:
        """A word for each value, or nothing where the number says it all."""
        return ()

    def value_of(self, word: str) -> int | None:
        """The value that has this label, in capitals or not; None where none has."""
        labels = [label.lower() for label in self.labels()]
        return labels.index(word.lower()) if word.lower() in labels else None

    @property
    def full_title(self) -> str:
        """The title, with what it is a property of where that is not the whole track."""
        return f"{self.title} in each bar" if self.level == "bar" else self.title

    def applies_to(self, track: Track) -> bool:
        """Whether tracks of this kind carry the attribute."""
        return self.track_type in ("both", "drum" if track.track_type == DRUM else "melodic")

    def key(self, bar: int | None = None) -> str:
        """Where `Track.attributes` holds the value: the name, or "bar_<token type>_<bar>"."""
        return self.name if self.level == "track" else f"bar_{self.token_type}_{bar}"

    def value(self, score: Score, track: int, bar: int | None = None) -> int:
        """Measured and quantized."""
        return self.quantize(self.measure(score, track, bar))


def bars_in_scope(attribute: Attribute, track: Track, bar: int | None) -> list[Bar]:
    """The one bar a bar-level attribute looks at, or all bars of the track."""
    if attribute.level == "track" or bar is None:
        return track.bars
    return track.bars[bar : bar + 1]


def quantile(values: list[int], share: float) -> int:
    """The value below which about this share of the values lie; 0 of nothing."""
    if not values:
        return 0
    return sorted(values)[min(round(len(values) * share), len(values) - 1)]


LOW, HIGH = 0.15, 0.85  # the shares behind every "min" and "max" attribute


def share_of(mode: str) -> float:
    """The share that "min" and "max" stand for."""
    return LOW if mode == "min" else HIGH
