"""(token type, value) to token id and back, from the ordered domains of an encoder configuration."""

from __future__ import annotations

from midigpt_core.errors import TokenError
from midigpt_core.tokens.domains import InstrumentGroups, Metre, VelocityLevels
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.types import TokenType


class Vocabulary:
    """Ids 0 to size - 1: the domains one after the other. `types[id]` and `values[id]` are an id's two halves."""

    def __init__(self, config: EncoderConfig) -> None:
        self.config = config
        self._ranges: dict[TokenType, tuple[int, int]] = {}
        self.types: list[TokenType] = []
        self.values: list[int] = []
        for kind, size in config.token_domains:
            self._ranges[kind] = (len(self.types), len(self.types) + size)
            self.types += [kind] * size
            self.values += range(size)
        self.size = len(self.types)
        levels = self.domain_size(TokenType.VELOCITY_LEVEL)
        self.velocities = VelocityLevels(levels) if levels > 1 else None
        self.instruments = InstrumentGroups(config.instrument_merge_groups)
        self._metres = {metre: i for i, metre in enumerate(config.time_signatures)}
        self._num_bars = {bars: i for i, bars in enumerate(config.num_bars_map)}
        self.twins: dict[str, object] = {}  # these tables in compiled form, made on first use

    def has(self, kind: TokenType) -> bool:
        """Whether the vocabulary has tokens of this type."""
        return kind in self._ranges

    def range(self, kind: TokenType) -> tuple[int, int]:
        """First id and end (exclusive) of a type, or (-1, -1)."""
        return self._ranges.get(kind, (-1, -1))

    def domain_size(self, kind: TokenType) -> int:
        """Number of values of a type, 0 if it is absent."""
        start, end = self.range(kind)
        return end - start

    def encode(self, kind: TokenType, value: int) -> int:
        """Id of a type's value. Raises TokenError where the vocabulary has no such type or value."""
        start, end = self.range(kind)
        if start < 0:
            raise TokenError(f"{kind.value}: this encoder has no such token")
        if not 0 <= value < end - start:
            raise TokenError(f"{kind.value}: value {value} is outside 0 to {end - start - 1}")
        return start + value

    def encode_nearest(self, kind: TokenType, value: int) -> int:
        """Id of a type's value, or of the end of its domain that is nearest."""
        return self.encode(kind, max(0, min(value, self.domain_size(kind) - 1)))

    def decode(self, token: int) -> tuple[TokenType, int]:
        """Type and value of an id. Raises TokenError for an id outside the vocabulary."""
        if not 0 <= token < self.size:
            raise TokenError(f"token {token} is outside this vocabulary of {self.size}")
        return self.types[token], self.values[token]

    def metre_value(self, metre: Metre) -> int:
        """TimeSig value of a metre; 0 where the encoder has no metres. Raises TokenError for an unlisted one."""
        if not self._metres:
            return 0
        try:
            return self._metres[metre]
        except KeyError:
            raise TokenError(
                f"time signature {metre[0]}/{metre[1]} is not in this encoder's list; "
                "grid.with_listed_metres maps bars to listed ones"
            ) from None

    def metre_of(self, value: int) -> Metre:
        """Metre of a TimeSig value; 4/4 where the encoder has no metres. Raises TokenError beyond the list."""
        if not self._metres:
            return (4, 4)
        try:
            return self.config.time_signatures[value]
        except IndexError:
            raise TokenError(f"TimeSig: value {value} is past the end of time_signatures") from None

    def num_bars_value(self, bars: int) -> int:
        """NumBars value of a window length. Raises TokenError for a length the encoder does not list."""
        if not self._num_bars:
            return bars
        try:
            return self._num_bars[bars]
        except KeyError:
            listed = ", ".join(map(str, self.config.num_bars_map))
            raise TokenError(f"a window of {bars} bars is not possible with this encoder; possible: {listed}") from None
