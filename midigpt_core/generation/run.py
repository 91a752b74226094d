"""The one way through: plan, then for each step cut, encode, draw, judge, retry and paste, for all takes together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from midigpt_core import trace
from midigpt_core.constraints.attribute_targets import attribute_targets
from midigpt_core.errors import CancelledError, GenerationError
from midigpt_core.generation.checks import as_it_was, checks_of, on_grid, similarity, stuck
from midigpt_core.generation.fit import narrowed
from midigpt_core.generation.notes import read_cell, read_cells
from midigpt_core.generation.plan import Plan
from midigpt_core.generation.prompt import StepPrompt, own_temperature
from midigpt_core.plan.steps import Cell, Step
from midigpt_core.plan.window import paste
from midigpt_core.request import GenerationRequest
from midigpt_core.sampling.batch import Decoder
from midigpt_core.sampling.draw import SamplingParameters
from midigpt_core.sampling.lane import Lane
from midigpt_core.score import Note, Score
from midigpt_core.tokens.tokenizer import Tokenizer


@dataclass
class Timing:
    """Seconds spent, all takes together."""

    model_forward_s: float = 0.0  # in the decoding loop: model calls, grammar and drawing
    encode_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True)
class Take:
    """One finished version of the score."""

    score: Score
    seed: int
    logprob: float  # mean per token kept, under the model given its context, of what is allowed; higher is likelier
    tokens: int  # written, with rejected attempts and the versions of a step that were not kept
    attempts: int  # over all steps; as many as steps when nothing was rejected
    rejected: tuple[str, ...]  # why attempts were rejected
    accepted: bool  # every step passed its checks
    truncated: bool  # a step ran out of the model's context before its last bar


@dataclass(frozen=True)
class Result:
    """What a request came to. Takes are in the order of their seeds; `ranked` has the likeliest first."""

    takes: tuple[Take, ...]
    steps: tuple[Step, ...]
    generated: tuple[Cell, ...]  # (track, bar) cells written
    dropped_context: tuple[int, ...]  # tracks left out of the model's context
    seed: int  # of the first take
    prompt_tokens: int  # of the longest prompt
    timing: Timing

    @property
    def ranked(self) -> tuple[Take, ...]:
        """Accepted takes before rejected ones, each by log-probability, likeliest first."""
        return tuple(sorted(self.takes, key=lambda take: (not take.accepted, -take.logprob)))


@dataclass(frozen=True)
class Partial:
    """What a run that was stopped had come to: scores with the steps that were finished, one per take."""

    scores: tuple[Score, ...]
    written: tuple[Cell, ...]  # (track, bar) cells of the finished steps
    seed: int  # of the first take; -1 before it was drawn


@dataclass
class Run:
    """One request on its way; `written` counts tokens while it runs."""

    tokenizer: Tokenizer
    decoder: Decoder
    score: Score
    request: GenerationRequest
    plan: Plan
    listen: trace.Listener = trace.ignore
    cancelled: Callable[[], bool] = bool
    n_positions: int = 1 << 30
    written: int = 0
    timing: Timing = field(default_factory=Timing)
    _drafts: list[_Draft] = field(default_factory=list)
    _finished: list[Step] = field(default_factory=list)

    @property
    def partial(self) -> Partial:
        """As far as the run has come; while it runs, as of the last finished step."""
        scores = tuple(draft.score for draft in self._drafts) or (self.score,) * self.request.config.num_candidates
        cells = {cell for step in self._finished for cell in step.cells}
        return Partial(scores, tuple(sorted(cells)), self._drafts[0].seed if self._drafts else -1)

    def ready(self, take: int) -> Take:
        """A take that passed its last checks, while others are still being written."""
        draft = replace(self._drafts[take])
        if draft.best is not None:
            draft.close_step()
        return draft.finished()

    def go(self) -> Result:
        """Write what is planned. Raises CancelledError when stopped."""
        config, seed, steps = self.request.config, self.plan.seed, self.plan.steps
        left_out = {prompt.id for prompt in self.request.tracks if prompt.ignore}
        takes = self._drafts = [_Draft(self.score, seed + i) for i in range(config.num_candidates)]
        dropped: set[int] = set()
        prompt_tokens = 0
        for number, step in enumerate(() if config.plan_only else steps):
            prompts = self._prompts(takes, step, left_out, dropped)
            prompt_tokens = max(prompt_tokens, *(len(p.prompt.tokens) for p in prompts))
            self._write(number, len(steps), takes, prompts)
            self._finished.append(step)
        return Result(
            takes=tuple(draft.finished() for draft in takes),
            steps=steps,
            generated=() if config.plan_only else tuple(sorted(self.plan.cells)),
            dropped_context=tuple(sorted(dropped)),
            seed=seed,
            prompt_tokens=prompt_tokens,
            timing=self.timing,
        )

    def _prompts(self, takes: Sequence[_Draft], step: Step, left_out: set[int], dropped: set[int]) -> list[StepPrompt]:
        """One prompt per take; takes whose score is the same object share it. Tracks are dropped until they fit."""
        started = time.perf_counter()
        shared: dict[int, StepPrompt] = {}
        for draft in takes:
            if id(draft.score) not in shared:
                shared[id(draft.score)] = self._fitting_prompt(draft.score, step, left_out, dropped)
        self.timing.encode_s += time.perf_counter() - started
        return [shared[id(draft.score)] for draft in takes]

    def _fitting_prompt(self, score: Score, step: Step, left_out: set[int], dropped: set[int]) -> StepPrompt:
        prompt, newly = narrowed(self.tokenizer, score, step, self.request, left_out | dropped, self.n_positions)
        if newly:
            dropped.update(newly)
            self.listen(trace.ContextDropped(tuple(newly)))
        return prompt

    # ---- one step, all takes ----

    def _write(self, number: int, count: int, takes: Sequence[_Draft], prompts: Sequence[StepPrompt]) -> None:
        step = prompts[0].step
        longest = max(len(prompt.prompt.tokens) for prompt in prompts)
        window = (step.start_bar, step.end_bar)
        self.listen(trace.StepStarted(number, count, window, tuple(sorted(step.cells)), longest))
        before = self.written
        open_takes = list(range(len(takes)))
        for attempt in range(1, self.request.config.max_attempts + 1):
            tries = self._attempt([(i, takes[i], prompts[i]) for i in open_takes], attempt)
            still_open = self._judge(number, attempt, step, takes, list(zip(open_takes, tries, strict=True)))
            if number == count - 1:
                for take in sorted(set(open_takes) - set(still_open)):
                    self.listen(trace.TakeReady(take))
            open_takes = still_open
            if not open_takes:
                break
        for draft in takes:
            draft.close_step()
        self.listen(trace.StepDone(number, count, self.written - before))

    def _attempt(self, places: Sequence[tuple[int, _Draft, StepPrompt]], attempt: int) -> list[_Try]:
        """One try per open take; where control values are asked for, the nearest of several versions.

        Of a single version listeners hear while it is written, of several they hear once it is known which is kept.
        """
        lanes: list[list[Lane]] = []
        heard: list[list[list[trace.Event]]] = []  # by place and version
        for i, draft, prompt in places:
            count = self.request.config.control_tries if prompt.attribute_targets.targets else 1
            later: list[list[trace.Event]] = [[] for _ in range(count)]
            at_once = count == 1 or self.listen is trace.ignore
            tell = [self.listen if at_once else events.append for events in later]
            lanes.append([self._lane(i, draft, prompt, attempt, number, tell[number]) for number in range(count)])
            heard.append(later)
        self._decode([lane for versions in lanes for lane in versions])
        tries = []
        for (_, draft, prompt), versions, later in zip(places, lanes, heard, strict=True):
            found = [self._try(lane, prompt, draft) for lane in versions]
            best = min(range(len(found)), key=lambda n: self._misses(found[n], prompt)) if len(found) > 1 else 0
            tries.append(replace(found[best], spent=sum(tried.tokens for tried in found)))
            for event in later[best]:
                self.listen(event)
        return tries

    def _misses(self, tried: _Try, prompt: StepPrompt) -> tuple[bool, bool, float]:
        """What is wrong with a version, the worst first: cut off, silent, far from the values asked for."""
        distance = prompt.attribute_targets.distance(tried.score, self.tokenizer)
        return (tried.truncated, not any(tried.written.values()), distance)

    def _lane(
        self, take: int, draft: _Draft, prompt: StepPrompt, attempt: int, version: int, tell: trace.Listener
    ) -> Lane:
        config = self.request.config
        quiet = self.listen is trace.ignore
        parts = [draft.seed, prompt.step.start_bar, draft.steps, attempt, *([version] if version else [])]
        seed = int(np.random.SeedSequence(parts).generate_state(1)[0])
        temperature = config.temperature * config.temperature_escalation ** (attempt - 1)
        temperatures = (temperature * own_temperature(self.tokenizer, drums) for drums in (False, True))
        parameters, drum_parameters = (
            SamplingParameters(h, config.top_k, config.top_p, config.mask_k, config.mask_p) for h in temperatures
        )
        return Lane(
            prompt=prompt.prompt,
            grammar=prompt.grammar(self.n_positions),
            drums=prompt.drums,
            constraints=prompt.constraints(seed, attempt),
            parameters=parameters,
            drum_parameters=drum_parameters,
            seed=seed,
            uncontrolled=prompt.uncontrolled,
            guidance=config.guidance,
            on_cell=None if quiet else lambda lane: tell(self._bar_ready(take, prompt, lane)),
            on_yield=None if quiet else lambda name, position: tell(trace.ConstraintRelaxed(take, position, name)),
            cancelled=self.cancelled,
        )

    def _decode(self, lanes: Sequence[Lane]) -> None:
        started = time.perf_counter()
        self.decoder.generate(lanes)
        self.timing.model_forward_s += time.perf_counter() - started
        self.written += sum(len(lane.written) for lane in lanes)
        if any(lane.stopped for lane in lanes):
            raise CancelledError(f"stopped by the caller after {self.written} tokens; only finished steps were kept")

    def _try(self, lane: Lane, prompt: StepPrompt, draft: _Draft) -> _Try:
        started = time.perf_counter()
        cells = read_cells(self.tokenizer, prompt, lane.written, draft.score)
        score = paste(draft.score, prompt.step, prompt.window_of(cells, draft.score))
        self.timing.decode_s += time.perf_counter() - started
        placed = {
            (t, b): on_grid(
                replace(draft.score.tracks[t].bars[b], notes=notes), score.resolution, self.tokenizer.config
            )
            for (t, b), notes in cells.items()
        }
        return _Try(score, placed, lane.logprob, len(lane.written), lane.truncated)

    def _judge(
        self, number: int, attempt: int, step: Step, takes: Sequence[_Draft], tries: Sequence[tuple[int, _Try]]
    ) -> list[int]:
        """Keep the tries that pass; the takes still open are returned. A try is compared with the takes that passed."""
        still_open = []
        for take, tried in tries:
            draft = takes[take]
            passed = [other.best.written for other in takes if other.best is not None and not other.best.reason]
            checks = checks_of(self.request.config, draft.score, step, passed, self.tokenizer.config)
            reasons = [check.failure(tried.written) for check in checks]
            tried.reason = "; ".join(reason for reason in reasons if reason)
            if not tried.reason and attempt < self.request.config.max_attempts:
                tried.reason = self._doubt(tried, draft, step)
            draft.keep(tried)
            if tried.reason:
                still_open.append(take)
                self.listen(trace.AttemptRejected(take, number, attempt, tried.reason))
        return still_open

    def _doubt(self, tried: _Try, draft: _Draft, step: Step) -> str:
        """What would make a try acceptable only if nothing better comes; empty where nothing does."""
        if tried.truncated:
            return "cut off: the model's context was full before the last bar"
        if self.request.config.retry_stuck and stuck(tried.written, draft.score, step, self._free(step)):
            return "stuck: the written notes are all of one pitch, unlike their track"
        before = as_it_was(draft.score, step, self.tokenizer.config)
        if self.request.config.retry_unchanged and similarity(tried.written, before) == 1.0:
            return "unchanged: the bars came out as they were"
        return ""

    def _free(self, step: Step) -> set[int]:
        """The tracks whose pitches and rhythm nobody asked for."""
        prompts = {prompt.id: prompt for prompt in self.request.tracks}
        asked = attribute_targets(prompts, sorted(step.cells), self.tokenizer.attributes)
        return {track for track, prompt in prompts.items() if not prompt.controls and asked.free(track)}

    def _bar_ready(self, take: int, prompt: StepPrompt, lane: Lane) -> trace.BarReady:
        """The bar that a lane has just finished."""
        place = lane.cursor.cell - 1
        cell, notes = prompt.cells[place], read_cell(self.tokenizer, prompt, lane.written, self.score, place)
        told = tuple((n.pitch, n.velocity, n.onset_ticks, n.duration_ticks) for n in notes)
        return trace.BarReady(take, cell[0], cell[1], told, len(lane.written))


@dataclass
class _Try:
    """One attempt, decoded."""

    score: Score
    written: dict[Cell, list[Note]]  # onsets on the model's grid
    logprob: float
    tokens: int
    truncated: bool
    spent: int = 0  # tokens of all the versions it was chosen from
    reason: str = ""  # why it was rejected

    @property
    def mean(self) -> float:
        return self.logprob / max(1, self.tokens)


@dataclass
class _Draft:
    """One take while it is being written."""

    score: Score
    seed: int
    best: _Try | None = None  # of the step at hand: the accepted try, else the likeliest rejected one
    steps: int = 0
    logprob: float = 0.0
    kept_tokens: int = 0
    tokens: int = 0
    attempts: int = 0
    rejected: list[str] = field(default_factory=list)
    accepted: bool = True
    truncated: bool = False

    def keep(self, tried: _Try) -> None:
        """Take note of an attempt."""
        self.attempts += 1
        self.tokens += tried.spent
        if tried.reason:
            self.rejected.append(tried.reason)
        if self.best is None or not tried.reason or tried.mean > self.best.mean:
            self.best = tried

    def close_step(self) -> None:
        """Adopt the best try of the step."""
        if self.best is None:
            raise GenerationError("no attempt was made at a step; raise max_attempts")
        self.score = self.best.score
        self.logprob += self.best.logprob
        self.kept_tokens += self.best.tokens
        self.accepted &= not self.best.reason
        self.truncated |= self.best.truncated
        self.best = None
        self.steps += 1

    def finished(self) -> Take:
        """The take as callers see it."""
        mean = self.logprob / max(1, self.kept_tokens)
        return Take(
            self.score, self.seed, mean, self.tokens, self.attempts, tuple(self.rejected), self.accepted, self.truncated
        )
