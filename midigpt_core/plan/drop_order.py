"""Which context tracks to leave out of a step first, and how long a step will get."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence

from midigpt_core.plan.roles import relevance, role
from midigpt_core.plan.steps import Step
from midigpt_core.score import DRUM, Score

_TOKENS_PER_NOTE = {True: 2.5, False: 3.5}  # by drums or not: position, velocity, pitch, and a duration if melodic
_TOKENS_PER_BAR = 4  # its own tokens: begin, metre, end, and a little for attributes
_NOTES_IN_A_BAR = {True: 22, False: 10}  # by drums or not, where a track has no bar to go by


def drop_order(
    score: Score,
    step: Step,
    keep: Collection[int] = (),
    first: Sequence[int] = (),
) -> list[int]:
    """Every track that may be left out, in the order they go: `first` as listed, then the least related, per token.

    The tokens of a track are guessed from its notes in the window.
    """
    candidates = set(range(len(score.tracks))).difference(keep, (track for track, _ in step.cells))
    listed = [track for track in dict.fromkeys(first) if track in candidates]
    others = candidates.difference(listed)
    return listed + by_relevance(score, step, others, guessed_costs(score, step, others))


def guessed_costs(score: Score, step: Step, tracks: Iterable[int]) -> dict[int, int]:
    """About how many tokens each of these tracks takes in the step's prompt."""
    costs = {}
    for number in tracks:
        track = score.tracks[number]
        notes = track.count_notes(step.start_bar, step.end_bar)
        costs[number] = round(_TOKENS_PER_BAR * step.n_bars + _TOKENS_PER_NOTE[track.track_type == DRUM] * notes)
    return costs


def by_relevance(score: Score, step: Step, tracks: Collection[int], token_costs: Mapping[int, int]) -> list[int]:
    """`tracks`, those first that tell least about the step's targets for the tokens they take."""
    written = sorted({track for track, _ in step.cells})
    roles = {n: role(score.tracks[n], step.start_bar, step.end_bar) for n in (*tracks, *written)}

    def worth(number: int) -> float:
        track = score.tracks[number]
        best = max(relevance(score.tracks[target], roles[target], track, roles[number]) for target in written)
        return best / max(1, token_costs[number])

    return sorted(tracks, key=lambda number: (worth(number), -token_costs[number], number))


def expected_tokens(score: Score, step: Step) -> int:
    """About how many tokens the step will write, going by the notes its bars have now, else by the track's others."""
    total = 0.0
    for number in {track for track, _ in step.cells}:
        track = score.tracks[number]
        drums = track.track_type == DRUM
        inside = track.bars[step.start_bar : step.end_bar]
        others = [bar.n_notes for bar in inside if bar.n_notes]
        usual = statistics.median(others) if others else _NOTES_IN_A_BAR[drums]
        for owner, place in step.cells:
            if owner == number:
                notes = track.bars[place].n_notes if place < len(track.bars) else 0
                total += _TOKENS_PER_BAR + _TOKENS_PER_NOTE[drums] * (notes or usual)
    return round(total)
