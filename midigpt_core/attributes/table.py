"""The table of controls an encoder knows, and the filling in of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from midigpt_core.attributes.base import Control
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

if TYPE_CHECKING:
    from midigpt_core.tokens.config import EncoderConfig

# Name in an encoder configuration's "attribute_controls" -> the control it makes.
CONTROLS: Mapping[str, Callable[..., Control]] = {
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

# Token type in a vocabulary -> the control it implies when "attribute_controls" does not speak of it.
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


def make_control(entry: Mapping[str, Any], where: str = "attribute_controls") -> Control:
    """The control for one entry {"name", "params", "revision"}. Raises EncoderConfigError naming what is wrong."""
    name = str(entry.get("name") if isinstance(entry, Mapping) else entry)
    if not isinstance(entry, Mapping) or name not in CONTROLS:
        raise EncoderConfigError(f"{where}: unknown control {name!r}; known: {', '.join(sorted(CONTROLS))}")
    params = entry.get("params", {})
    try:
        control = CONTROLS[name](**params)
    except TypeError as error:
        raise EncoderConfigError(f"{where}: {name!r} does not take params {params!r} ({error})") from error
    control.revision = entry.get("revision", 1)
    return control


def make_controls(type_names: Iterable[str], entries: Sequence[Mapping[str, Any]]) -> tuple[Control, ...]:
    """Controls implied by the token types, then replaced or joined by the entries; one per token type and name."""
    found: dict[str, Control] = {}
    for type_name in type_names:
        if type_name in IMPLIED:
            name, params = IMPLIED[type_name]
            found[type_name] = make_control({"name": name, "params": params})
    for i, entry in enumerate(entries):
        control = make_control(entry, f"attribute_controls[{i}]")
        found[control.token_type] = control
    return tuple({control.name: control for control in found.values()}.values())


@dataclass(frozen=True)
class AttributeTable:
    """The controls of one encoder, in order."""

    controls: tuple[Control, ...]

    @classmethod
    def from_config(cls, config: EncoderConfig) -> AttributeTable:
        """The controls an encoder configuration speaks of, in its token domains or in its attribute controls."""
        return cls(make_controls((t.value for t, _ in config.token_domains), config.attribute_controls))

    def get(self, name: str) -> Control | None:
        """The control of this name, or None."""
        return next((control for control in self.controls if control.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(control.name for control in self.controls)

    def track_values(self, score: Score, track: int, known: dict[str, int] | None = None) -> dict[str, int]:
        """{attribute key: value} of every track-level control that applies to the track.

        `known`, kept from track to track of one score, holds what is the same for all of them.
        """
        known = {} if known is None else known
        found = {}
        for control in self._measured(score, track, "track"):
            if control.whole:
                if control.name not in known:
                    known[control.name] = control.value(score, track)
                found[control.key()] = known[control.name]
            else:
                found[control.key()] = control.value(score, track)
        return found

    def bar_values(self, score: Score, track: int, bar: int) -> dict[str, int]:
        """{attribute key: value} of every bar-level control that applies to the track, for one bar."""
        return {c.key(bar): c.value(score, track, bar) for c in self._measured(score, track, "bar")}

    def values(self, score: Score, track: int, known: dict[str, int] | None = None) -> dict[str, int]:
        """{attribute key: value} of every control that applies, for the track and all of its bars."""
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

    def _measured(self, score: Score, track: int, level: str) -> list[Control]:
        part = score.tracks[track]
        return [c for c in self.controls if c.measured and c.level == level and c.applies_to(part)]
