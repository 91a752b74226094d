"""Turn one step of a request into what the model reads and what it may write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from midigpt_core.constraints.controls import signature_of
from midigpt_core.echo.sources import Surroundings
from midigpt_core.generation.step_context import StepContext, switch
from midigpt_core.plan.cut_paste import cut, kept_notes
from midigpt_core.plan.steps import Cell, Step
from midigpt_core.request import GenerationRequest, TrackPrompt
from midigpt_core.sampling.lane import Prompt
from midigpt_core.score import DRUM, Bar, Note, Score, Track
from midigpt_core.tokens import kernels
from midigpt_core.tokens.drum_hits import hit_ticks
from midigpt_core.tokens.encode import EncodeOptions
from midigpt_core.tokens.grammar import Grammar, GrammarOptions
from midigpt_core.tokens.grid import to_grid, with_listed_metres
from midigpt_core.tokens.targets import TargetBar, targets_in
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType


@dataclass(frozen=True)
class StepPrompt:
    """One step, ready for lanes: every lane of it reads `prompt` and writes the bars of `cells`, in that order."""

    tokenizer: Tokenizer
    request: GenerationRequest
    step: Step
    prompt: Prompt
    uncontrolled: Prompt | None  # without the caller's control tokens, where guidance is on
    tracks: tuple[int, ...]  # the score's tracks in the order the prompt has them
    cells: tuple[Cell, ...]  # (track, bar) of the score, in the order they are written
    originals: Score  # the window as it was, on the grid, tracks in the prompt's order
    window: Score  # the window as the model sees it, on the grid, targets empty
    first: Grammar  # primed with the prompt
    known: StepContext  # of the piece around, and of what the caller asks

    @property
    def drums(self) -> tuple[bool, ...]:
        """Per cell, whether it is on a drum track."""
        return tuple(self.window.tracks[track].track_type == DRUM for track, _ in self.local_cells)

    @property
    def local_cells(self) -> tuple[Cell, ...]:
        """The cells counted from the window's first track and bar."""
        place = {track: i for i, track in enumerate(self.tracks)}
        return tuple((place[track], bar - self.step.start_bar) for track, bar in self.cells)

    def grammar(self, n_positions: int = 0) -> Grammar:
        """A grammar that has read the prompt, for one lane; it ends every bar before the model's positions run out."""
        grammar = self.first.copy()
        grammar.options = replace(grammar.options, max_tokens=max(0, n_positions - len(self.prompt.tokens)))
        return grammar

    def window_of(self, written: Mapping[Cell, Sequence[Note]], score: Score) -> Score:
        """The written notes as a window that `paste` takes: tracks as in the score, notes in its resolution."""
        tracks = [Track()] * len(score.tracks)
        for track in {track for track, _ in written}:
            tracks[track] = Track(bars=[Bar() for _ in range(self.step.n_bars)])
        for (track, bar), notes in written.items():
            tracks[track].bars[bar - self.step.start_bar].notes = list(notes)
        return Score(tracks=tracks, resolution=score.resolution)


def prepare_step(
    tokenizer: Tokenizer, score: Score, step: Step, request: GenerationRequest, left_out: Collection[int]
) -> StepPrompt:
    """Cut the step's window, hide what is to be hidden, and write its prompt. `left_out` tracks are not shown."""
    prompts = {prompt.id: prompt for prompt in request.tracks}
    tracks = _order(score, step, left_out)
    part = cut(score, step, _hidden(score, step, prompts), tracks)
    part = replace(part, tracks=[replace(track, attributes={}) for track in part.tracks])
    cells = tuple(sorted(step.cells, key=lambda cell: (tracks.index(cell[0]), cell[1])))
    local = frozenset((tracks.index(track), bar - step.start_bar) for track, bar in cells)
    originals = to_grid(part, tokenizer.config)
    shown = _shown_metres(
        with_listed_metres(_emptied(originals, local), tokenizer.config), step, tracks, prompts, tokenizer
    )
    requested = [requested_attributes(prompts[t], step, tokenizer) for t in tracks]
    measured = _measured(tokenizer, shown, originals, local, request)
    controlled = _with_attributes(shown, [{**m, **a} for m, a in zip(measured, requested, strict=True)], step)
    prompt, window_prompt = _write(tokenizer, controlled, step, local, request), None
    if request.config.guidance != 1.0 and any(requested):
        window_prompt = _write(tokenizer, _with_attributes(shown, measured, step), step, local, request)
    sounding, hits = {}, {}
    if _limits_polyphony(request):
        sounding, hits = _sounding(score, step, tracks, tokenizer), hit_ticks(score, tracks, tokenizer)
    true = _true_lengths(shown, part)
    targets = targets_in(true, local, tokenizer.vocabulary, step.autoregressive, sounding, hits)
    targets = replace(targets, bars=_with_limits(targets.bars, cells, prompts))
    grammar = Grammar(tokenizer.vocabulary, targets, _limits(request)).prime(prompt.tokens)
    around = Surroundings(score, _unknown(step, prompts), tracks)
    known = StepContext(tokenizer, request, step, cells, around)
    return StepPrompt(tokenizer, request, step, prompt, window_prompt, tracks, cells, originals, shown, grammar, known)


