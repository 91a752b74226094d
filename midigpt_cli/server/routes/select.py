"""POST /model/select: serve another model from now on, or stay with the old one where that fails."""

from __future__ import annotations

import asyncio
import os
from dataclasses import MISSING, dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from midigpt_cli.parse.magenta import checkpoint_of
from midigpt_cli.server.body import ID, read_message
from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.loaded_models import ModelEntry, ModelSpec
from midigpt_cli.server.request_models import body_of
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.shared_descriptions import UNUSED
from midigpt_cli.server.state import ServerState, state_of
from midigpt_core.errors import CheckpointError
from midigpt_core.fields import read, setting
from midigpt_core.jam import Jam, JamSettings
from midigpt_core.model.hub import resolve
from midigpt_core.model.names import HubReference, hub_reference, shown
from midigpt_core.request import InferenceConfig
from midigpt_core.score import Track

router = APIRouter(tags=["server"])
HUB = "hub"  # in --allow-model: any published name and hub repository
_PREWARM = (Track(track_type="drum"), Track(instrument=33))


@dataclass(frozen=True)
class SelectBody:
    """The new default model."""

    model: str = setting(MISSING, "an id of GET /models, or a model that the server may load (--allow-model)")
    id: str | None = setting(None, "id to serve it under (default: derived from its name)")
    dry_run: bool = setting(False, "check whether it can be loaded and change nothing")
    prewarm: bool = setting(False, "write one bar with it before switching")
    stop_active: bool = setting(False, "end running jams instead of refusing with 409")


class SelectAnswer(BaseModel):
    """The default model after the call."""

    model: str = Field(description="id of the default model")
    checkpoint: str = Field(description="name or file of its weights")
    previous: str = Field(description="id of the default model before")
    loaded: bool = Field(description="it was loaded by this call (false: it was loaded before)")
    dry_run: bool = Field(description="nothing was changed")
    warmup_done: bool = Field(description="a bar was written with it")
    jams_stopped: int = Field(description="number of jams that were ended")
    unused: list[str] | None = Field(None, description=UNUSED)


@router.post(
    "/model/select",
    summary="Serve another model",
    responses={**json_answer(SelectAnswer), **ERRORS},
    openapi_extra=body_of("SelectBody"),
)
async def select(request: Request) -> dict[str, Any]:
    """Load a model, test it, and make it the default. If one of these fails, nothing changes.

    A model that an earlier call loaded is unloaded; those the server was started with stay available under their ids.
    Running requests finish with their model. 409 while jams are running, unless `stop_active` is set.
    """
    state = state_of(request)
    data, repo, unused = checkpoint_of(await read_message(request))
    selection = _read(data)
    models, before = state.models, state.models.default
    known = selection.model in models.by_id
    if not known:
        _check_allowed(state, selection.model, repo)
    if not selection.dry_run:
        _check_jams(state, selection)
    if state.selecting.locked():
        raise RefusalError(409, "another model is being selected; try again when that is done")
    async with state.selecting:
        entry = await asyncio.to_thread(_ready, state, selection)
        stopped = 0
        if not selection.dry_run:
            _check_jams(state, selection)  # one may have begun meanwhile
            stopped = state.jams.close_all("another model was selected")
            models.take_over(entry, loaded=not known)
    return {
        "model": entry.id,
        "checkpoint": entry.label,
        "previous": before,
        "loaded": not known,
        "dry_run": selection.dry_run,
        "warmup_done": selection.prewarm,
        "jams_stopped": stopped,
        **({"unused": list(unused)} if unused else {}),
    }


def names_allowed(settings: ServerSettings) -> list[str]:
    """What callers are told of --allow-model: names and hub repositories, but no path of this machine."""
    names = [name for name in settings.allow_model if shown(name) == name]
    return [name for name in names if name == HUB or hub_reference(name) is not None]


def _read(data: Any) -> SelectBody:
    body = read(SelectBody, data, "")
    for key, value in (("model", body.model), ("id", body.id)):
        if value is not None and (not value or "\0" in value):
            raise RefusalError(422, f"{key} is not a name; give a string, such as one of GET /models", field=key)
    if body.id and not ID.fullmatch(body.id):
        raise RefusalError(422, f"id {body.id[:40]!r} is not a valid id; use letters, digits and . _ : -", field="id")
    return body


def _check_allowed(state: ServerState, reference: str, repo: str | None = None) -> None:
    """Only what the server was started with may be loaded; whether anything else is there is not even looked at.

    A repository that is allowed stands for all of its checkpoints.
    """
    allowed = state.settings.allow_model
    if reference in allowed or repo in allowed or (HUB in allowed and hub_reference(reference) is not None):
        return
    raise RefusalError(
        403,
        f"model {reference[:80]!r} is not served, and may not be loaded by callers; choose one of GET /models, or "
        "start the server with --allow-model",
        field="model",
    )


def _check_jams(state: ServerState, selection: SelectBody) -> None:
    count = len(state.jams.playing())
    if count and not selection.stop_active:
        raise RefusalError(
            409, f"{count} jams are playing; wait for them, or send stop_active: true", field="stop_active"
        )


def _ready(state: ServerState, selection: SelectBody) -> ModelEntry:
    """The model, loaded and tried. Raises RefusalError (422), and nothing has changed then."""
    try:
        entry = state.models.by_id.get(selection.model) or _load(state, selection)
        if selection.prewarm:
            _warm(entry)
    except CheckpointError as error:
        kept = state.models.default
        raise RefusalError(422, f"{error} (model {kept!r} is still served)", field="model") from error
    return entry


def _load(state: ServerState, selection: SelectBody) -> ModelEntry:
    reference = selection.model
    stem = Path(reference.rpartition(":")[2] if hub_reference(reference) else reference).stem
    made = "".join(c if ID.fullmatch(c) else "-" for c in stem) or "selected"
    name = (selection.id or made)[:128]
    taken = state.models.by_id.get(name)
    if taken is not None and name != state.models.selected:
        raise RefusalError(409, f"id {name!r} is taken by {taken.label}; give another id", field="id")
    place = None if reference in state.settings.allow_model else hub_reference(reference)
    return replace(_from(place or reference, name, state.settings.max_lanes), label=str(place or shown(reference)))


def _from(place: str | HubReference, name: str, max_lanes: int) -> ModelEntry:
    """Load a model. Raises CheckpointError, which names the file, but not its folder."""
    folders = [Path(place).expanduser().parent] if isinstance(place, str) and shown(place) != place else []
    try:
        file = resolve(place)
        folders.append(file.parent)
        return ModelSpec(name, str(file), local=True).load(max_lanes)
    except CheckpointError as error:
        message = str(error)
        for folder in folders:
            message = message.replace(f"{folder}{os.sep}", "")
        raise CheckpointError(message) from error


def _warm(entry: ModelEntry) -> None:
    Jam(entry.engine, JamSettings(tracks=_PREWARM, config=InferenceConfig(seed=0, max_attempts=1))).next_chunk()
