"""Hold what is written to the rules of voices that a caller asks for, as constraints for a lane."""

from __future__ import annotations

from midigpt_core.constraints.masks import Constraint
from midigpt_core.constraints.voice_rules import Leading, Playable
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.plan.steps import Cell
from midigpt_core.score import DRUM
from midigpt_core.voices.leading import Line, Stave


def voice_constraints(step: StepPrompt) -> list[Constraint]:
    """The rules for one lane, fresh."""
    tracks, vocabulary = step.known.around.score.tracks, step.tokenizer.vocabulary
    melodic = {i: cell for i, cell in enumerate(step.cells) if tracks[cell[0]].track_type != DRUM}
    found: list[Constraint] = []
    if step.request.config.playable and melodic:
        found.append(Playable(vocabulary, {i: tracks[track].instrument for i, (track, _) in melodic.items()}))
    if step.known.voice_pairs and melodic:
        found.append(_leading(step, melodic))
    return found


def _leading(step: StepPrompt, melodic: dict[int, Cell]) -> Leading:
    pairs, around = step.known.voice_pairs, step.known.around
    stave = Stave.of(around.score, step.step.start_bar, step.step.end_bar)
    lines: dict[int, Line] = {}
    others: dict[int, list[int]] = {}
    lowest = {voice.track: voice.lowest for pair in pairs for voice in pair}
    for low, high in pairs:
        for voice, other in ((low, high), (high, low)):
            others.setdefault(voice.track, []).append(other.track)
            unknown = {bar for track, bar in around.unknown if track == voice.track}
            lines.setdefault(voice.track, stave.line(voice, unknown))
    places = {i: (track, stave.place(bar, 0)) for i, (track, bar) in melodic.items() if track in lines}
    return Leading(step.tokenizer.vocabulary, places, lowest, others, lines)
