"""The shapes of requests and answers for OpenAPI, derived from the library's own dataclasses."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import models_json_schema

from midigpt_core import score as scores
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt

REF = "#/components/schemas/{model}"
_STRICT = ConfigDict(extra="forbid")
_MADE: dict[type, type[BaseModel]] = {}


def model_of(cls: type) -> type[BaseModel]:
    """A pydantic model with the fields, defaults, ranges and meanings of a dataclass."""
    if cls not in _MADE:
        hints = get_type_hints(cls, localns={"MidiSource": object})
        rows: dict[str, Any] = {}
        for row in dataclasses.fields(cls):
            if not row.metadata.get("hidden"):
                rows[row.name] = _row(row, hints[row.name])
        _MADE[cls] = create_model(cls.__name__, __config__=_STRICT, __doc__=_first_line(cls), **rows)
    return _MADE[cls]


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _row(row: dataclasses.Field[Any], hint: Any) -> tuple[Any, Any]:
    extra: dict[str, Any] = {}
    meta = row.metadata
    if "help" in meta:
        extra["description"] = meta["help"]
        low, high = meta.get("low"), meta.get("high")
        extra |= {"gt" if meta.get("open_low") else "ge": low} if low is not None else {}
        extra |= {"lt" if meta.get("open_high") else "le": high} if high is not None else {}
    if "example" in meta:
        extra["examples"] = [meta["example"]]
    if row.default is not dataclasses.MISSING:
        extra["default"] = row.default
    elif row.default_factory is not dataclasses.MISSING:
        extra["default_factory"] = row.default_factory
    return _hint(row, hint), Field(**extra)


def _hint(row: dataclasses.Field[Any], hint: Any) -> Any:
    if "model" in row.metadata:
        return model_of(row.metadata["model"]) | None
    words = row.metadata.get("choices")
    if words:
        return list[Literal[words]] if get_origin(hint) is list else Literal[words]  # type: ignore[valid-type]
    if row.metadata.get("words"):
        return int | Literal[tuple(row.metadata["words"])]  # type: ignore[valid-type]
    if get_origin(hint) is list and dataclasses.is_dataclass(get_args(hint)[0]):
        return list[model_of(get_args(hint)[0])]  # type: ignore[misc]
    return model_of(hint) if dataclasses.is_dataclass(hint) else hint  # type: ignore[arg-type]


ScoreModel = model_of(scores.Score)
RequestModel = model_of(GenerationRequest)
ConfigModel = model_of(InferenceConfig)
PromptModel = model_of(TrackPrompt)

SEED_SCORE: Any = {
    "resolution": 480,
    "tempo": 500000,
    "tracks": [
        {
            "instrument": 0,
            "track_type": "melodic",
            "bars": [{"ts_numerator": 4, "ts_denominator": 4, "notes": []} for _ in range(4)],
        }
    ],
}
SEED_REQUEST: Any = {"tracks": [{"id": 0, "bars": [0, 1, 2, 3]}], "config": {"model_dim": 4}}


class GenerateBody(BaseModel):
    """A score, what to write into it, and how to answer."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"score": SEED_SCORE, "request": SEED_REQUEST}]}
    )

    score: ScoreModel  # type: ignore[valid-type]
    request: RequestModel  # type: ignore[valid-type]
    request_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._:-]{1,128}$", description="the caller's own id, needed to cancel; else one is made"
    )
    stream: bool = Field(False, description="answer with server-sent events as bars are finished")
    model: str | None = Field(None, description="an id of GET /models; the default model if left out")
    prompt: str | None = Field(None, description="in words how the tracks are to sound; GET /words tells it apart")


class JobBody(BaseModel):
    """A job: score and request, or a .mid file and the options of /infill."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"score": SEED_SCORE, "request": SEED_REQUEST}]}
    )

    kind: Literal["generate", "infill"] | None = Field(None, description="follows from what is given if left out")
    score: ScoreModel | None = None  # type: ignore[valid-type]
    request: RequestModel | None = None  # type: ignore[valid-type]
    midi: str | None = Field(None, description="a .mid file in base64")
    options: dict[str, Any] | None = Field(None, description="fields of /infill: bars, track, ...; both count from 1")
    model: str | None = None
    webhook_url: str | None = Field(None, description="called with this job when it has ended, signed")


BODIES: list[type[BaseModel]] = [GenerateBody, JobBody]


def body_of(name: str, content_type: str = "application/json") -> dict[str, Any]:
    """The request body of a route that reads it by itself: a component of this module by name."""
    schema = {"$ref": REF.format(model=name)}
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema}}}}


def components(models: list[type[BaseModel]]) -> dict[str, Any]:
    """The OpenAPI components of request bodies."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    return dict(found.get("$defs", {}))
