"""The one way through: plan, then for each step cut, encode, draw, judge, retry and paste, for all takes together."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from midigpt_core import trace
from midigpt_core.errors import CancelledError
from midigpt_core.generation.attempt_sampling import attempt_seed, sampling_parameters
from midigpt_core.generation.candidate_checks import on_grid
from midigpt_core.generation.choose_candidate import CandidatePool, candidates_per_take
from midigpt_core.generation.distance_from_original import Origin, is_partly_kept
from midigpt_core.generation.fit_context import narrowed
from midigpt_core.generation.judge_candidate import Candidate, Fault
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_plan import Plan
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.generation.take import Draft, Take, with_distance_and_remarks
from midigpt_core.generation.tokens_to_notes import read_cell, read_cells
from midigpt_core.plan.steps import Cell, Step
from midigpt_core.request import GenerationRequest
from midigpt_core.sampling.batch import Decoder
from midigpt_core.sampling.lane import Lane
from midigpt_core.score import Score
from midigpt_core.tokens.tokenizer import Tokenizer


@dataclass
class Timing:
    """Seconds spent, all takes together."""

    model_forward_s: float = 0.0  # in the decoding loop: model calls, grammar and drawing
    encode_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True)
class Result:
    """What a request came to. Takes are in the order of their seeds; `ranked` has the best first."""

    takes: tuple[Take, ...]
    steps: tuple[Step, ...]
    generated: tuple[Cell, ...]  # (track, bar) cells written
    dropped_context: tuple[int, ...]  # tracks left out of the model's context
    seed: int  # of the first take
    prompt_tokens: int  # of the longest prompt
    timing: Timing

    @property
    def ranked(self) -> tuple[Take, ...]:
        """Accepted takes before rejected ones, each by how much the other candidates agree with it, most first."""
        return tuple(sorted(self.takes, key=lambda take: (not take.accepted, -take.consensus)))

    def __repr__(self) -> str:
        best = self.ranked[0] if self.takes else None
        told = f", best: {best}" if best else ""
        return f"Result({len(self.takes)} takes, {len(self.generated)} bars written{told})"

    def _repr_html_(self) -> str:
        """The best take, for notebooks, with what was written lit."""
        from midigpt_core.notebook import piano_roll

        return (
            f"<p>{html.escape(repr(self))}</p>{piano_roll(self.ranked[0].score, self.generated) if self.takes else ''}"
        )


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
    _drafts: list[Draft] = field(default_factory=list)
    _finished: list[Step] = field(default_factory=list)

    @property
    def bars(self) -> int:
        """Bars written in finished steps, of all takes together."""
        return sum(draft.bars for draft in self._drafts)

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
        return self._finished_take(draft)

    def go(self) -> Result:
        """Write what is planned. Raises CancelledError when stopped."""
        config, seed, steps = self.request.config, self.plan.seed, self.plan.steps
        left_out = {prompt.id for prompt in self.request.tracks if prompt.ignore}
        takes = self._drafts = [Draft(self.score, seed + i) for i in range(config.num_candidates)]
        dropped: set[int] = set()
        prompt_tokens = 0
        for number, step in enumerate(() if config.plan_only else steps):
            prompts = self._prompts(takes, step, left_out, dropped)
            prompt_tokens = max(prompt_tokens, *(len(p.prompt.tokens) for p in prompts))
            self._write(number, len(steps), takes, prompts)
            self._finished.append(step)
        return Result(
            takes=tuple(self._finished_take(draft) for draft in takes),
            steps=steps,
            generated=() if config.plan_only else tuple(sorted(self.plan.cells)),
            dropped_context=tuple(sorted(dropped)),
            seed=seed,
            prompt_tokens=prompt_tokens,
            timing=self.timing,
        )

    @cached_property
    def _origin(self) -> Origin:
        return Origin(self.score, self.tokenizer.config)

    def _finished_take(self, draft: Draft) -> Take:
        return with_distance_and_remarks(draft.finished(), self._origin, self.plan.cells, self.request.config)

    def _prompts(self, takes: Sequence[Draft], step: Step, left_out: set[int], dropped: set[int]) -> list[StepPrompt]:
        """One prompt per take; takes whose score is the same object share it. Tracks are dropped until they fit."""
        started = time.perf_counter()
        shared: dict[int, StepPrompt] = {}
        for draft in takes:
            if id(draft.score) not in shared:
                shared[id(draft.score)] = self._fitting_prompt(draft.score, step, left_out, dropped)
        self.timing.encode_s += time.perf_counter() - started
        return [shared[id(draft.score)] for draft in takes]

    def _fitting_prompt(self, score: Score, step: Step, left_out: set[int], dropped: set[int]) -> StepPrompt:
        prompt, newly = narrowed(self.tokenizer, score, step, self.request, left_out, self.n_positions)
        if newly:
            dropped.update(newly)
            self.listen(trace.ContextDropped(tuple(newly)))
        return prompt

    # ---- one step, all takes ----

    def _write(self, number: int, count: int, takes: Sequence[Draft], prompts: Sequence[StepPrompt]) -> None:
        step = prompts[0].step
        longest = max(len(prompt.prompt.tokens) for prompt in prompts)
        window = (step.start_bar, step.end_bar)
        self.listen(trace.StepStarted(number, count, window, tuple(sorted(step.cells)), longest))
        before = self.written
        open_takes = list(range(len(takes)))
        for attempt in range(1, self.request.config.max_attempts + 1):
            pool = self._pool([(i, takes[i], prompts[i]) for i in open_takes], attempt)
            still_open = self._choose(number, attempt, takes, open_takes, pool)
            if number == count - 1:
                for take in sorted(set(open_takes) - set(still_open)):
                    self.listen(trace.TakeReady(take))
            open_takes = still_open
            if not open_takes:
                break
        for draft in takes:
            draft.close_step()
        self.listen(trace.StepDone(number, count, self.written - before))

    def _pool(self, places: Sequence[tuple[int, Draft, StepPrompt]], attempt: int) -> CandidatePool:
        """The candidates of all open takes, rated.

        Of a single one per take listeners hear while it is written, of several they hear once it is known which is
        kept.
        """
        lanes: list[tuple[Lane, int, list[trace.Event]]] = []
        for take, draft, prompt in places:
            count = candidates_per_take(self.request.config, prompt, self.request.config.num_candidates)
            at_once = count == 1 or self.listen is trace.ignore
            for version in range(count):
                events: list[trace.Event] = []
                tell = partial(self._tell, events) if at_once else events.append
                lanes.append((self._lane(take, draft, prompt, attempt, version, tell), take, events))
        self._decode([lane for lane, _, _ in lanes])
        by_take = {take: (draft, prompt) for take, draft, prompt in places}
        for take, (draft, _) in by_take.items():
            draft.tokens += sum(len(lane.written) for lane, owner, _ in lanes if owner == take)
        started = time.perf_counter()
        found = [self._candidate(lane, *by_take[take], take, events) for lane, take, events in lanes]
        pool = CandidatePool(self.tokenizer, found, self._origin if self.request.config.distance else None)
        self.timing.decode_s += time.perf_counter() - started
        return pool

    def _choose(
        self, number: int, attempt: int, takes: Sequence[Draft], open_takes: Sequence[int], pool: CandidatePool
    ) -> list[int]:
        """Each open take keeps a candidate, one after the other; those that hope for a better one are returned."""
        still_open, several = [], len(pool.candidates) > len(open_takes)
        last = attempt == self.request.config.max_attempts
        bearable = Fault.CUT_OFF if last else Fault.NONE
        for take in open_takes:
            draft = takes[take]
            others = [other.best for other in takes if other is not draft and other.best is not None]
            chosen = pool.take_for(draft, take, [best.written for best in others if best.fault <= bearable])
            best = draft.keep(chosen)
            if several:
                self._tell_of(chosen, take)
            if chosen.fault > bearable:
                draft.rejected.append(chosen.reason)
                self.listen(trace.AttemptRejected(take, number, attempt, chosen.reason))
            if last and best is not chosen:
                self._tell_of(best, take)
            if (best if last else chosen).fault > bearable:
                still_open.append(take)
        return still_open

    def _tell(self, events: list[trace.Event], event: trace.Event) -> None:
        """Tell an event at once, and remember it."""
        events.append(event)
        self.listen(event)

    def _tell_of(self, candidate: Candidate, take: int) -> None:
        """Tell what a take keeps, whatever seed it was drawn with."""
        for event in candidate.events:
            if isinstance(event, trace.BarReady | trace.ConstraintRelaxed):
                self.listen(replace(event, take=take))

    def _lane(
        self, take: int, draft: Draft, prompt: StepPrompt, attempt: int, version: int, tell: trace.Listener
    ) -> Lane:
        config = self.request.config
        quiet = self.listen is trace.ignore
        seed = attempt_seed(draft.seed, prompt.step.start_bar, draft.steps, attempt, version)
        parameters, drum_parameters = sampling_parameters(config, self.tokenizer, attempt)
        return Lane(
            prompt=prompt.prompt,
            grammar=prompt.grammar(self.n_positions),
            drums=prompt.drums,
            constraints=build_constraints(
                prompt, seed, attempt, self._origin.bars(prompt) if is_partly_kept(config, attempt, version) else ()
            ),
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

    def _candidate(
        self, lane: Lane, draft: Draft, prompt: StepPrompt, take: int, events: list[trace.Event]
    ) -> Candidate:
        cells, score = read_cells(self.tokenizer, prompt, lane.written, draft.score), draft.score
        placed = {
            (t, b): on_grid(replace(score.tracks[t].bars[b], notes=notes), score.resolution, self.tokenizer.config)
            for (t, b), notes in cells.items()
        }
        return Candidate(score, prompt, cells, placed, lane.logprob, len(lane.written), lane.truncated, take, events)

    def _bar_ready(self, take: int, prompt: StepPrompt, lane: Lane) -> trace.BarReady:
        """The bar that a lane has just finished."""
        place = lane.cursor.cell - 1
        cell, notes = prompt.cells[place], read_cell(self.tokenizer, prompt, lane.written, self.score, place)
        told = tuple((n.pitch, n.velocity, n.onset_ticks, n.duration_ticks) for n in notes)
        return trace.BarReady(take, cell[0], cell[1], told, len(lane.written))
