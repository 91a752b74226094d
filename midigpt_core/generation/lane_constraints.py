"""Build the constraints of one lane of a step: what its caller prefers among the legal tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from midigpt_core.constraints.avoid_original import Depart, places_to_leave
from midigpt_core.constraints.control import Scene
from midigpt_core.constraints.controls import CONTROLS
from midigpt_core.constraints.masks import Allowed, AllowedTokens, Constraint, NoRepeat, Opening, Scheduled
from midigpt_core.constraints.partial_change import partly_kept
from midigpt_core.echo.echo_constraint import Echo
from midigpt_core.generation.step_context import echo_strength
from midigpt_core.generation.step_prompt import StepPrompt, from_nothing, requested_attributes
from midigpt_core.generation.voice_constraints import voice_constraints
from midigpt_core.harmony.bias import Harmony
from midigpt_core.harmony.chord_bias import CHORD_WEIGHTS
from midigpt_core.request import TrackPrompt
from midigpt_core.score import Bar, Score
from midigpt_core.tokens.encode import BAR_ATTRIBUTES, TRACK_ATTRIBUTES
from midigpt_core.tokens.types import TokenType

FOR_PITCHES = ("pitch_mask", "keep_range")  # controls whose pitches hold for schedules too
KEEPS_RHYTHM = "rhythm_lock"  # the one schedule that leaves room for keeping some of the notes
LESS_READILY = 4.0  # factor by which an attempt's echo is weaker than that of the one before


def build_constraints(
    step: StepPrompt, seed: int, attempt: int = 1, stood: Sequence[Bar] = ()
) -> tuple[Constraint, ...]:
    """The constraints for one lane, fresh. Every further attempt repeats the piece less readily.

    stood: the bars that it keeps part of, one per cell.
    """
    prompts = {prompt.id: prompt for prompt in step.request.tracks}
    controls, pitches = _of_controls(step, prompts, seed)
    targets = step.known.attribute_targets.constraints(
        step.tokenizer.vocabulary, step.cells, step.known.around.score, pitches
    )
    given = {cell: each.name for each in controls if isinstance(each, Scheduled) for cell in each.by_cell}
    bound = {cell for cell, name in given.items() if name != KEEPS_RHYTHM}
    kept = _partly_kept(step, stood, bound, pitches, seed)
    scheduled = set(given).union(*(each.by_cell for each in kept))
    own = [*_opening(step, prompts), *_no_repeat(step, prompts), *_depart(step, seed, attempt)]
    return (
        *controls,
        *kept,
        *own,
        *targets,
        *_echo(step, scheduled, attempt),
        *_harmony(step),
        *_chords(step),
        *voice_constraints(step),
    )


def _partly_kept(
    step: StepPrompt, stood: Sequence[Bar], bound: Collection[int], within: Mapping[int, Allowed], seed: int
) -> list[Scheduled]:
    """For a candidate that keeps part of what stood there: the notes that stay. Not where a control gives a rhythm."""
    bars = {cell: bar for cell, bar in enumerate(stood) if bar.notes and cell not in bound}
    if not bars or step.step.autoregressive:
        return []
    low, high = step.request.config.distance
    return [partly_kept(step.tokenizer.vocabulary, bars, (low, high), seed, within)]


def _of_controls(
    step: StepPrompt, prompts: Mapping[int, TrackPrompt], seed: int
) -> tuple[list[Constraint], Mapping[int, Allowed]]:
    """Those of the request's `controls`, and the tokens a pitch mask leaves by cell: schedules keep within them."""
    originals = tuple(step.originals.tracks[track].bars[bar] for track, bar in step.local_cells)
    kept = {step.tracks[i]: [bar for bar in track.bars if bar.notes] for i, track in enumerate(step.window.tracks)}
    scene = Scene(step.tokenizer.vocabulary, originals, seed, step.cells, prompts, kept, step.known.around.score)
    controls = [prompts[track].controls_in(bar) for track, bar in step.cells]
    found: list[Constraint] = []
    for name, control in sorted(CONTROLS.items(), key=lambda row: row[0] not in FOR_PITCHES):
        values = {i: held[name] for i, held in enumerate(controls) if name in held}
        made = control.constraints(values, scene) if values else []
        for masks in (each.by_cell for each in made if name in FOR_PITCHES and isinstance(each, AllowedTokens)):
            both = {i: scene.within[i] & mask if i in scene.within else mask for i, mask in masks.items()}
            scene = replace(scene, within={**scene.within, **both})
        found += made
    return found, scene.within