def _order(score: Score, step: Step, left_out: Collection[int]) -> tuple[int, ...]:
    """Tracks as the prompt has them: an autoregressive step ends on the track it continues."""
    targets = {track for track, _ in step.cells}
    kept = [t for t in range(len(score.tracks)) if t not in left_out or t in targets]
    if step.autoregressive:
        kept = [t for t in kept if t not in targets] + sorted(targets)
    return tuple(kept)


def _hidden(score: Score, step: Step, prompts: Mapping[int, TrackPrompt]) -> set[Cell]:
    masked = {(track, bar) for track, prompt in prompts.items() for bar in prompt.mask_bars}
    return (masked | set(step.pending)) - set(step.cells)


def _unknown(step: Step, prompts: Mapping[int, TrackPrompt]) -> set[Cell]:
    """Cells whose notes nothing may be learnt from: hidden ones, and those that this step or a later one writes."""
    masked = {(track, bar) for track, prompt in prompts.items() for bar in prompt.mask_bars}
    targets = {(track, bar) for track, prompt in prompts.items() for bar in prompt.bars}
    outside = {cell for cell in targets if not step.start_bar <= cell[1] < step.end_bar}  # perhaps written, perhaps not
    return masked | outside | step.cells | step.pending


def _emptied(score: Score, cells: Collection[Cell]) -> Score:
    """Without the notes of the cells and of hidden bars: nothing measured on them can reach the prompt."""
    tracks = []
    for t, track in enumerate(score.tracks):
        bars = [
            replace(bar, notes=[], future=bar.future and (t, b) not in cells) if bar.future or (t, b) in cells else bar
            for b, bar in enumerate(track.bars)
        ]
        tracks.append(replace(track, bars=bars))
    return replace(score, tracks=tracks)


def _shown_metres(
    window: Score, step: Step, tracks: Sequence[int], prompts: Mapping[int, TrackPrompt], tokenizer: Tokenizer
) -> Score:
    """The window with the metres that time_signature controls show to the model."""
    shown = []
    for number, track in zip(tracks, window.tracks, strict=True):
        prompt, bars = prompts[number], list(track.bars)
        for b in range(len(bars)):
            place = step.start_bar + b
            metre = prompt.controls_in(place).get("time_signature")
            if metre is not None and (number, place) in step.cells:
                numerator, denominator = signature_of(metre, "time_signature", tokenizer.config)
                bars[b] = replace(bars[b], ts_numerator=numerator, ts_denominator=denominator)
        shown.append(replace(track, bars=bars))
    return replace(window, tracks=shown)


# ---- control tokens ----


def requested_attributes(prompt: TrackPrompt, step: Step, tokenizer: Tokenizer) -> dict[str, int]:
    """The caller's control values, by the key the encoder reads them under (bars counted from the window's first).

    What is asked of the track is meant for the bars that are written: a model that does without controls is told so
    bar by bar too, where there is such a control.
    """
    by_key = dict(prompt.attributes)
    if tokenizer.config.optional_controls:
        for name, value in prompt.attributes.items():
            control = tokenizer.attributes.get(f"bar_{name}")
            bars = [bar for track, bar in step.cells if track == prompt.id]
            by_key.update({control.key(bar - step.start_bar): value for bar in bars} if control is not None else {})
    for bar, values in prompt.bar_attributes.items():
        if step.start_bar <= bar < step.end_bar:
            for name, value in values.items():
                control = tokenizer.attributes.get(name)
                if control is not None:
                    by_key[control.key(bar - step.start_bar)] = value
    return by_key


def _measured(
    tokenizer: Tokenizer, shown: Score, originals: Score, cells: Collection[Cell], request: GenerationRequest
) -> list[dict[str, int]]:
    """Attributes the caller did not set, per track: none where the checkpoint does without them, else measured on the
    bars that stay (or, with attribute_source "original", on the bars to be replaced too)."""
    if tokenizer.config.optional_controls:
        return [{} for _ in shown.tracks]
    table = tokenizer.attributes
    if request.config.attribute_source == "original":
        return [table.values(originals, t) for t in range(len(shown.tracks))]
    measured = []
    for t, track in enumerate(shown.tracks):
        sounding = [b for b, bar in enumerate(track.bars) if bar.notes]
        values = table.values(shown, t) if sounding else {}
        for b in (bar for number, bar in cells if number == t and sounding):
            nearest = min(sounding, key=lambda other: (abs(other - b), other))
            for control in table:
                if control.level == "bar" and control.key(nearest) in values:
                    values[control.key(b)] = values[control.key(nearest)]
        measured.append(values)
    return measured


