"""Join a request with what a prompt in words asks for; what the request says itself wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from midigpt_cli.options.dataclass_options import Settings
from midigpt_cli.options.music_options import Music
from midigpt_cli.options.shared_options import Context
from midigpt_cli.parse.build_request import RequestOptions, build_request
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score
from midigpt_core.words import read_prompt

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable


def prompt_answer(
    prompt: str | None, request: GenerationRequest | None = None, own: Sequence[str] = ()
) -> dict[str, Any]:
    """What an answer says of its prompt, under `understood`; nothing without one.

    `own`: what the prompt says and the song or the request decides, such as bpm.
    """
    if prompt is None:
        return {}
    heard = read_prompt(prompt)
    overruled = [f"{name} is not used: it is the song's own" for name in own if getattr(heard, name) is not None]
    from_prompt = {**heard.feels, **{aspect: value for part in heard.parts for aspect, value in part.feels.items()}}
    for track in request.tracks if request else ():
        place = f"tracks[{track.id}]"
        overruled += [
            f"{place}.attributes.{name} wins over the prompt" for name in track.attributes if name in from_prompt
        ]
        controls = {"pitch_mask": heard.scale or from_prompt.get("register"), "rhythm_mask": heard.grid}
        overruled += [f"{place}.controls.{name} wins over the prompt" for name in track.controls if controls.get(name)]
    return {"understood": {**heard.to_dict(), "overruled": overruled}}


def joined(request: GenerationRequest, prompt: str | None, score: Score, table: AttributeTable) -> GenerationRequest:
    """The request with the prompt's attributes and controls on the tracks it writes. Raises RequestValidationError."""
    targets = {track.id: track.bars for track in request.tracks if track.bars and 0 <= track.id < len(score.tracks)}
    if prompt is None or not targets:
        return request
    from_prompt = build_request(RequestOptions(targets, Music(prompt=prompt), Context(), Settings()), score, table)
    tracks = [
        replace(
            track,
            attributes={**from_prompt.tracks[track.id].attributes, **track.attributes},
            controls={**from_prompt.tracks[track.id].controls, **track.controls},
        )
        if track.id in targets
        else track
        for track in request.tracks
    ]
    return replace(request, tracks=tracks)
