"""The table of attributes an encoder knows, and the filling in of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from midigpt_core.attributes.base import Attribute
from midigpt_core.attributes.duration_distribution import NoteDurationDistribution
from midigpt_core.attributes.key_signature import KeySignature
from midigpt_core.attributes.nomml import Nomml
from midigpt_core.attributes.note_density import NoteDensity, NoteDensityQuantile
from midigpt_core.attributes.note_duration import NoteDurationQuantile
from midigpt_core.attributes.pitch_class_set import PitchClassSet
from midigpt_core.attributes.pitch_range import PitchRange
from midigpt_core.attributes.polyphony import OnsetPolyphony, PolyphonyQuantile
from midigpt_core.attributes.silence import SilenceProportion
from midigpt_core.attributes.tension import Tension, TensionDrum
from midigpt_core.errors import EncoderConfigError
from midigpt_core.score import Score

# Name in an encoder configuration's "attribute_controls" -> the attribute it makes.
ATTRIBUTES: Mapping[str, Callable[..., Attribute]] = {
    "note_density": NoteDensity,
    "onset_polyphony": OnsetPolyphony,
    "pitch_range": PitchRange,
    "key_signature": KeySignature,
    "note_duration_dist": NoteDurationDistribution,
    "silence_proportion": SilenceProportion,
    "pitch_class_set": PitchClassSet,
    "note_density_quantile": NoteDensityQuantile,
    "polyphony_quantile": PolyphonyQuantile,
    "note_duration_quantile": NoteDurationQuantile,
    "tension": Tension,
    "tension_drum": TensionDrum,
    "nomml": Nomml,
}

# Token type in a vocabulary -> the attribute it implies when "attribute_controls" does not speak of it.
IMPLIED: Mapping[str, tuple[str, dict[str, str]]] = {
    "MinPolyphony": ("polyphony_quantile", {"mode": "min"}),
    "MaxPolyphony": ("polyphony_quantile", {"mode": "max"}),
    "MinNoteDuration": ("note_duration_quantile", {"mode": "min"}),
    "MaxNoteDuration": ("note_duration_quantile", {"mode": "max"}),
    "NoteDensity": ("note_density_quantile", {}),
    "TrackLevelSilenceProportionMax": ("silence_proportion", {}),
    "TrackLevelPitchRangeMax": ("pitch_range", {}),
    "KeySignature": ("key_signature", {}),
    "BarLevelPitchClassSet": ("pitch_class_set", {}),
    "BarLevelOnsetDensity": ("note_density_quantile", {"level": "bar"}),
    "BarLevelOnsetPolyphonyMin": ("polyphony_quantile", {"mode": "min", "level": "bar"}),
    "BarLevelOnsetPolyphonyMax": ("polyphony_quantile", {"mode": "max", "level": "bar"}),
    "Tension": ("tension", {}),
    "TensionDrum": ("tension_drum", {}),
    "TrackLevelNomml": ("nomml", {}),
}


def make_attribute(entry: Mapping[str, Any], where: str = "attribute_controls") -> Attribute:
    """The attribute for one entry {"name", "params", "revision"}. Raises EncoderConfigError naming what is wrong."""
    name = str(entry.get("name") if isinstance(entry, Mapping) else entry)
    if not isinstance(entry, Mapping) or name not in ATTRIBUTES:
        raise EncoderConfigError(f"{where}: unknown attribute {name!r}; known: {', '.join(sorted(ATTRIBUTES))}")
    params = entry.get("params", {})
    try:
        attribute = ATTRIBUTES[name](**params)
    except TypeError as error:
        raise EncoderConfigError(f"{where}: {name!r} does not take params {params!r} ({error})") from error
    attribute.revision = entry.get("revision", 1)
    return attribute


def make_attributes(type_names: Iterable[str], entries: Sequence[Mapping[str, Any]]) -> tuple[Attribute, ...]:
    """Controls implied by the token types, then replaced or joined by the entries; one per token type and name."""
    found: dict[str, Attribute] = {}
    for type_name in type_names:
        if type_name in IMPLIED:
            name, params = IMPLIED[type_name]
            found[type_name] = make_attribute({"name": name, "params": params})
    for i, entry in enumerate(entries):
        attribute = make_attribute(entry, f"attribute_controls[{i}]")
        found[attribute.token_type] = attribute
    return tuple({attribute.name: attribute for attribute in found.values()}.values())


class NamesAttributes(Protocol):
    """The part of an encoder configuration that says which attributes it has."""

    @property
    def token_domains(self) -> Sequence[tuple[Any, int]]: ...  # (token type, number of values)

    @property
    def attribute_controls(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True)
class AttributeTable:
    """The attributes of one encoder, in order."""

    attributes: tuple[Attribute, ...]

    @classmethod
    def from_config(cls, config: NamesAttributes) -> AttributeTable:
        """The attributes of an encoder configuration, from its token domains and its "attribute_controls"."""
        return cls(make_attributes((t.value for t, _ in config.token_domains), config.attribute_controls))

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self.attributes)

    def get(self, name: str) -> Attribute | None:
        """The attribute of this name, or None."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    def attribute_sizes(self) -> dict[str, int]:
        """How many values each attribute has, by name."""
        return {attribute.name: attribute.size for attribute in self}

    def attribute_levels(self) -> dict[str, str]:
        """ "track" or "bar" for each attribute, by name."""
        return {attribute.name: attribute.level for attribute in self}

    def track_values(self, score: Score, track: int, known: dict[str, int] | None = None) -> dict[str, int]:
        """{attribute key: value} of every track-level attribute that applies to the track.

        `known`, kept from track to track of one score, holds what is the same for all of them.
        """
        known = {} if known is None else known
        found = {}
        for attribute in self._measured(score, track, "track"):
            if attribute.whole:
                if attribute.name not in known:
                    known[attribute.name] = attribute.value(score, track)
                found[attribute.key()] = known[attribute.name]
            else:
                found[attribute.key()] = attribute.value(score, track)
        return found

    def bar_values(self, score: Score, track: int, bar: int) -> dict[str, int]:
        """{attribute key: value} of every bar-level attribute that applies to the track, for one bar."""
        return {c.key(bar): c.value(score, track, bar) for c in self._measured(score, track, "bar")}

    def values(self, score: Score, track: int, known: dict[str, int] | None = None) -> dict[str, int]:
        """{attribute key: value} of every attribute that applies, for the track and all of its bars."""
        found = self.track_values(score, track, known)
        for bar in range(len(score.tracks[track].bars)):
            found.update(self.bar_values(score, track, bar))
        return found

    def annotate(self, score: Score) -> Score:
        """A copy of the score with every value measured into `Track.attributes`; bars are shared, not copied."""
        known: dict[str, int] = {}
        tracks = [
            replace(track, attributes={**track.attributes, **self.values(score, i, known)})
            for i, track in enumerate(score.tracks)
        ]
        return replace(score, tracks=tracks)

    def _measured(self, score: Score, track: int, level: str) -> list[Attribute]:
        part = score.tracks[track]
        return [c for c in self.attributes if c.measured and c.level == level and c.applies_to(part)]
