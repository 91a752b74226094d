"""The built-in network as the peer can read it: the same layers, without the tables of places that the peer lacks."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from midigpt_core.model.shape import HARMONY_HEAD, PLACE_TABLES


def without_places(checkpoint: str | Path, folder: str | Path) -> str:
    """A copy of the checkpoint in `folder`, or the checkpoint itself where it has no places.

    It is as large and as fast but for those tables. Its music is not the checkpoint's: compare time and memory only.
    """
    with safe_open(str(checkpoint), "numpy") as file:
        meta = dict(file.metadata())
    config = json.loads(meta["config"])
    if config.pop("places", None) is None:
        return str(checkpoint)
    meta["config"] = json.dumps(config)
    weights = {
        name: weight
        for name, weight in load_file(checkpoint).items()
        if name != HARMONY_HEAD and not name.startswith(f"{PLACE_TABLES}.")
    }
    target = Path(folder) / f"without-places-{Path(checkpoint).name}"
    save_file(weights, target, metadata=meta)
    return str(target)
