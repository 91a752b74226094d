"""How far a take is from what stood in its bars before the run, and whether that is as far as is asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from midigpt_core.generation.candidate_checks import Written, standing
from midigpt_core.generation.candidate_consensus import note_f1
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.plan.cut_paste import cut
from midigpt_core.plan.steps import Cell
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Bar, Score
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.grid import to_grid

_CLOSE = 1e-9  # so far two distances are the same


@dataclass(frozen=True)
class Origin:
    """The piece as it was before anything was written."""

    score: Score
    encoder: EncoderConfig

    def distance(self, written: Written) -> float:
        """1 less the F1 of equal notes (bar, sixteenth, pitch): 0 the same notes, 1 none of them. Onsets are to be on
        the encoder's grid."""
        stood = standing(self.score, list(written), self.encoder)
        return 1.0 - float(note_f1([written, stood], self.encoder.resolution)[0, 1])

    def distance_of(self, score: Score, cells: Collection[Cell]) -> float:
        """That of the cells of a later score."""
        return self.distance(standing(score, cells, self.encoder))

    def bars(self, prompt: StepPrompt) -> tuple[Bar, ...]:
        """What stood in the cells of a step, in the order they are written, on the grid."""
        window = prompt.originals
        if prompt.known.around.score is not self.score:
            window = to_grid(cut(self.score, prompt.step, (), prompt.tracks), self.encoder)
        return tuple(window.tracks[track].bars[bar] for track, bar in prompt.local_cells)


def stray(distance: float, config: InferenceConfig) -> float:
    """How far a distance lies outside the range that is asked for; 0 inside it, and where none is."""
    if not config.distance:
        return 0.0
    low, high = config.distance
    outside = max(low - distance, distance - high)
    return outside if outside > _CLOSE else 0.0


def is_partly_kept(config: InferenceConfig, attempt: int, version: int) -> bool:
    """Whether a candidate keeps part of what stood there: where a distance is asked for, every other one."""
    return bool(config.distance) and (attempt + version) % 2 == 0
