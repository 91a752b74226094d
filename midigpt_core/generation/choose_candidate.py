"""A pool of candidates for one step: how many are drawn, how they are rated, and which one each take keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from midigpt_core.echo.sources import REACH, Notes, Surroundings, note_set
from midigpt_core.generation.candidate_checks import Written
from midigpt_core.generation.candidate_consensus import SAMENESS, agreement, differing, note_f1, sameness
from midigpt_core.generation.distance_from_original import Origin
from midigpt_core.generation.judge_candidate import Candidate, Judge
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.generation.take import Draft
from midigpt_core.plan.steps import Cell
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Note
from midigpt_core.tokens.tokenizer import Tokenizer
from midigpt_core.voices.remarks import remarks_on

FEWEST = 2  # candidates per take, where several takes share a pool


def candidates_per_take(config: InferenceConfig, prompt: StepPrompt, takes: int) -> int:
    """How many candidates are drawn for each of so many takes: all takes together have as many as one alone, but no
    fewer than FEWEST each. Tracks continued bar by bar have one."""
    tries = config.control_tries if prompt.known.attribute_targets.targets else 1
    if prompt.step.autoregressive:
        return tries
    return max(tries, min(config.pool, max(FEWEST, -(-config.pool // takes))))


@dataclass
class CandidatePool:
    """The candidates of one attempt at a step, of all takes that are open."""

    tokenizer: Tokenizer
    candidates: Sequence[Candidate]
    origin: Origin | None = None  # from which they are to be at a distance
    _taken: list[int] = field(default_factory=list)
    _judges: dict[int, Judge] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Rate the candidates."""
        resolution = self.candidates[0].before.resolution
        self._table = note_f1([candidate.cells for candidate in self.candidates], resolution)
        several = len(self.candidates) > 1
        for candidate, agreed in zip(self.candidates, agreement(self._table), strict=True):
            candidate.consensus = float(agreed) - (SAMENESS * _sameness(candidate) if several else 0.0)
            targets = candidate.prompt.known.attribute_targets
            if several and targets.targets:
                candidate.off_target = targets.distance(candidate.score, self.tokenizer)
            config = candidate.prompt.request.config
            if config.playable or config.voice_leading:
                candidate.remarks = remarks_on(candidate.score, candidate.prompt.step.cells, config)
            if self.origin is not None:
                candidate.distance = self.origin.distance(candidate.written)

    def take_for(self, draft: Draft, number: int, passed: Sequence[Written]) -> Candidate:
        """The best candidate for a take that differs from those taken before. `passed`: what other takes keep.

        Takes with the same score before them choose from all candidates for it; without a pool, each from its own.
        """
        config = self.candidates[0].prompt.request.config
        shared = config.pool > 1 and not self.candidates[0].prompt.step.autoregressive
        own = [
            i
            for i, candidate in enumerate(self.candidates)
            if candidate.before is draft.score and i not in self._taken and (shared or candidate.take == number)
        ]
        for i in own:
            self._judge(self.candidates[i]).examine(self.candidates[i], passed)
        own.sort(key=lambda i: self.candidates[i].rank[: 3 if shared else 2])
        best = self.candidates[own[0]].rank[:2]
        equal = [i for i in own if self.candidates[i].rank[:2] == best]
        chosen = differing(equal, self._table, self._taken if shared else ())
        self._taken.append(chosen)
        return self.candidates[chosen]

    def _judge(self, candidate: Candidate) -> Judge:
        key = id(candidate.prompt)
        if key not in self._judges:
            self._judges[key] = Judge(self.tokenizer, candidate.prompt, candidate.before)
        return self._judges[key]


def _sameness(candidate: Candidate) -> float:
    """Share of the candidate's sounding bars that stand elsewhere in their tracks, among bars that are known."""
    around, resolution = candidate.prompt.known.around, candidate.before.resolution

    def stands_elsewhere(cell: Cell, notes: Sequence[Note]) -> bool:
        return note_set(notes, resolution) in _bars_near(around, cell)

    return sameness(candidate.cells, stands_elsewhere)


def _bars_near(around: Surroundings, cell: Cell) -> list[Notes | None]:
    track, bar = cell
    return [around.notes((track, other)) for other in range(bar - REACH, bar + REACH + 1)]
