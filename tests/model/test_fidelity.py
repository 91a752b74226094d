"""Speed changes no music: the compiled decoder against the float32 network on real prompts."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from midigpt_core.compiled import compiled  # noqa: E402
from midigpt_core.errors import CheckpointError  # noqa: E402
from midigpt_core.model.checkpoint import load_checkpoint  # noqa: E402
from midigpt_core.model.names import built_in  # noqa: E402
from midigpt_core.tokens.tokenizer import Tokenizer  # noqa: E402
from tests.model.fidelity import compare, openings  # noqa: E402
from tests.support import songs  # noqa: E402

pytestmark = pytest.mark.skipif(compiled("decoder") is None, reason="the decoder is not built")


def checkpoint():
    """The checkpoint named by MIDIGPT_CHECKPOINT, else the built-in one; skips where there is neither."""
    try:
        return load_checkpoint(
            Path(os.environ["MIDIGPT_CHECKPOINT"]) if "MIDIGPT_CHECKPOINT" in os.environ else built_in()
        )
    except CheckpointError as error:
        pytest.skip(str(error))


def off_the_grid(model):
    """The network with weights between the decoder's codes, where the built-in ones are upon them."""
    dice = np.random.default_rng(5)
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    moved = {
        name: weight * dice.uniform(0.98, 1.02, weight.shape).astype(np.float32) for name, weight in weights.items()
    }
    model.load_state_dict({name: torch.from_numpy(weight) for name, weight in moved.items()})


@pytest.mark.parametrize("count", [pytest.param(12), pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("on_the_grid", [True, False])
def test_fast_path_agrees_with_float32_on_real_prompts(count, on_the_grid):
    loaded = checkpoint()
    if not on_the_grid:
        off_the_grid(loaded.model)
    longest = 300 if count < 20 else 2048
    prompts = openings(songs(2 * count, stride=41), Tokenizer(loaded.encoder_config), longest)[:count]
    found = compare(loaded, prompts)
    assert found.prompts > 0.8 * count
    assert found.agreement >= 0.995
    assert found.nll_change < 0.001
