"""Attribute targets of the written bars: how far an attempt is from them, and the constraints that help to meet them.

The model reads attribute values as tokens and follows them as well as it has learnt to. On top of that, what can be
enforced note by note becomes a constraint for the sampler (notes per bar, pitch range, key), and of several candidates
per step the closest match is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil

import numpy as np

from midigpt_core.attributes import AttributeTable
from midigpt_core.attributes.base import Attribute
from midigpt_core.attributes.key_signature import NO_KEY, KeySignature
from midigpt_core.attributes.note_density import NoteDensityQuantile, density_class
from midigpt_core.attributes.note_duration import DURATION_NAMES, NoteDurationQuantile
from midigpt_core.attributes.pitch_class_set import PitchClassSet
from midigpt_core.attributes.pitch_range import PitchRange
from midigpt_core.attributes.polyphony import PolyphonyQuantile
from midigpt_core.attributes.silence import SilenceProportion
from midigpt_core.constraints.attribute_limits import Bounds, Chords, Classes, Count, Cover, Key, Lengths, PitchSpan
from midigpt_core.constraints.masks import Allowed, AllowedTokens, Constraint
from midigpt_core.music import MAJOR_PROFILE, MINOR_PROFILE
from midigpt_core.plan.steps import Cell
from midigpt_core.request import TrackPrompt
from midigpt_core.score import DRUM, Score, Track
from midigpt_core.tokens.drum_hits import usual_hit
from midigpt_core.tokens.grid import grid_ticks, nearest_tick, to_grid
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary

MOST_NOTES = 256  # of a bar
LONGEST = 1 << 16  # ticks of a note
NOWHERE: Mapping[int, Allowed] = {}
BEARS_ON: tuple[tuple[type[Attribute], frozenset[TokenType]], ...] = (  # what a target is about, in tokens of a note
    (NoteDensityQuantile, frozenset({TokenType.TIME_ABSOLUTE_POS})),
    (SilenceProportion, frozenset({TokenType.TIME_ABSOLUTE_POS, TokenType.NOTE_DURATION})),
    (NoteDurationQuantile, frozenset({TokenType.NOTE_DURATION})),
    (PitchRange, frozenset({TokenType.NOTE_ONSET})),
    (PitchClassSet, frozenset({TokenType.NOTE_ONSET})),
    (KeySignature, frozenset({TokenType.NOTE_ONSET})),
)
MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10, 11)  # the minor one with both sevenths


@dataclass(frozen=True)
class AttributeTarget:
    """A target value for bars of one track: all that a step writes there, or a single one."""

    attribute: Attribute
    value: int
    track: int
    bars: tuple[int, ...]

    def level(self, score: Score, tokenizer: Tokenizer) -> int:
        """What the attribute measures on these bars of the score, and nothing else."""
        track = score.tracks[self.track]
        alone = Score([replace(track, bars=[track.bars[b] for b in self.bars], attributes={})], score.resolution)
        return self.attribute.value(to_grid(alone, tokenizer.config), 0, None if self.attribute.level == "track" else 0)

    def near(self, level: int) -> bool:
        """Whether a measured level meets the target, give or take one where levels are ordered."""
        return abs(level - self.value) <= int(self.attribute.ordered)

    def distance(self, level: int) -> float:
        """Distance of a measured level from the target, as a share of the scale."""
        return abs(level - self.value) / self.attribute.size if self.attribute.ordered else float(level != self.value)


@dataclass(frozen=True)
class AttributeTargets:
    """Every target of a step."""

    targets: tuple[AttributeTarget, ...]

    def distance(self, score: Score, tokenizer: Tokenizer) -> float:
        """Distance of the written bars of a score from all targets; 0: all are met."""
        return sum(target.distance(target.level(score, tokenizer)) for target in self.targets)

    def kinds(self, cell: Cell) -> frozenset[TokenType]:
        """The token types that the targets of a cell concern."""
        here = [target.attribute for target in self.targets if target.track == cell[0] and cell[1] in target.bars]
        return frozenset().union(*(kinds for attribute in here for of, kinds in BEARS_ON if isinstance(attribute, of)))

    def free(self, track: int) -> bool:
        """Whether no target asks for few pitches on a track."""
        few = (PitchRange, PitchClassSet)
        return not any(target.track == track and isinstance(target.attribute, few) for target in self.targets)

    def constraints(
        self, vocabulary: Vocabulary, cells: Sequence[Cell], score: Score, within: Mapping[int, Allowed] = NOWHERE
    ) -> list[Constraint]:
        """What the sampler can see to; `cells`: (track, bar) of the score, in the order they are written; `within`:
        the tokens that a pitch control leaves, by place among them."""
        help = _Builder(vocabulary, score, within)
        for target in self.targets:
            for place, (track, bar) in enumerate(cells):
                if track == target.track and bar in target.bars:
                    quarters = score.tracks[track].bars[bar].beat_length
                    help.add(target, place, grid_ticks(quarters, vocabulary.config.resolution))
        return help.constraints()


@dataclass
class _Builder:
    """The constraints for the targets of a step, as they are put together; every table is by cell."""

    vocabulary: Vocabulary
    score: Score
    within: Mapping[int, Allowed]
    counts: dict[int, Bounds] = field(default_factory=dict)
    covers: dict[int, Bounds] = field(default_factory=dict)
    hits: dict[int, int] = field(default_factory=dict)
    chords: dict[int, tuple[int, int]] = field(default_factory=dict)
    lengths: dict[int, tuple[range, tuple[range, ...]]] = field(default_factory=dict)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    classes: dict[int, tuple[int, int]] = field(default_factory=dict)
    keys: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, target: AttributeTarget, cell: int, ticks: int) -> None:
        """Take up a target for a cell of so many ticks, where there is a constraint for it."""
        track, value = self.score.tracks[target.track], target.value
        match target.attribute:
            case NoteDensityQuantile():
                self.counts[cell] = Bounds(*notes_of(track, value), ticks)
            case SilenceProportion(revision=2):
                if track.track_type == DRUM:
                    self.hits[cell] = self._hit(track)
                most, least = ticks - ceil(value * ticks / 10), ticks - ceil((value + 1) * ticks / 10) + 1
                self.covers[cell] = Bounds(max(1, least), max(1, most), ticks)
            case PolyphonyQuantile(mode=mode):
                fewest, most = self.chords.get(cell, (1, target.attribute.size))
                voices = value + 1
                self.chords[cell] = (voices, max(most, voices)) if mode == "min" else (min(fewest, voices), voices)
            case NoteDurationQuantile(mode=mode):
                self._add_lengths(cell, mode, value)
            case PitchRange():
                self.spans[cell] = (target.track, value)
            case PitchClassSet(level=level):
                group = cell if level == "bar" else -2 - target.track  # apart from every cell
                self.classes[cell] = (group, max(1, value))
            case KeySignature() if value != NO_KEY:
                self.keys[cell] = (target.track, value)

    def _hit(self, track: Track) -> int:
        """Ticks of the grid that a written drum hit sounds: as long as the track's own."""
        return max(1, nearest_tick(usual_hit(track) or 1, self.score.resolution, self.vocabulary.config.resolution))

    def _add_lengths(self, cell: int, mode: str, level: int) -> None:
        resolution = self.vocabulary.config.resolution
        first = ceil(2 ** (level - 3) * resolution) if level else 1
        after = ceil(2 ** (level - 2) * resolution) if level < len(DURATION_NAMES) - 1 else LONGEST
        may, wanted = self.lengths.get(cell, (range(1, LONGEST), ()))
        may = range(first, may.stop) if mode == "min" else range(may.start, after)
        self.lengths[cell] = (may, (*wanted, range(first, after)))

    def constraints(self) -> list[Constraint]:
        """One constraint per kind of target that there is."""
        tables = (
            (PitchSpan, self.spans),
            (Classes, self.classes),
            (Count, self.counts),
            (partial(Cover, hits=self.hits), self.covers),
            (Chords, self.chords),
            (Lengths, self.lengths),
        )
        constraints: list[Constraint] = [constraint(self.vocabulary, table) for constraint, table in tables if table]  # type: ignore[arg-type]
        return [*(_in_keys(self.vocabulary, self.keys, self.within) if self.keys else []), *constraints]


