"""GET /health, /info, /models and /metrics: what this server is and how it is doing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.shared_descriptions import MODEL
from midigpt_cli.server.state import state_of
from midigpt_core.music import GRIDS, SCALES
from midigpt_core.tokens.types import TokenType

router = APIRouter(tags=["meta"])
_ALWAYS = ("tension", "note_density", "min_polyphony", "max_polyphony", "min_note_duration", "max_note_duration")


class HealthAnswer(BaseModel):
    """The server runs."""

    status: str = Field(description="ok while the server runs", examples=["ok"])
    inflight: int = Field(description="number of requests waiting or running")
    running: int = Field(description="number of requests running")
    max_queue: int = Field(description="most requests that may wait; further ones get 503")
    closing: bool = Field(description="the server is stopping and accepts no new requests")


class ReadyAnswer(BaseModel):
    """Whether the server takes requests."""

    status: str = Field(description="ready, or why not", examples=["ready", "draining", "job store out of reach"])


class InfoAnswer(BaseModel):
    """What one model can do."""

    model: str = Field(description="id of the model")
    default_model: str = Field(description="id of the model that requests without one use")
    checkpoint: str = Field(description="name or file of its weights")
    capabilities: dict[str, Any] = Field(description="what it supports: windows, scales, grids, time signatures, ...")
    attributes: dict[str, int] = Field(description="number of levels of each attribute; they count from 0")
    attribute_track_types: dict[str, str] = Field(
        description="kind of track each attribute applies to: melodic, drum or both"
    )
    attribute_levels: dict[str, str] = Field(description="whether each attribute applies to a track or a bar")
    attribute_titles: dict[str, str] = Field(description="name of each attribute for people, such as Note density")
    attribute_labels: dict[str, list[str]] = Field(description="name of each level, if levels have names")
    resolution: int = Field(description="ticks per quarter note inside the model")


class ModelAnswer(BaseModel):
    """One model that is served."""

    id: str = Field(description="what requests give as model")
    checkpoint: str = Field(description="name or file of its weights")


class ModelsAnswer(BaseModel):
    """The models that are served."""

    default_model: str = Field(description="id of the model that requests without one use")
    models: list[ModelAnswer] = Field(description="all models that are served")


@router.head("/health", include_in_schema=False)
@router.get("/health", responses=json_answer(HealthAnswer), summary="Whether the server runs")
async def health(request: Request) -> dict[str, Any]:
    """Liveness probe; needs no key."""
    queue = state_of(request).queue
    return {
        "status": "ok",
        "inflight": len(queue.in_flight),
        "running": queue.running,
        "max_queue": queue.settings.max_queue,
        "closing": queue.closing,
    }


@router.head("/ready", include_in_schema=False)
@router.get(
    "/ready",
    responses={
        **json_answer(ReadyAnswer),
        503: {"model": ReadyAnswer, "description": "Not ready: send requests elsewhere"},
    },
    summary="Whether the server takes requests",
)
async def ready(request: Request, response: Response) -> dict[str, Any]:
    """Readiness probe; needs no key. Answers 503 while the server is stopping or cannot reach its job store."""
    state = state_of(request)
    status = "ready"
    if state.draining or state.queue.closing:
        status = "draining"
    elif not await state.queue.in_thread(lambda: state.jobs.reachable):
        status = "job store out of reach"
    response.status_code = 200 if status == "ready" else 503
    return {"status": status}


@router.get("/info", responses={**json_answer(InfoAnswer), **ERRORS}, summary="What a model can do")
async def info(request: Request, model: str | None = Query(None, description=MODEL)) -> dict[str, Any]:
    """Capabilities, attributes and resolution of one model."""
    models = state_of(request).models
    entry = models.get(model)
    controls = entry.engine.tokenizer.attributes
    return {
        "model": entry.id,
        "default_model": models.default,
        "checkpoint": entry.label,
        "capabilities": capabilities(entry),
        "attributes": {control.name: control.size for control in controls},
        "attribute_track_types": {control.name: control.track_type for control in controls},
        "attribute_levels": {control.name: control.level for control in controls},
        "attribute_titles": {control.name: control.full_title for control in controls},
        "attribute_labels": {control.name: list(control.labels()) for control in controls if control.labels()},
        "resolution": entry.engine.tokenizer.config.resolution,
    }


@router.get("/models", responses=json_answer(ModelsAnswer), summary="Which models are served")
async def models(request: Request) -> dict[str, Any]:
    """Ids of the models and their weights; requests give an id as `model`."""
    served = state_of(request).models
    listed = [{"id": entry.id, "checkpoint": entry.label} for entry in served.by_id.values()]
    return {"default_model": served.default, "models": listed}


@router.get("/metrics", response_class=PlainTextResponse, summary="Metrics for Prometheus")
async def metrics(request: Request) -> Response:
    """Requests by outcome, length of the queue, sequences written at once, tokens and latencies."""
    return PlainTextResponse(state_of(request).telemetry.text(), media_type="text/plain; version=0.0.4")


def capabilities(entry: ModelEntry) -> dict[str, Any]:
    """Every capability a client may ask for before it sends a request."""
    tokenizer = entry.engine.tokenizer
    config, has = tokenizer.config, tokenizer.vocabulary.has
    onset, position = has(TokenType.NOTE_ONSET) or has(TokenType.NOTE_PITCH), has(TokenType.TIME_ABSOLUTE_POS)
    return {
        **{name: name in tokenizer.attributes.names for name in _ALWAYS},
        "supports_token_mask": has(TokenType.MASK_BAR),
        "supports_attention_mask": True,
        "supports_attention_approx": True,
        "supports_attention_skip": True,
        "supports_remove": True,
        "supports_infill": config.supports_infill,
        "supports_pitch_mask": onset,
        "pitch_mask_scale_presets": sorted(SCALES),
        "supports_rhythm_mask": position,
        "rhythm_mask_grid_units": sorted(GRIDS),
        "supports_remix": onset and position,
        "supports_streaming": True,
        "supports_candidate_streaming": True,
        "model_dim_options": sorted(config.num_bars_map),
        "max_context_tokens": entry.engine.model.n_positions,
        "time_signatures": [f"{numerator}/{denominator}" for numerator, denominator in config.time_signatures],
        "switchable_velocity": config.switchable_velocity,
        "switchable_microtiming": config.switchable_microtiming,
        "genres": list(config.genres),
    }
