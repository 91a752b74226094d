"""Judge a candidate for the bars of a step: what may be wrong with it, and how it ranks among others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

from midigpt_core import trace
from midigpt_core.constraints.attribute_targets import attribute_targets
from midigpt_core.generation.candidate_checks import Written, checks_of, similarity, standing, stuck
from midigpt_core.generation.distance_from_original import stray
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.plan.cut_paste import paste
from midigpt_core.plan.steps import Cell
from midigpt_core.score import Note, Score
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.voices.remarks import Remark


class Fault(IntEnum):
    """What may be wrong with a candidate; the worst last. Only a failure is never accepted."""

    NONE = 0
    NOT_AS_ASKED = 1
    UNCHANGED = 2
    STUCK = 3
    CUT_OFF = 4
    FAILED = 5


REASONS = {
    Fault.UNCHANGED: "unchanged: the bars came out as they were",
    Fault.STUCK: "stuck: the written notes are all of one pitch, unlike their track",
    Fault.CUT_OFF: "cut off: the model's context was full before the last bar",
}


@dataclass
class Candidate:
    """One attempt at a step, decoded."""

    before: Score  # that it was written for
    prompt: StepPrompt
    cells: dict[Cell, list[Note]]  # in the score's ticks
    written: Written  # the same, onsets on the model's grid
    logprob: float  # of all its tokens
    tokens: int
    truncated: bool
    take: int = 0  # whose seed it was drawn with
    events: list[trace.Event] = field(default_factory=list)  # what listeners are told if it is kept
    off_target: float = 0.0  # how far from the control values that are asked for
    distance: float = 0.0  # from what stood there before the run
    remarks: tuple[Remark, ...] = ()  # on its voices
    consensus: float = 1.0  # agreement with the others of its pool, less what sameness costs
    fault: Fault = Fault.NONE
    reason: str = ""

    @cached_property
    def score(self) -> Score:
        """The piece with its notes."""
        return paste(self.before, self.prompt.step, self.prompt.window_of(self.cells, self.before))

    @property
    def rank(self) -> tuple[int, tuple[float, int, float], float]:
        """Smaller is better."""
        return (self.fault, (self.stray, len(self.remarks), self.off_target), -self.consensus)

    @property
    def stray(self) -> float:
        """How far its distance lies outside the range that is asked for."""
        return stray(self.distance, self.prompt.request.config)

    @property
    def not_as_asked(self) -> str:
        """How far off it is, or what there is to remark on; nothing where it is as asked."""
        said = [f"voices: {remark.text}" for remark in self.remarks]
        if self.stray:
            low, high = self.prompt.request.config.distance
            said.insert(0, f"distance: {self.distance:.2f} from what stood there, not {low:g} to {high:g}")
        return "; ".join(said)


@dataclass(frozen=True)
class Judge:
    """Judges candidates for one prompt."""

    tokenizer: Tokenizer
    prompt: StepPrompt
    score: Score  # before the step

    def examine(self, candidate: Candidate, passed: Sequence[Written]) -> None:
        """Note what is wrong with a candidate; `passed`: those that other takes keep."""
        candidate.reason = self._failure(candidate, passed)
        candidate.fault = Fault.FAILED if candidate.reason else self._doubt(candidate)
        if not candidate.reason:
            candidate.reason = REASONS.get(candidate.fault, candidate.not_as_asked)

    def _failure(self, candidate: Candidate, passed: Sequence[Written]) -> str:
        config, step = self.prompt.request.config, self.prompt.step
        checks = checks_of(config, self.score, step, passed, self.tokenizer.config)
        return "; ".join(reason for check in checks if (reason := check.failure(candidate.written)))

    def _doubt(self, candidate: Candidate) -> Fault:
        """What makes a candidate acceptable only if nothing better comes."""
        config = self.prompt.request.config
        if candidate.truncated:
            return Fault.CUT_OFF
        if config.retry_stuck and stuck(candidate.written, self.score, self.prompt.step, self._free):
            return Fault.STUCK
        if config.retry_unchanged and similarity(candidate.written, self._as_it_was) == 1.0:
            return Fault.UNCHANGED
        return Fault.NOT_AS_ASKED if candidate.not_as_asked else Fault.NONE

    @cached_property
    def _as_it_was(self) -> Written:
        return standing(self.score, self.prompt.step.cells, self.tokenizer.config)

    @cached_property
    def _free(self) -> set[int]:
        """The tracks whose pitches and rhythm the caller left free."""
        prompts = {prompt.id: prompt for prompt in self.prompt.request.tracks}
        targets = attribute_targets(prompts, sorted(self.prompt.step.cells), self.tokenizer.attributes)
        bound = {track for track, prompt in prompts.items() if prompt.controls or any(prompt.bar_controls.values())}
        return {track for track in prompts if track not in bound and targets.free(track)}
