"""Read start and update messages as clients of Magenta RealTime's jam API send them."""

from __future__ import annotations

from typing import Any

from midigpt_core.fields import refused

RENAMED = {"topk": "top_k", "guidance_weight": "guidance"}  # its field -> ours
UNUSED = ("mode", "binary_audio", "style_ramp_seconds", "mean", "centroid_weights")  # nothing in MIDI answers to them


def translated(data: Any) -> tuple[Any, tuple[str, ...]]:
    """(the message in our fields, its fields that are accepted and not used). Raises RequestValidationError."""
    if not isinstance(data, dict):
        return data, ()
    params = data.get("params", {})
    if not isinstance(params, dict):
        raise refused("params", params, "is not an object", "give temperature and the like, or put them beside type")
    whole = {**{key: value for key, value in data.items() if key != "params"}, **params}
    unused = tuple(key for key in UNUSED if key in whole)
    return {RENAMED.get(key, key): value for key, value in whole.items() if key not in UNUSED}, unused