def attribute_targets(
    prompts: Mapping[int, TrackPrompt], cells: Sequence[Cell], table: AttributeTable
) -> AttributeTargets:
    """What prompts (by track) ask of the cells that a step writes, as far as notes can tell whether it was done."""
    found = []
    for track in sorted({track for track, _ in cells}):
        bars = tuple(sorted(bar for t, bar in cells if t == track))
        asked = [(name, value, bars) for name, value in prompts[track].attributes.items()]
        for bar in bars:
            asked += [(name, value, (bar,)) for name, value in prompts[track].bar_attributes.get(bar, {}).items()]
        for name, value, where in asked:
            attribute = table.get(name)
            if attribute is not None and attribute.measured:
                found.append(AttributeTarget(attribute, value, track, where))
    return AttributeTargets(tuple(found))


def notes_of(track: Track, level: int) -> tuple[int, int]:
    """(fewest, most) notes of a bar of this density, or of the nearest one the instrument has."""
    levels = [density_class(track, notes) for notes in range(1, MOST_NOTES + 1)]
    nearest = min(levels, key=lambda found: abs(found - level))
    return levels.index(nearest) + 1, len(levels) - levels[::-1].index(nearest)


def _in_keys(
    vocabulary: Vocabulary, keys: Mapping[int, tuple[int, int]], within: Mapping[int, Allowed]
) -> list[Constraint]:
    """Only notes of the key, where the caller's pitches leave any, and rather those that tell it from others; `keys`
    (track, key) and `within` are by cell."""
    pinned = {}
    start, end = vocabulary.range(TokenType.NOTE_ONSET)
    for cell, (_, key) in keys.items():
        allowed = np.ones(vocabulary.size, np.bool_)
        allowed[start:end] = np.isin((np.arange(end - start) - key) % 12, MAJOR_SCALE if key < 12 else MINOR_SCALE)
        if cell not in within or (allowed & within[cell])[start:end].any():
            pinned[cell] = allowed
    profiles = np.array([np.roll(profile, key) for profile in (MAJOR_PROFILE, MINOR_PROFILE) for key in range(12)])
    return [AllowedTokens(pinned, "key"), Key(vocabulary, keys, profiles)]
