"""A take: one finished version of the score, and the draft that keeps the best candidate of each step until then."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from midigpt_core.errors import GenerationError
from midigpt_core.generation.distance_from_original import Origin
from midigpt_core.generation.judge_candidate import Candidate, Fault
from midigpt_core.plan.steps import Cell
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Score
from midigpt_core.voices.remarks import Remark, remarks_on


@dataclass(frozen=True)
class Take:
    """One finished version of the score."""

    score: Score
    seed: int
    consensus: float  # mean note F1 with the other candidates, less what sameness costs; takes are ranked by it
    logprob: float  # mean per token kept, under the model given its context, of what is allowed; says how usual it is
    tokens: int  # written, with rejected attempts and the candidates of a step that were not kept
    attempts: int  # over all steps; as many as steps when nothing was rejected
    rejected: tuple[str, ...]  # why attempts were rejected
    accepted: bool  # every step passed its checks
    truncated: bool  # a step ran out of the model's context before its last bar
    bars: int = 0  # written, each of a track
    distance: float = 0.0  # 1 less the F1 of its notes (bar, sixteenth, pitch) with those that stood there
    remarks: tuple[Remark, ...] = ()  # on its voices, where voice_leading or playable asks for them

    def __repr__(self) -> str:
        state = "" if self.accepted else f", rejected: {self.rejected[-1]}"
        return f"Take(seed {self.seed}, consensus {self.consensus:.2f}, {self.tokens} tokens{state})"

    def _repr_html_(self) -> str:
        """Its score, for notebooks."""
        return self.score._repr_html_()


@dataclass
class Draft:
    """One take while it is being written."""

    score: Score
    seed: int
    best: Candidate | None = None  # of the step at hand
    steps: int = 0
    consensus: float = 0.0  # over the steps
    logprob: float = 0.0
    kept_tokens: int = 0
    tokens: int = 0
    attempts: int = 0
    rejected: list[str] = field(default_factory=list)
    accepted: bool = True
    truncated: bool = False
    bars: int = 0

    def keep(self, candidate: Candidate) -> Candidate:
        """Keep the candidate, unless one of an earlier attempt is better; returns what is kept."""
        self.attempts += 1
        if self.best is None or candidate.rank < self.best.rank:
            self.best = candidate
        return self.best

    def close_step(self) -> None:
        """Adopt the best candidate of the step."""
        if self.best is None:
            raise GenerationError("no attempt was made at a step; raise max_attempts")
        self.score = self.best.score
        self.consensus += self.best.consensus
        self.logprob += self.best.logprob
        self.kept_tokens += self.best.tokens
        self.accepted &= self.best.fault is not Fault.FAILED
        self.truncated |= self.best.truncated
        self.bars += len(self.best.cells)
        self.best = None
        self.steps += 1

    def finished(self) -> Take:
        """The take as callers see it."""
        return Take(
            score=self.score,
            seed=self.seed,
            consensus=self.consensus / max(1, self.steps),
            logprob=self.logprob / max(1, self.kept_tokens),
            tokens=self.tokens,
            attempts=self.attempts,
            rejected=tuple(self.rejected),
            accepted=self.accepted,
            truncated=self.truncated,
            bars=self.bars,
        )


def with_distance_and_remarks(take: Take, origin: Origin, cells: Collection[Cell], config: InferenceConfig) -> Take:
    """The take, its cells compared with what stood there and looked at by the rules that are asked for."""
    remarks = remarks_on(take.score, cells, config)
    return replace(take, distance=origin.distance_of(take.score, cells), remarks=remarks)