def _no_repeat(step: StepPrompt, prompts: Mapping[int, TrackPrompt]) -> list[Constraint]:
    usual = step.request.config.no_repeat_ngram
    lengths = [prompts[track].controls_in(bar).get("no_repeat_ngram", usual) for track, bar in step.cells]
    if not any(lengths):
        return []
    context = _context_pitches(step.window)
    by_cell = {i: context[track] for i, (track, _) in enumerate(step.local_cells)}
    return [
        NoRepeat(step.tokenizer.vocabulary, n, {i: by_cell[i] for i in by_cell if lengths[i] == n})
        for n in sorted({*lengths} - {0})
    ]


def _depart(step: StepPrompt, seed: int, attempt: int) -> list[Constraint]:
    """After an attempt that may not be what stood there, others that cannot be."""
    config = step.request.config
    if attempt == 1 or not config.novelty_check or "original" not in (config.novelty_against or ["original"]):
        return []
    originals = [step.originals.tracks[track].bars[bar] for track, bar in step.local_cells]
    places = places_to_leave(originals, config.novelty_threshold, attempt, seed)
    return [Depart(step.tokenizer.vocabulary, places)]


def _echo(step: StepPrompt, scheduled: set[int], attempt: int) -> list[Constraint]:
    """The echo, but for cells whose rhythm is given."""
    strength = echo_strength(step.tokenizer, step.request) / LESS_READILY ** (attempt - 1)
    if strength <= 0:
        return []
    known = step.known.repeatable if attempt == 1 else step.known.otherwise
    free = {cell: choice for cell, choice in known.items() if cell not in scheduled}
    return [Echo(step.tokenizer.vocabulary, free, strength, step.known.styles)]


def _harmony(step: StepPrompt) -> list[Constraint]:
    tonal = step.known.tonal
    if not tonal:
        return []
    together = len({track for track, _ in tonal.values()}) > 1
    return [Harmony(step.tokenizer.vocabulary, step.known.band, tonal, listening=together)]


def _chords(step: StepPrompt) -> list[Constraint]:
    """The same for cells whose chords are given, once per strength."""
    vocabulary = step.tokenizer.vocabulary
    return [
        Harmony(vocabulary, band, cells, weights=CHORD_WEIGHTS, listening=False, name="chords")
        for band, cells in step.known.chord_bands
    ]


def _opening(prompt: StepPrompt, prompts: Mapping[int, TrackPrompt]) -> list[Constraint]:
    """Control tokens the model writes itself (autoregressive): the caller's values are pinned where they come up."""
    if not prompt.step.autoregressive:
        return []
    vocabulary, step = prompt.tokenizer.vocabulary, prompt.step
    values = requested_attributes(prompts[prompt.cells[0][0]], step, prompt.tokenizer)
    head = {kind: values[key] for key, kind in TRACK_ATTRIBUTES if key in values and from_nothing(step)}
    by_cell: dict[int, dict[TokenType, int]] = {}
    for cell, (_, bar) in enumerate(prompt.local_cells):
        by_cell[cell] = {kind: values[f"bar_{n}_{bar}"] for n, kind in BAR_ATTRIBUTES if f"bar_{n}_{bar}" in values}
    free = not prompt.tokenizer.config.optional_controls
    return [Opening(vocabulary, head, by_cell, free)]


def _context_pitches(window: Score) -> list[list[int]]:
    """Per track, the pitches of the bars that stay, in the order they are written."""
    return [
        [n.pitch for bar in track.bars for n in sorted(bar.notes, key=lambda n: (n.onset_ticks, n.pitch))]
        for track in window.tracks
    ]
