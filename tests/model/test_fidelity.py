"""Speed changes no music: the compiled decoder against the float32 network on real prompts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch")

from midigpt_core.compiled import compiled
from midigpt_core.errors import CheckpointError
from midigpt_core.model.checkpoint import load_checkpoint
from midigpt_core.model.names import built_in
from midigpt_core.tokens.tokenizer import Tokenizer
from tests.model.fidelity import compare, openings
from tests.support import songs

pytestmark = pytest.mark.skipif(compiled("decoder") is None, reason="the decoder is not built")


def checkpoint():
    """The checkpoint named by MIDIGPT_CHECKPOINT, else the built-in one; skips where there is neither."""
    try:
        return load_checkpoint(
            Path(os.environ["MIDIGPT_CHECKPOINT"]) if "MIDIGPT_CHECKPOINT" in os.environ else built_in()
        )
    except CheckpointError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("count", [pytest.param(4), pytest.param(200, marks=pytest.mark.slow)])
def test_fast_path_agrees_with_float32_on_real_prompts(count):
    loaded = checkpoint()
    prompts = openings(songs(2 * count, stride=41), Tokenizer(loaded.encoder_config), 300 if count < 10 else 2048)[
        :count
    ]
    found = compare(loaded, prompts)
    assert found.prompts > 0.8 * count
    assert found.agreement >= 0.995
    assert found.nll_change < 0.001
