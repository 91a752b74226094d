"""The ways a hidden bar is shown to the model: a mask token, an empty bar kept from attention, an empty bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from midigpt_core.tokens.types import TokenType
from midigpt_core.tokens.vocabulary import Vocabulary


class Hiding(Protocol):
    """How a bar marked `future` is written."""

    shows_attributes: bool  # bar-level attribute tokens are written
    keeps_placeholder: bool  # a bar that is to be filled in keeps its placeholder
    records_span: bool  # the bar's tokens are reported, to be kept from attention

    def body(self, vocabulary: Vocabulary) -> list[int] | None:
        """Tokens in place of the notes; None where this way is not open and the notes are shown."""
        ...


class MaskToken:
    """One MaskBar token; an encoder without it shows the notes."""

    shows_attributes = True
    keeps_placeholder = True
    records_span = False

    def body(self, vocabulary: Vocabulary) -> list[int] | None:
        if not vocabulary.has(TokenType.MASK_BAR):
            return None
        return [vocabulary.encode(TokenType.MASK_BAR, 0)]


class MaskedSpan:
    """An empty bar whose tokens the model must not attend to."""

    shows_attributes = True
    keeps_placeholder = True
    records_span = True

    def body(self, vocabulary: Vocabulary) -> list[int] | None:
        return []


class Removed:
    """An empty bar without attributes: it keeps its place and says nothing else."""

    shows_attributes = False
    keeps_placeholder = False
    records_span = False

    def body(self, vocabulary: Vocabulary) -> list[int] | None:
        return []


HIDINGS: Mapping[str, Hiding] = {"token": MaskToken(), "span": MaskedSpan(), "remove": Removed()}
