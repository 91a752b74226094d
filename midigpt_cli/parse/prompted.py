"""Join a request with what a prompt in words asks for; what the request says itself wins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from midigpt_cli.options.groups import Context, Music
from midigpt_cli.options.settings import Settings
from midigpt_cli.parse.request import RequestOptions, build_request
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_core.attributes.table import AttributeTable


def joined(request: GenerationRequest, prompt: str | None, score: Score, table: AttributeTable) -> GenerationRequest:
    """The request with the prompt's attributes and controls on the tracks it writes. Raises RequestValidationError."""
    targets = {track.id: track.bars for track in request.tracks if track.bars and 0 <= track.id < len(score.tracks)}
    if prompt is None or not targets:
        return request
    asked = build_request(RequestOptions(targets, Music(prompt=prompt), Context(), Settings()), score, table)
    tracks = [
        replace(
            track,
            attributes={**asked.tracks[track.id].attributes, **track.attributes},
            controls={**asked.tracks[track.id].controls, **track.controls},
        )
        if track.id in targets
        else track
        for track in request.tracks
    ]
    return replace(request, tracks=tracks)
