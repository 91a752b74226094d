"""GPT-2 in plain PyTorch, with the weight names and layouts of the published checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from midigpt_core.model.shape import GPT2Config, Shaped
from midigpt_core.tokens.places import HARMONY, PlaceSizes

if TYPE_CHECKING:
    from midigpt_core.model.base import LaneCache
    from midigpt_core.tokens.places import Places


class Memory(Protocol):
    """Keys and values of earlier positions, as one forward pass sees them."""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store k and v (batch, heads, new, head_dim) and return what q hears, in q's shape."""
        ...


class Conv1D(nn.Module):
    """A linear layer whose weight is stored (inputs, outputs), as GPT-2's always were."""

    def __init__(self, inputs: int, outputs: int, std: float = 0.02) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight, std=std)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.t(), self.bias)


class Attention(nn.Module):
    """Causal self-attention; with a memory, over everything the memory holds as well."""

    def __init__(self, config: GPT2Config, layer: int, dropout: float) -> None:
        super().__init__()
        self.n_head, self.layer, self.dropout = config.n_head, layer, dropout
        self.c_attn = Conv1D(config.n_embd, 3 * config.n_embd)
        self.c_proj = Conv1D(config.n_embd, config.n_embd, std=_residual_std(config))
        self.resid = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        batch, new, width = x.shape
        heads = self.c_attn(x).view(batch, new, 3, self.n_head, width // self.n_head)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        if memory is None:
            dropout = self.dropout if self.training else 0.0
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
        else:
            y = memory.attend(self.layer, q, k, v)
        out: Tensor = self.resid(self.c_proj(y.transpose(1, 2).reshape(batch, new, width)))
        return out


class MLP(nn.Module):
    """Two linear layers four times as wide inside, with the tanh form of GELU between."""

    def __init__(self, config: GPT2Config, dropout: float) -> None:
        super().__init__()
        self.c_fc = Conv1D(config.n_embd, 4 * config.n_embd)
        self.c_proj = Conv1D(4 * config.n_embd, config.n_embd, std=_residual_std(config))
        self.resid = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.resid(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))
        return out


class Block(nn.Module):
    """One layer: attention, then the MLP, each on normalised input and added to the stream."""

    def __init__(self, config: GPT2Config, layer: int, dropout: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = Attention(config, layer, dropout)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.mlp = MLP(config, dropout)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        x = x + self.attn(self.ln_1(x), memory)
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class PlaceTables(nn.Module):
    """What is added to a token's embedding for where it stands: a row for each part of its `Place`."""

    def __init__(self, sizes: PlaceSizes, width: int) -> None:
        super().__init__()
        for name, rows in sizes.tables().items():
            self.register_parameter(name, nn.Parameter(torch.zeros(rows, width)))

    def forward(self, places: Tensor) -> Tensor:
        """(batch, time, width) for places (batch, time, 6), in the order of Place's fields."""
        *tables, harmony = self.parameters()
        x = sounding(places, harmony.dtype) @ harmony
        for part, table in enumerate(tables):
            x = x + F.embedding(places[..., part], table)
        return x


def sounding(places: Tensor, dtype: torch.dtype) -> Tensor:
    """Which pitch classes sound at these places, (..., HARMONY) of 0 and 1, for places (..., 6)."""
    return ((places[..., -1:] >> torch.arange(HARMONY, device=places.device)) & 1).to(dtype)


class Transformer(nn.Module):
    """Embeddings, layers, last norm; the submodule names are those of the stored weights."""

    def __init__(self, config: GPT2Config, dropout: float) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.places = PlaceTables(config.places, config.n_embd) if config.places else None
        self.drop = nn.Dropout(dropout)
        self.h = nn.ModuleList(Block(config, layer, dropout) for layer in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd)
        nn.init.normal_(self.wte.weight, std=0.02)
        nn.init.normal_(self.wpe.weight, std=0.01)

    def embed(self, ids: Tensor, positions: Tensor, places: Tensor | None) -> Tensor:
        """What the first layer reads, (batch, time, width)."""
        x = self.wte(ids) + self.wpe(positions)
        if self.places is not None:
            x = x + self.places(places)
        out: Tensor = self.drop(x)
        return out


class GPT2(nn.Module, Shaped):
    """The language model. `forward` trains; `logits` and `new_cache` (a `LaneCache`) are for everything else.

    `exact`: its caches compute in the weights' own type, where on a processor the compiled decoder would do otherwise.
    """

    exact = False

    def __init__(self, config: GPT2Config, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.places: Places | None = None  # how its tokens' places are read, where it is told them
        self.transformer = Transformer(config, dropout)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        nn.init.normal_(self.lm_head.weight, std=0.02)
        if config.places:
            self.harmony_head = nn.Parameter(torch.zeros(HARMONY, config.vocab_size))

    @property
    def device(self) -> torch.device:
        return self.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.lm_head.weight.dtype

    def hidden(
        self, ids: Tensor, positions: Tensor | None = None, memory: Memory | None = None, places: Tensor | None = None
    ) -> Tensor:
        """The last layer's normalised output, (batch, time, width), for ids (batch, time).

        places: (batch, time, 6), int32, in the order of Place's fields, where the network is told places.
        """
        if positions is None:
            positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.transformer.embed(ids, positions, places)
        for block in self.transformer.h:
            x = block(x, memory)
        out: Tensor = self.transformer.ln_f(x)
        return out

    def forward(self, ids: Tensor, positions: Tensor | None = None, places: Tensor | None = None) -> Tensor:
        """Logits (batch, time, vocabulary) for ids (batch, time), in the model's dtype; see `hidden`."""
        return self.head(self.hidden(ids, positions, None, places), places)

    def head(self, x: Tensor, places: Tensor | None) -> Tensor:
        """Logits for the last layer's output x; what sounds at a place speaks for and against tokens directly."""
        out: Tensor = self.lm_head(x)
        return out if places is None else out + sounding(places, out.dtype) @ self.harmony_head.to(out.dtype)

    @torch.no_grad()
    def logits(self, ids: Sequence[int] | Tensor) -> Tensor:
        """Float32 logits of one whole sequence, without cache, shape (positions, vocabulary)."""
        row = torch.as_tensor(ids, dtype=torch.long, device=self.device).view(1, -1)
        places = None
        if self.places is not None:
            places = torch.from_numpy(self.places.of(row[0].tolist())).to(self.device)[None]
        return self.forward(row, places=places)[0].float()

    def new_cache(self, lanes: int = 1, capacity: int | None = None) -> LaneCache:
        """An empty cache for `lanes` sequences of up to `capacity` positions (default: the whole context)."""
        from midigpt_core.model.compiled_model import fast_cache
        from midigpt_core.model.torch_cache import TorchCache

        slots = capacity or self.n_positions
        fast = None if self.exact else fast_cache(self, lanes, slots)
        return fast or TorchCache(self, lanes, slots)

    def num_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def config_dict(self) -> dict[str, Any]:
        """The shape as the checkpoint file states it."""
        return self.config.to_dict()


def _residual_std(config: GPT2Config) -> float:
    """Layers that add to the stream start smaller, so that its variance does not grow with depth."""
    return float(0.02 / (2 * config.n_layer) ** 0.5)
