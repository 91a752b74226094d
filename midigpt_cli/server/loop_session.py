"""Loops on the server: all variations of one as a session, and what a prompt asks of its tracks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from midigpt_cli.parse.prompt_request import joined
from midigpt_core import trace
from midigpt_core.engine import InferenceEngine, SamplingSession
from midigpt_core.errors import CancelledError
from midigpt_core.generation.request_checks import check_request
from midigpt_core.loop import Variation, loop
from midigpt_core.midi_file.excerpt import excerpt
from midigpt_core.request import GenerationRequest, LoopRequest, TrackPrompt
from midigpt_core.score import Score


class LoopSession(SamplingSession):
    """All variations of a loop, run as one session."""

    def __init__(self, engine: InferenceEngine, song: Score, loop_request: LoopRequest) -> None:
        """Raises RequestValidationError where the loop's bars cannot be written so."""
        self.song, self.loop_request, self.tokens, self.bars = song, loop_request, 0, 0
        bars = list(range(loop_request.end - loop_request.first))
        prompts = [
            replace(loop_request.prompts.get(t, TrackPrompt(t)), bars=bars if t in loop_request.tracks else [])
            for t in range(len(song.tracks))
        ]
        part = excerpt(song, loop_request.first, loop_request.end)
        request = GenerationRequest(prompts, loop_request.config)
        check_request(request, part, engine.tokenizer.config, engine.tokenizer.attributes)
        config = replace(loop_request.config, num_candidates=loop_request.variations)
        super().__init__(engine, part, replace(request, config=config))

    @property
    def gen_count(self) -> int:
        return self.bars

    @property
    def token_count(self) -> int:
        return self.tokens

    def run_takes(self) -> Any:
        """The variations."""

        def follow(event: trace.Event) -> None:
            if isinstance(event, trace.StepDone):
                self.tokens += event.tokens
            self.listener(event)

        found: list[Variation] = []
        for variation in loop(self.engine, self.song, self.loop_request, follow, self.cancel_event.is_set):
            found.append(variation)
            self.bars += len(self.loop_request.tracks) * variation.score.n_bars
            if self.cancel_event.is_set() and len(found) < self.loop_request.variations:
                raise CancelledError("stopped between two variations")
        return found


def worded(request: LoopRequest, prompt: str | None, song: Score, engine: InferenceEngine) -> LoopRequest:
    """The request with what a prompt asks of the tracks to be written."""
    if prompt is None:
        return request
    part = excerpt(song, request.first, request.end)
    bars = list(range(part.n_bars))
    asked = [replace(request.prompts.get(t, TrackPrompt(t)), bars=bars) for t in request.tracks]
    found = joined(GenerationRequest(asked, request.config), prompt, part, engine.tokenizer.attributes)
    return replace(request, prompts={**request.prompts, **{t.id: replace(t, bars=[]) for t in found.tracks}})
