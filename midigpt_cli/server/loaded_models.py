"""The models this process serves: loading them by name, and finding one by its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from midigpt_cli.server.http_errors import RefusalError
from midigpt_core.engine import InferenceEngine
from midigpt_core.errors import CheckpointError, short
from midigpt_core.fields import nearest, read, refused, setting
from midigpt_core.model.names import shown


@dataclass(frozen=True)
class ModelEntry:
    """One loaded model."""

    id: str
    engine: InferenceEngine
    label: str  # what callers see of where it is from


@dataclass(frozen=True)
class ModelSpec:
    """One model to be loaded."""

    id: str
    reference: str  # a name, a hub repository, or a path
    filename: str | None = None  # in the repository
    token: str | None = None
    device: str = "auto"
    local: bool = False  # the reference is a path, and must exist

    def load(self, max_lanes: int) -> ModelEntry:
        """Load it. Raises CheckpointError."""
        if self.local and not Path(self.reference).exists():
            raise CheckpointError(
                f"{self.reference}: no such checkpoint; give a .safetensors file, .pt bundle or folder"
            )
        place: dict[str, Any] = {"device": self.device, "max_lanes": max_lanes, "reserve_lanes": max_lanes}
        if self.local:
            engine = InferenceEngine.from_checkpoint(self.reference, **place)
        else:
            token: dict[str, Any] = {"token": self.token} if self.token else {}
            engine = InferenceEngine.from_pretrained(self.reference, self.filename, **token, **place)
        engine.warmup()
        return ModelEntry(self.id, engine, Path(self.reference).name if self.local else shown(self.reference))


class Models:
    """Loaded models by id, and the one that is meant when none is named."""

    def __init__(self, entries: Sequence[ModelEntry], default: str | None = None) -> None:
        if not entries:
            raise refused("models", None, "are missing", "name at least one")
        self.by_id = {entry.id: entry for entry in entries}
        self.default = default or entries[0].id
        self.selected: str | None = None  # the one that was loaded while serving
        if self.default not in self.by_id:
            raise refused("default_model", self.default, "is not served", nearest(self.default, self.by_id))

    def take_over(self, entry: ModelEntry, loaded: bool) -> None:
        """Mean this one from now on when none is named; `loaded`: it is new, and one loaded before makes room."""
        if loaded:
            kept = {name: old for name, old in self.by_id.items() if name != self.selected}
            self.by_id, self.selected = {**kept, entry.id: entry}, entry.id
        self.default = entry.id

    def get(self, model_id: str | None) -> ModelEntry:
        """The model of this id, or the default one. Raises RefusalError."""
        entry = self.by_id.get(model_id or self.default)
        if entry is None:
            raise RefusalError(
                400, f"model {model_id!r} is not served here; {nearest(str(model_id), self.by_id)}", field="model"
            )
        return entry


@dataclass(frozen=True)
class ModelRow:
    """One model of a configuration file."""

    id: str = field(metadata={"help": "a name of its own for the model"})
    ckpt: str | None = None
    pretrained: str | None = None
    hf_repo: str | None = None
    hf_filename: str | None = None
    hf_token: str | None = None
    device: str | None = None
    max_parallel: Any = None  # MIDI-GPT's own server has it; here the server decides for all models


@dataclass(frozen=True)
class ModelsFile:
    """A configuration file, without the settings of the server that may stand in it."""

    models: list[ModelRow] = setting([], "the models to serve", least=1)
    default_model: str | None = None
    device: str | None = None
    hf_repo: str | None = None
    hf_token: str | None = None
    max_parallel: Any = None


def specs_from_file(path: str, known_settings: Sequence[str]) -> tuple[list[ModelSpec], str | None, dict[str, Any]]:
    """(models, default id, server settings) of a YAML file. Raises RequestValidationError naming what is wrong."""
    data = _yaml(path)
    if not isinstance(data, dict) or not data.get("models"):
        raise refused("config", path, "lists no models", "give a top-level list 'models' of {id, ckpt or pretrained}")
    settings = {key: data[key] for key in data if key in known_settings}
    known = [*(each.name for each in fields(ModelsFile)), *known_settings]
    for key in data:
        if key not in known:
            raise refused(f"config.{key}", None, "is not a known key", nearest(str(key), known))
    file = read(ModelsFile, {key: data[key] for key in data if key not in settings}, "config")
    specs = [_spec(row, file, f"config.models[{i}]") for i, row in enumerate(file.models)]
    ids = [spec.id for spec in specs]
    for twice in {i for i in ids if ids.count(i) > 1}:
        raise refused("config.models", twice, "is listed twice", "give every model its own id")
    return specs, file.default_model, settings


def _yaml(path: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise refused("config", path, f"cannot be read ({error.strerror})", "name a YAML file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8
        raise refused("config", path, "is not YAML", short(str(error).replace("\n", " "))) from error


def _spec(row: ModelRow, file: ModelsFile, where: str) -> ModelSpec:
    if not row.id:
        raise refused(where, None, "has no id", "give id and one of ckpt or pretrained")
    device = row.device or file.device or "auto"
    if row.ckpt and not row.pretrained:
        return ModelSpec(row.id, row.ckpt, device=device, local=True)
    if row.ckpt or not row.pretrained:
        raise refused(where, row.id, "needs exactly one of ckpt and pretrained", "drop or add one")
    repo = row.hf_repo or file.hf_repo
    name, filename = row.pretrained, row.hf_filename
    if repo and repo != "Metacreation/MIDI-GPT" and "/" not in name:
        name, filename = repo, filename or f"{name}-final.safetensors"
    return ModelSpec(row.id, name, filename, row.hf_token or file.hf_token, device)
