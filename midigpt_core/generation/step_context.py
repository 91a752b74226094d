"""What a step knows of the piece and of its caller, found out once for all its lanes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from midigpt_core.chords import Change, changes_of
from midigpt_core.constraints.attribute_targets import AttributeTargets, attribute_targets
from midigpt_core.constraints.controls import borne_on
from midigpt_core.constraints.swing import Swing, swing_of
from midigpt_core.constraints.velocity import Loudness, loudness
from midigpt_core.echo.echo_constraint import Choice, Source
from midigpt_core.echo.mixture import Body, StyleBias
from midigpt_core.echo.sources import GRID, SourceFilter, Surroundings, choices, kept_bars
from midigpt_core.echo.style_prior import styles
from midigpt_core.harmony.band import band_of
from midigpt_core.harmony.bias import KnownBand
from midigpt_core.harmony.chord_bias import chord_band, fitting
from midigpt_core.plan.steps import Cell, Step
from midigpt_core.request import GenerationRequest, TrackPrompt
from midigpt_core.score import DRUM
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType
from midigpt_core.voices.leading import VoicePart, pairs_of

PITCH = TokenType.NOTE_ONSET
FITTING = 0.75  # share of its notes that a bar has in the chords of another that may repeat it
HARMONY = 1.5  # strength for a checkpoint made for an echo that does not speak of harmony


@dataclass(frozen=True)
class StepContext:
    """Each part is computed on first use and kept."""

    tokenizer: Tokenizer
    request: GenerationRequest
    step: Step
    cells: tuple[Cell, ...]  # (track, bar) of the score, in the order they are written
    around: Surroundings  # the piece, as far as the step may know it

    @cached_property
    def attribute_targets(self) -> AttributeTargets:
        """The attribute values the caller set for the cells."""
        prompts = {prompt.id: prompt for prompt in self.request.tracks}
        return attribute_targets(prompts, self.cells, self.tokenizer.attributes)

    @cached_property
    def repeatable(self) -> dict[int, Choice]:
        """Per cell, the bars of the piece that it may repeat."""
        prompts = {prompt.id: prompt for prompt in self.request.tracks}
        accepted = SourceFilter(self.around.score, prompts, self.tokenizer)
        found = choices(self.around, accepted, self._kept_bars, self.cells)
        return {place: self._within_chords(place, choice) for place, choice in found.items()}

    def _within_chords(self, place: int, choice: Choice) -> Choice:
        """Of a cell whose chords are given, the sources that keep to them."""
        if place not in self.chords:
            return choice
        track, chords = self.cells[place][0], self.chords[place]

        def keeps(source: Source) -> bool:
            if source.cell >= 0:
                return self.chords.get(source.cell) == chords
            return fitting(self.around.notes((track, source.bar)) or (), chords, GRID) >= FITTING

        return replace(choice, sources=tuple(filter(keeps, choice.sources)))

    @cached_property
    def otherwise(self) -> dict[int, Choice]:
        """What a further attempt may repeat: nothing equal to the bars that are being replaced."""
        found = {}
        for i, choice in self.repeatable.items():
            sources = (s for s in choice.sources if s.cell >= 0 or not self.around.gives_back(self.cells[i], s.bar))
            found[i] = replace(choice, sources=tuple(sources))
        return found

    @cached_property
    def styles(self) -> dict[int, StyleBias]:
        """Per cell, the style of its track."""
        callers = {cell: self.constrained(cell) for cell in self.cells}
        return styles(self.around.score, self._kept_bars, callers, self.tokenizer.vocabulary)

    @cached_property
    def chords(self) -> dict[int, tuple[Change, ...]]:
        """By place, the chords that the caller gives for melodic cells."""
        found, score = {}, self.around.score
        for place, cell in enumerate(self.cells):
            text = self._prompt(cell).controls_in(cell[1]).get("chords")
            if text is not None and score.tracks[cell[0]].track_type != DRUM and self.tokenizer.vocabulary.has(PITCH):
                quarters = score.tracks[cell[0]].bars[cell[1]].beat_length
                found[place] = changes_of(text, quarters, "chords")
        return found

    @cached_property
    def chord_bands(self) -> tuple[tuple[KnownBand, dict[int, Cell]], ...]:
        """Those who play these chords, by how strongly, each with the cells that hear them."""
        by_strength: dict[float, dict[int, Cell]] = {}
        for place in self.chords:
            track, bar = self.cells[place]
            strength = self._prompt((track, bar)).controls_in(bar).get("chord_strength", 1.0)
            by_strength.setdefault(float(strength), {})[place] = (track, bar)
        found = []
        for strength, cells in by_strength.items():
            given = {cell: self.chords[place] for place, cell in cells.items()}
            band = chord_band(self.around.score, self.step, given, self.tokenizer.config.resolution)
            found.append((KnownBand(band, strength), cells))
        return tuple(found)

    @cached_property
    def loudness(self) -> dict[Cell, Loudness]:
        """How loud the caller wants the notes of a cell, where that is said; heard in bars of the piece that stay."""
        found, score = {}, self.around.score
        for cell in self.cells:
            bars = score.tracks[cell[0]].bars
            controls = self._prompt(cell).controls_in(cell[1])
            if "velocity" in controls or "humanise" in controls:
                kept = [bar for i, bar in enumerate(bars) if (cell[0], i) not in self.around.unknown]
                level = loudness(controls, kept, score.resolution)
                found.update({cell: level} if level is not None else {})
        return found

    def swing(self, cell: Cell) -> Swing | None:
        """How late the caller wants the notes of a cell, where that is said."""
        return swing_of(self._prompt(cell).controls_in(cell[1]), self.around.score.tracks[cell[0]].bars[cell[1]])

    def _prompt(self, cell: Cell) -> TrackPrompt:
        return next(prompt for prompt in self.request.tracks if prompt.id == cell[0])

    @cached_property
    def voice_pairs(self) -> tuple[tuple[VoicePart, VoicePart], ...]:
        """The voices that must not move in parallel, where the caller asks for that."""
        return pairs_of(self.around.score, self.cells) if self.request.config.voice_leading else ()

    @cached_property
    def tonal(self) -> dict[int, Cell]:
        """The cells, by place, whose pitches are to fit the other tracks: melodic ones that the caller left free."""
        if harmony_strength(self.tokenizer, self.request) <= 0 or not self.tokenizer.vocabulary.has(PITCH):
            return {}
        tracks = self.around.score.tracks
        free = {i: c for i, c in enumerate(self.cells) if PITCH not in self.constrained(c) and i not in self.chords}
        return {i: cell for i, cell in free.items() if tracks[cell[0]].track_type != DRUM}

    @cached_property
    def band(self) -> KnownBand:
        """What the other tracks play, for all lanes."""
        around, resolution = self.around, self.tokenizer.config.resolution
        band = band_of(around.score, self.step, around.tracks, around.unknown, resolution)
        return KnownBand(band, harmony_strength(self.tokenizer, self.request))

    def constrained(self, cell: Cell) -> frozenset[TokenType]:
        """The token types of a cell that the caller constrains."""
        return self.attribute_targets.kinds(cell) | borne_on(self._prompt(cell).controls_in(cell[1]))

    @cached_property
    def _kept_bars(self) -> dict[int, dict[int, Body]]:
        """The bars that stay of the tracks that are written, by track and bar, as tokens."""
        velocity, microtiming = switch(self.request, "velocity"), switch(self.request, "microtiming")
        options = EncodeOptions(window_bars=self.step.n_bars, use_velocity=velocity, use_microtiming=microtiming)
        return kept_bars(self.around, self.cells, self.tokenizer, options)


def switch(request: GenerationRequest, name: str) -> int:
    """1 or 0 for a control of the piece that is on or off; -1 where it is not said."""
    return int(request.controls[name]) if name in request.controls else -1


def echo_strength(tokenizer: Tokenizer, request: GenerationRequest) -> float:
    """Strength of the echo: as requested, else the checkpoint's recommendation."""
    strength = request.config.echo
    return strength if strength >= 0 else tokenizer.config.echo


def harmony_strength(tokenizer: Tokenizer, request: GenerationRequest) -> float:
    """Strength of the harmony: as requested, else the checkpoint's recommendation, else HARMONY where it recommends
    an echo."""
    strength, config = request.config.harmony, tokenizer.config
    if strength >= 0:
        return strength
    return config.harmony if config.harmony is not None else HARMONY if config.echo else 0.0
