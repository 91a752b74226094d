"""Write variations of a few bars that loop without a seam and may follow one another in any order.

The model reads a circle: the loop's end stands before its beginning, its beginning after its end. The first variation
is written bar by bar round the circle, its last bar hearing the first; every further one hears the first variation's
ends on both sides, so that each fits behind and before each other. All are equally long, to the tick.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from midigpt_core import trace
from midigpt_core.engine import InferenceEngine
from midigpt_core.fields import check, refused
from midigpt_core.generation.fit_context import narrowed
from midigpt_core.generation.request_plan import draw_seed, fitting_plan
from midigpt_core.generation.take import Take
from midigpt_core.generation.tokens_to_notes import original_tokens
from midigpt_core.midi_file.excerpt import closed, excerpt
from midigpt_core.model.base import log_softmax, on_host
from midigpt_core.music import tempo_of
from midigpt_core.plain_sum import plain_sum
from midigpt_core.plan.steps import Step
from midigpt_core.request import AUTO, GenerationRequest, LoopRequest, TrackPrompt
from midigpt_core.score import Bar, Score, Track


@dataclass(frozen=True)
class Variation:
    """One finished loop."""

    score: Score  # the loop's bars alone
    number: int  # from 1
    seed: int
    consensus: float  # how much the other candidates agree with it
    logprob: float  # mean per token, under the model given its context
    seam: float  # mean log-probability per token of the first bar after the last, on the written tracks
    accepted: bool  # every step passed its checks
    rejected: tuple[str, ...]


def loop(
    engine: InferenceEngine,
    score: Score,
    request: LoopRequest,
    listen: trace.Listener = trace.ignore,
    cancelled: Callable[[], bool] = bool,
) -> Iterator[Variation]:
    """Write the variations one after the other. Raises RequestValidationError before any work."""
    check_loop(request, score)
    base = excerpt(score, request.first, request.end, _tempo(request), wrap=request.seam == "wrap")
    seed = request.config.seed if request.config.seed >= 0 else draw_seed()
    circle = _Circle(engine, base, replace(request, config=replace(request.config, seed=seed)), listen, cancelled)
    first = circle.first_variation()
    yield circle.finished(first, 1, first)
    if request.variations > 1:
        for number, take in enumerate(circle.further_variations(first.score), 2):
            yield circle.finished(take, number, first)


def check_loop(request: LoopRequest, score: Score) -> None:
    """Raises RequestValidationError naming the field."""
    check(request, "")
    n_bars, n_tracks = score.n_bars, len(score.tracks)
    if not 0 <= request.first < n_bars:
        here = f"it has bars 0 to {n_bars - 1}" if n_bars else "it has none"
        raise refused("first", request.first, "is not a bar of this song", here)
    if not request.first < request.end <= n_bars:
        raise refused(
            "end", request.end, "cannot be the end of a loop of this song", f"use {request.first + 1} to {n_bars}"
        )
    if not request.tracks:
        raise refused("tracks", [], "names no track to write", "name at least one")
    if request.config.distance:
        raise refused("config.distance", request.config.distance, "is for infill", "drop it")
    for track in request.tracks:
        if not 0 <= track < n_tracks:
            raise refused("tracks", track, f"is not a track of this song of {n_tracks}", f"use 0 to {n_tracks - 1}")


class _CancelEvent(threading.Event):
    """Set as soon as the caller says so."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        super().__init__()
        self.cancelled = cancelled

    def is_set(self) -> bool:
        return self.cancelled()


def _tempo(request: LoopRequest) -> int | None:
    return tempo_of(request.bpm) if request.bpm else None


