"""Controls of the whole piece: dynamics and micro-timing switched on or off, and a genre."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from midigpt_core.errors import EncoderConfigError
from midigpt_core.fields import nearest, reader, refused
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType

_SWITCH, _GENRE = reader(bool), reader(str)


def _check_switch(kind: TokenType, switchable: str) -> Callable[[Any, str, EncoderConfig], None]:
    def check(value: Any, where: str, encoder: EncoderConfig) -> None:
        _SWITCH(value, where)
        if value and not any(domain == kind for domain, _ in encoder.token_domains):
            raise refused(where, value, f"needs {kind.value} tokens, which this checkpoint lacks", "drop it")
        if not value and not getattr(encoder, switchable):
            raise refused(where, value, "needs a checkpoint trained with and without it", "drop it")

    return check


def _check_genre(value: Any, where: str, encoder: EncoderConfig) -> None:
    if not encoder.genre_groups:
        raise refused(where, value, "needs a checkpoint with genres", "drop it")
    try:
        encoder.genre_id(_GENRE(value, where))
    except EncoderConfigError:
        raise refused(where, value, "is not a genre of this checkpoint", nearest(str(value), encoder.genres)) from None


PIECE_CONTROLS: Mapping[str, Callable[[Any, str, EncoderConfig], None]] = {
    "velocity": _check_switch(TokenType.VELOCITY_LEVEL, "switchable_velocity"),
    "microtiming": _check_switch(TokenType.DELTA, "switchable_microtiming"),
    "genre": _check_genre,
}
