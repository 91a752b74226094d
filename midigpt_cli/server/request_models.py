"""The shapes of requests and answers for OpenAPI, derived from the library's own dataclasses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import models_json_schema

from midigpt_core import score as scores
from midigpt_core.request import GenerationRequest, InferenceConfig

REF = "#/components/schemas/{model}"
_STRICT = ConfigDict(extra="forbid")
_MADE: dict[type, type[BaseModel]] = {}


def model_of(cls: type, example: Any = None) -> type[BaseModel]:
    """A pydantic model with the fields, defaults, ranges and meanings of a dataclass."""
    if cls not in _MADE:
        hints = get_type_hints(cls, localns={"MidiSource": object})
        rows: dict[str, Any] = {}
        for row in dataclasses.fields(cls):
            if not row.metadata.get("hidden"):
                rows[row.name] = _row(row, hints[row.name])
        config = ConfigDict(**_STRICT, json_schema_extra={"examples": [example]}) if example else _STRICT
        _MADE[cls] = create_model(cls.__name__, __config__=config, __doc__=_first_line(cls), **rows)
    return _MADE[cls]


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _row(row: dataclasses.Field[Any], hint: Any) -> tuple[Any, Any]:
    meta = row.metadata
    extra: dict[str, Any] = {"title": meta["label"]} if "label" in meta else {}
    if "help" in meta:
        extra["description"] = meta["help"]
        low, high = meta.get("low"), meta.get("high")
        limits = {"gt" if meta.get("open_low") else "ge": low} if low is not None else {}
        limits |= {"lt" if meta.get("open_high") else "le": high} if high is not None else {}
        if get_origin(hint) is list and limits:  # of each in the list
            hint = list[Annotated[get_args(hint)[0], Field(**limits)]]  # type: ignore[misc]
        else:
            extra |= limits
    if "pattern" in meta:
        extra["pattern"] = meta["pattern"]
    if "example" in meta:
        extra["examples"] = [meta["example"]]
    if row.default is not dataclasses.MISSING:
        extra["default"] = row.default
    elif row.default_factory is not dataclasses.MISSING:
        extra["default_factory"] = row.default_factory
    return _hint(row, hint), Field(**extra)


def _hint(row: dataclasses.Field[Any], hint: Any) -> Any:
    """The type that says what a field takes: words where it has choices, a model where it holds another's form."""
    meta = row.metadata
    if meta.get("spoken"):
        return hint | str
    if "model" in meta:
        found: Any = model_of(meta["model"])
    elif meta.get("choices"):
        words: Any = Literal.__getitem__(meta["choices"])
        found = list[words] if get_origin(hint) is list else words
    elif meta.get("words"):
        found = int | Literal[tuple(meta["words"])]
    elif get_origin(hint) is list and dataclasses.is_dataclass(get_args(hint)[0]):
        found = list[model_of(get_args(hint)[0])]  # type: ignore[misc]
    else:
        found = model_of(hint) if isinstance(hint, type) and dataclasses.is_dataclass(hint) else hint
    return found | None if type(None) in get_args(hint) else found


if TYPE_CHECKING:
    ScoreModel: TypeAlias = BaseModel
    RequestModel: TypeAlias = BaseModel
    ConfigModel: TypeAlias = BaseModel
else:
    ScoreModel = model_of(scores.Score)
    RequestModel = model_of(GenerationRequest)
    ConfigModel = model_of(InferenceConfig)

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


def body_of(name: str, content_type: str = "application/json") -> dict[str, Any]:
    """The request body of a route that reads it by itself: a component of this module by name."""
    schema = {"$ref": REF.format(model=name)}
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema}}}}


def components(models: list[type[BaseModel]]) -> dict[str, Any]:
    """The OpenAPI components of request bodies."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    return dict(found.get("$defs", {}))
