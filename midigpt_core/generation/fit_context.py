"""Make a step's prompt fit the model: leave out context tracks, shorten the window, hide what is far off."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from midigpt_core.generation.step_prompt import StepPrompt, prepare_step
from midigpt_core.plan.drop_order import drop_order, expected_tokens, guessed_costs
from midigpt_core.plan.steps import Cell, Step, smaller_window
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.tokens.types import TokenType

_LAST = 1000  # of the tracks that find no room, so many are looked at once more


def narrowed(
    tokenizer: Tokenizer,
    score: Score,
    step: Step,
    request: GenerationRequest,
    left_out: Collection[int],
    n_positions: int,
) -> tuple[StepPrompt, list[int]]:
    """The step's prompt, made to fit the model together with what it will write: context tracks are dropped first
    (and named), then the window is shortened around the targets, then the bars farthest from them are hidden."""
    config = request.config
    room = n_positions - config.budget_margin * expected_tokens(score, step)
    droppable = _droppable(score, step, request) if config.context != "all" else []
    least = _least_tokens(tokenizer, step)
    newly = _hopeless([track for track in droppable if track not in left_out], room, least)
    prompt = prepare_step(tokenizer, score, step, request, {*left_out, *newly})
    if len(prompt.prompt.tokens) >= room:
        newly = _with_further(newly, droppable, prompt, room, least)
    if newly:
        prompt = prepare_step(tokenizer, score, step, request, {*left_out, *newly})
    windows = tokenizer.config.num_bars_map
    while len(prompt.prompt.tokens) >= room:
        shorter = _shortened(step, smaller_window(step.n_bars, windows), score.n_bars)
        if shorter is None:
            break
        step = shorter
        prompt = prepare_step(tokenizer, score, step, request, {*left_out, *newly})
    far = _farthest_first(prompt) if config.context == "auto" else []
    while far and len(prompt.prompt.tokens) >= max(room, n_positions / 4):
        half = -(-len(far) // 2)
        step, far = replace(step, pending=step.pending | set(far[:half])), far[half:]
        prompt = prepare_step(tokenizer, score, step, request, {*left_out, *newly})
    return prompt, newly


def _least_tokens(tokenizer: Tokenizer, step: Step) -> int:
    """Tokens that a track takes even if it is silent."""
    has = tokenizer.vocabulary.has
    per_bar = has(TokenType.BAR) + has(TokenType.TIME_SIG) + has(TokenType.BAR_END)
    return has(TokenType.TRACK) + has(TokenType.INSTRUMENT) + has(TokenType.TRACK_END) + per_bar * step.n_bars


def _hopeless(droppable: list[int], room: float, least: int) -> list[int]:
    """The first of the tracks that may be left out, which find no room even if all that follow are silent."""
    return droppable[: max(0, len(droppable) - int(max(room, 0) // least) - 1)]


def _with_further(hopeless: list[int], droppable: list[int], prompt: StepPrompt, room: float, least: int) -> list[int]:
    """The tracks to leave out of a prompt that is too long: those that were from the start, and further ones."""
    lengths, total = _lengths(prompt), len(prompt.prompt.tokens)
    newly = list(hopeless)
    for track in droppable:
        if total < room:
            break
        if track in lengths:
            newly.append(track)
            total -= lengths[track]
    for track in newly[-2::-1]:  # those before the last may have gone for nothing
        if total + least >= room:
            break
        if track not in lengths:
            if hopeless[-1] in lengths:
                break
            lengths |= _lengths(_with_some(prompt, hopeless))
        if track not in prompt.request.config.context_drop and total + lengths[track] < room:
            newly.remove(track)
            total += lengths[track]
    return newly


def _with_some(prompt: StepPrompt, hopeless: list[int]) -> StepPrompt:
    """The step's prompt with the last of the tracks that were not looked at, which may find room yet."""
    score = prompt.known.around.score
    last = len(score.tracks) - 1  # its length holds what follows the tracks
    others = set(range(last)) - set(hopeless[-_LAST:])
    return prepare_step(prompt.tokenizer, score, prompt.step, prompt.request, others)


def _farthest_first(prompt: StepPrompt) -> list[Cell]:
    """The bars that the model hears, those farthest from what is written first."""
    step, written = prompt.step, {bar for _, bar in prompt.step.cells}
    heard = {(track, bar) for track in prompt.tracks for bar in range(step.start_bar, step.end_bar)}
    distance = {bar: min(abs(bar - other) for other in written) for _, bar in heard}
    return sorted(heard - step.cells - step.pending, key=lambda cell: (-distance[cell[1]], cell))


def alone_fits(tokenizer: Tokenizer, score: Score, step: Step, request: GenerationRequest, n_positions: int) -> bool:
    """Whether a step fits the model with what it will write, all the context left out that may be."""
    writes = request.config.budget_margin * expected_tokens(score, step)
    targets = {track for track, _ in step.cells}
    guessed = sum(guessed_costs(score, step, targets).values())
    if request.config.context == "auto" and writes + guessed < n_positions / 2:
        return True  # by far: no need to write the prompt
    left_out = {prompt.id for prompt in request.tracks if prompt.ignore}
    left_out |= set(_droppable(score, step, request) if request.config.context != "all" else ())
    shown = replace(step, pending=frozenset())  # a later step may see what an earlier one has written there
    return len(prepare_step(tokenizer, score, shown, request, left_out).prompt.tokens) + writes < n_positions


def _lengths(prompt: StepPrompt) -> dict[int, int]:
    """Tokens of each track of a prompt."""
    kinds = prompt.tokenizer.vocabulary.types
    starts = [i for i, token in enumerate(prompt.prompt.tokens) if kinds[token] is TokenType.TRACK]
    ends = [*starts[1:], len(prompt.prompt.tokens)]
    return {track: end - start for track, start, end in zip(prompt.tracks, starts, ends, strict=True)}


def _droppable(score: Score, step: Step, request: GenerationRequest) -> list[int]:
    config = request.config
    order = drop_order(score, step, keep=config.context_keep, first=config.context_drop)
    listed = set(config.context_drop)
    return [track for track in order if config.context == "auto" or track in listed]


def _shortened(step: Step, window: int | None, n_bars: int) -> Step | None:
    """The step in a shorter window that still holds its targets; None where there is none."""
    places = [bar for _, bar in step.cells]
    first, last = min(places), max(places)
    if window is None or last - first >= window or n_bars < window:
        return None
    start = last + 1 - window if step.autoregressive else (first + last + 1 - window) // 2
    start = max(0, min(start, n_bars - window))
    return replace(step, start_bar=start, end_bar=start + window, window=window)