@dataclass
class _Circle:
    """The loop with its own end before it and its own beginning after it."""

    engine: InferenceEngine
    base: Score
    request: LoopRequest
    listen: trace.Listener
    cancelled: Callable[[], bool]

    def __post_init__(self) -> None:
        self.n_bars = self.base.n_bars
        windows = sorted(self.engine.tokenizer.config.num_bars_map) or [self.n_bars + 2]
        self.window = next((w for w in windows if w >= self.n_bars + 2), windows[-1])
        room = max(2, self.window - self.n_bars)
        self.left = min(self.n_bars, (room + 1) // 2)
        self.right = min(self.n_bars, room - (room + 1) // 2)

    # ---- writing ----

    def first_variation(self) -> Take:
        """Round the circle: all bars but the last, then the last, which hears the new first bar behind it."""
        bars = list(range(self.n_bars))
        if len(bars) == 1:
            return self._write(self.base, bars, self._flanks(), 1, 0)[0]
        begun = self._write(self.base, bars[:-1], [*self._flanks(), self.left + bars[-1]], 1, 0)[0]
        before_end = [bar for bar in self._flanks() if self._source(bar) == bars[-1]]
        done = self._write(begun.score, bars[-1:], before_end, 1, 0)[0]
        tokens = begun.tokens + done.tokens
        return replace(
            done,
            consensus=(begun.consensus * (len(bars) - 1) + done.consensus) / len(bars),
            logprob=(begun.logprob * begun.tokens + done.logprob * done.tokens) / max(1, tokens),
            tokens=tokens,
            attempts=begun.attempts + done.attempts,
            rejected=(*begun.rejected, *done.rejected),
            accepted=begun.accepted and done.accepted,
            truncated=begun.truncated or done.truncated,
        )

    def further_variations(self, first: Score) -> Sequence[Take]:
        """Variations between the ends of the first one, all in one batch."""
        bars = list(range(self.n_bars))
        return self._write(first, bars, [], self.request.variations - 1, 1)

    def finished(self, take: Take, number: int, first: Take) -> Variation:
        """A take as callers see it: closed at the seam, and how well the seam is liked."""
        closed_tracks = [
            closed(track, take.score.resolution, self.request.seam == "wrap") if t in self.request.tracks else track
            for t, track in enumerate(take.score.tracks)
        ]
        score = replace(take.score, tracks=closed_tracks)
        seed = self.request.config.seed + number - 1
        return Variation(
            score, number, seed, take.consensus, take.logprob, self.seam_score(score), take.accepted, take.rejected
        )

    def seam_score(self, score: Score) -> float:
        """Mean log-probability per token of the loop's first bar, read after its last."""
        circular = self._around(score)
        request = self._request(circular, [0], [], 1, 0)
        request = replace(
            request, config=replace(request.config, tracks_per_step=AUTO)
        )  # all tracks in one step, where they fit
        tokenizer, model = self.engine.tokenizer, self.engine.model
        cells = [(track, self.left) for track in self.request.tracks]
        steps = fitting_plan(request, circular, cells, tokenizer, 0, model.n_positions)
        found = [logprob for step in steps for logprob in self._logprobs(circular, step, request)]
        return plain_sum(found) / max(1, len(found))

    def _logprobs(self, circular: Score, step: Step, request: GenerationRequest) -> list[float]:
        """The log-probability of each token of a step's bars as they stand, as far as they fit the model."""
        model = self.engine.model
        prompt, _ = narrowed(self.engine.tokenizer, circular, step, request, (), model.n_positions)
        before = len(prompt.prompt.tokens)
        ids = [*prompt.prompt.tokens, *original_tokens(prompt)][: model.n_positions]
        logprobs = log_softmax(on_host(model.logits(ids))[before - 1 : -1])
        return [float(row[token]) for row, token in zip(logprobs, ids[before:], strict=True)]

    def _write(
        self, score: Score, bars: Sequence[int], hidden: Collection[int], variations: int, offset: int
    ) -> list[Take]:
        """Takes of the loop with these bars of it written anew; `hidden` bars of the circle are not heard."""
        circular = self._around(score)
        session = self.engine.session(circular, self._request(circular, bars, hidden, variations, offset))
        session.listener = self.listen
        session.cancel_event = _CancelEvent(self.cancelled)
        takes = session.run_takes().takes
        return [replace(take, score=self._unrolled(take.score, score, bars)) for take in takes]

    def _request(
        self, circular: Score, bars: Sequence[int], hidden: Collection[int], variations: int, offset: int
    ) -> GenerationRequest:
        config = replace(
            self.request.config,
            model_dim=self.window,
            num_candidates=variations,
            seed=self.request.config.seed + offset,
        )
        prompts = []
        for track in range(len(circular.tracks)):
            prompt = self.request.prompts.get(track, TrackPrompt(track))
            if track in self.request.tracks:
                attributes = {bar + self.left: values for bar, values in prompt.bar_attributes.items() if bar in bars}
                controls = {bar + self.left: values for bar, values in prompt.bar_controls.items() if bar in bars}
                prompt = replace(
                    prompt,
                    bars=[bar + self.left for bar in bars],
                    mask_bars=sorted(hidden),
                    bar_attributes=attributes,
                    bar_controls=controls,
                )
            prompts.append(prompt)
        return GenerationRequest(prompts, config)

    # ---- the circle ----

    def _source(self, bar: int) -> int:
        """The bar of the loop that stands at this place of the circle."""
        return (bar - self.left) % self.n_bars

    def _flanks(self) -> list[int]:
        """Places of the circle outside the loop itself."""
        total = self.left + self.n_bars + self.right
        return [bar for bar in range(total) if not self.left <= bar < self.left + self.n_bars]

    def _around(self, score: Score) -> Score:
        total = self.left + self.n_bars + self.right
        tracks = [replace(t, bars=[t.bars[self._source(bar)] for bar in range(total)]) for t in score.tracks]
        return replace(score, tracks=tracks, source=None)

    def _unrolled(self, circular: Score, before: Score, bars: Sequence[int]) -> Score:
        """The loop, with the written bars taken out of the circle."""
        tracks: list[Track] = []
        for t, track in enumerate(before.tracks):
            new: list[Bar] = list(track.bars)
            for bar in bars if t in self.request.tracks else ():
                new[bar] = replace(new[bar], notes=list(circular.tracks[t].bars[bar + self.left].notes))
            tracks.append(replace(track, bars=new))
        return replace(before, tracks=tracks)