def _with_attributes(window: Score, attributes: Sequence[dict[str, int]], step: Step) -> Score:
    """The window with these control values; a track continued from its very beginning writes its own."""
    tracks = []
    for t, (track, values) in enumerate(zip(window.tracks, attributes, strict=True)):
        own = step.autoregressive and t == len(window.tracks) - 1 and from_nothing(step)
        tracks.append(replace(track, attributes={} if own else dict(values)))
    return replace(window, tracks=tracks)


def from_nothing(step: Step) -> bool:
    return step.autoregressive and min(bar for _, bar in step.cells) == step.start_bar


# ---- tokens ----


def _write(
    tokenizer: Tokenizer, window: Score, step: Step, cells: frozenset[Cell], request: GenerationRequest
) -> Prompt:
    """The tokens up to where the model takes over."""
    mode = request.config.mask_mode
    if mode == "auto":
        mode = "token" if tokenizer.vocabulary.has(TokenType.MASK_BAR) else "attention"
    options = EncodeOptions(
        window_bars=step.n_bars,
        infill=frozenset() if step.autoregressive else cells,
        partial_track=len(window.tracks) - 1 if step.autoregressive else -1,
        partial_bars=min(bar for _, bar in cells) if step.autoregressive else -1,
        hiding=mode if mode in ("token", "remove") else "span",
        use_velocity=switch(request, "velocity"),
        use_microtiming=switch(request, "microtiming"),
        genre=tokenizer.config.genre_id(request.controls["genre"]) if "genre" in request.controls else -1,
    )
    encoded = kernels.encode(window, tokenizer.vocabulary, options)
    tokens = encoded.tokens
    if step.autoregressive:
        end, _ = tokenizer.vocabulary.range(TokenType.PIECE_END)
        tokens = tokens[:-1] if tokens[-1] == end else tokens
    else:
        tokens = tokens[: tokens.index(tokenizer.vocabulary.range(TokenType.FILL_IN_START)[0]) + 1]
    spans = tuple((a, min(b, len(tokens))) for a, b in encoded.hidden_spans if a < len(tokens))
    return Prompt(tuple(tokens), spans, mode if mode.startswith("attention") else "attention")


LIMITS = ("density_limit", "density_hard_limit"), ("polyphony_limit", "polyphony_hard_limit")  # of a bar, its control


def _with_limits(
    bars: Sequence[TargetBar], cells: Sequence[Cell], prompts: Mapping[int, TrackPrompt]
) -> tuple[TargetBar, ...]:
    """The bars with the limits that controls set for them; `cells` are the same bars in the score."""
    limited = []
    for bar, (track, place) in zip(bars, cells, strict=True):
        controls = prompts[track].controls_in(place)
        limited.append(replace(bar, **{name: controls[key] for name, key in LIMITS if key in controls}))
    return tuple(limited)


def _limits_polyphony(request: GenerationRequest) -> bool:
    """Whether some bar has a limit on the notes sounding at once."""
    of_tracks = (values for prompt in request.tracks for values in (prompt.controls, *prompt.bar_controls.values()))
    return bool(request.config.polyphony_hard_limit) or any("polyphony_hard_limit" in values for values in of_tracks)


def _limits(request: GenerationRequest) -> GrammarOptions:
    config = request.config
    return GrammarOptions(density_limit=config.density_hard_limit, polyphony_limit=config.polyphony_hard_limit)


def _sounding(
    score: Score, step: Step, tracks: Sequence[int], tokenizer: Tokenizer
) -> dict[int, list[tuple[int, int, int]]]:
    """The notes that stay around the targets, by track of the window."""
    kept = kept_notes(score, step, tokenizer.config.resolution)
    return {i: kept[track] for i, track in enumerate(tracks) if track in kept}


def _true_lengths(shown: Score, part: Score) -> Score:
    """The bars as long as they are in the piece, in the metres shown to the model."""
    tracks = []
    for track, true in zip(shown.tracks, part.tracks, strict=True):
        bars = [replace(b, beat_length=t.beat_length) for b, t in zip(track.bars, true.bars, strict=True)]
        tracks.append(replace(track, bars=bars))
    return replace(shown, tracks=tracks)
