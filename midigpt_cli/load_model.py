"""Load a model as late as possible: its encoder settings without torch, its weights once, for all songs."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midigpt_cli.gc_tuning import collect_as_usual
from midigpt_cli.options.shared_options import ModelChoice

if TYPE_CHECKING:
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.engine import InferenceEngine
    from midigpt_core.tokens.encoder_config import EncoderConfig


class Model:
    """The model a command runs on; each property is computed on first use."""

    def __init__(self, choice: ModelChoice, lanes: int = 16, reserve_lanes: int = 1) -> None:
        """`lanes`: takes that share a call of the model at most; room for `reserve_lanes` is kept from the start."""
        self.choice, self.lanes, self.reserve_lanes = choice, lanes, reserve_lanes
        self._loading = threading.Lock()

    @cached_property
    def name(self) -> str:
        """As the user said it, or the default."""
        from midigpt_core.model.names import default_model

        return self.choice.model or default_model()

    @cached_property
    def path(self) -> Path:
        """Its file on this machine, fetched if it has to be. Raises CheckpointError."""
        from midigpt_core.model.hub import resolve

        return resolve(self.name)

    @cached_property
    def encoder(self) -> EncoderConfig:
        """What it was trained to read. A .safetensors file tells it without torch."""
        if self.path.suffix != ".safetensors" or "_engine" in self.__dict__:
            return self.engine.tokenizer.config
        from midigpt_core.errors import CheckpointError, EncoderConfigError
        from midigpt_core.model.checkpoint import read_metadata
        from midigpt_core.tokens.encoder_config import EncoderConfig

        try:
            return EncoderConfig.from_dict(read_metadata(self.path)["encoder_config"])
        except EncoderConfigError as error:
            raise CheckpointError(f"{self.path}: encoder_config: {error}") from error

    @cached_property
    def controls(self) -> AttributeTable:
        """The musical controls it knows."""
        from midigpt_core.attributes.attribute_table import AttributeTable

        return AttributeTable.from_config(self.encoder)

    @cached_property
    def n_positions(self) -> int:
        """How many tokens it can hold, prompt and answer together."""
        if self.path.suffix != ".safetensors" or "_engine" in self.__dict__:
            return self.engine.model.n_positions
        from midigpt_core.model.checkpoint import read_metadata

        return int(read_metadata(self.path)["config"]["n_positions"])

    @property
    def engine(self) -> InferenceEngine:
        """The model, loaded once, whichever thread asks first."""
        with self._loading:
            return self._engine

    @cached_property
    def _engine(self) -> InferenceEngine:
        from midigpt_core.engine import InferenceEngine
        from midigpt_core.model.threads import set_threads

        if self.choice.threads:
            set_threads(self.choice.threads)
        engine = InferenceEngine.from_checkpoint(
            self.path,
            device=self.choice.device,
            dtype=self.choice.dtype,
            max_lanes=self.lanes,
            reserve_lanes=self.reserve_lanes,
        )
        collect_as_usual()
        return engine

    def facts(self) -> dict[str, Any]:
        """What reports say of it: name, file, SHA-256 of the file."""
        import hashlib

        file = self.path / "model.pt" if self.path.is_dir() else self.path
        with file.open("rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
        return {"name": self.name, "path": str(self.path), "sha256": digest.hexdigest()}
