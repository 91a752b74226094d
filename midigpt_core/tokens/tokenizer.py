"""The public door: a Score of any resolution to token ids, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from midigpt_core.attributes.attribute_table import AttributeTable
from midigpt_core.score import Score
from midigpt_core.tokens import kernels
from midigpt_core.tokens.encode import Encoded, EncodeOptions
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.vocabulary import Vocabulary

NOTHING = AttributeTable(())  # measures nothing


class Tokenizer:
    """One encoder configuration, ready to encode and decode. Scores passed in are never changed."""

    def __init__(self, config: EncoderConfig) -> None:
        self.config = config
        self.vocabulary = Vocabulary(config)
        self.attributes = AttributeTable.from_config(config)

    @classmethod
    def from_config(cls, source: str | PathLike[str] | Mapping[str, Any] | EncoderConfig) -> Tokenizer:
        """From an encoder JSON: its path, its parsed form, or an EncoderConfig. Raises EncoderConfigError."""
        return cls(EncoderConfig.load(source))

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self.vocabulary.size

    def encode(self, score: Score, options: EncodeOptions | None = None, attributes: bool = True) -> list[int]:
        """Token ids of a score; with `attributes`, every control is measured and shown. Raises TokenError."""
        return self.encode_full(score, options, attributes).tokens

    def encode_full(self, score: Score, options: EncodeOptions | None = None, attributes: bool = True) -> Encoded:
        """As `encode`, with the stretches that must be kept from attention."""
        table = self.attributes if attributes else NOTHING
        return kernels.encode_score(score, self.vocabulary, table, options)

    def decode(self, ids: Sequence[int]) -> Score:
        """The score of these ids, at `config.decode_resolution`. Raises TokenError."""
        return kernels.decode_score(ids, self.vocabulary)
