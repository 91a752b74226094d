"""Read messages and forms as clients of Magenta RealTime's jam API send them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midigpt_core.fields import refused

RENAMED = {  # its field -> ours
    "topk": "top_k",
    "guidance_weight": "guidance",
    "style_ramp_seconds": "ramp_seconds",
    "chunk_index": "index",
    "binary_audio": "audio",
    "target_sample_rate": "audio_rate",
    "target_sr": "audio_rate",
    "beats_per_bar": "metre",
}
UNUSED = (  # nothing in MIDI answers to them
    *("mode", "mean", "centroid_weights", "loop_weight", "loudness_mode", "loudness_headroom_db", "headroom_db"),
    *("use_current_mix_as_style", "force_reset"),
)
AUDIO = ("loop_audio", "loop_audio_b64", "combined_audio")  # where it hands over sound to go on from
_ROUNDED = ("top_k", "bars_per_chunk", "audio_rate", "index")  # counts that forms and scripts write as 40.0


def translated(data: Any) -> tuple[Any, tuple[str, ...]]:
    """(the message in our fields, its fields that are accepted and not used). Raises RequestValidationError."""
    if not isinstance(data, dict):
        return data, ()
    params = data.get("params", {})
    if not isinstance(params, dict):
        raise refused("params", params, "is not an object", "give temperature and the like, or put them beside type")
    whole = {**{key: value for key, value in data.items() if key != "params"}, **params}
    for key in AUDIO:
        if key in whole:
            raise refused(
                key, None, "is sound, and a jam goes on from notes", "turn it into a .mid file with POST /audio_to_midi"
            )
    unused = tuple(key for key in UNUSED if key in whole)
    return {RENAMED.get(key, key): _value(key, whole) for key in whole if key not in UNUSED}, unused


def _value(key: str, whole: Mapping[str, Any]) -> Any:
    value = whole[key]
    if key == "binary_audio":  # whoever asks how sound is sent wants sound
        return "binary" if value else True
    if key == "beats_per_bar" and isinstance(value, (int, float)):
        return f"{value:g}/4"
    if RENAMED.get(key, key) in _ROUNDED and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def checkpoint_of(data: Any) -> tuple[Any, str | None, tuple[str, ...]]:
    """(a model/select message in our fields, the repository it names, its fields that are not used).

    A step is the file checkpoint_STEP.tgz of the repository. Raises RequestValidationError.
    """
    if not isinstance(data, dict):
        return data, None, ()
    rest = {key: value for key, value in data.items() if key not in (*REPO, *STEP, *OF_BASE, "revision")}
    unused = tuple(key for key in OF_BASE if key in data)
    repo = next((data[key] for key in REPO if data.get(key)), None)
    if repo is None:
        return rest, None, unused
    if "model" in data:
        raise refused("model", data["model"], "and ckpt_repo both name a model", "give one of them")
    step = next((data[key] for key in STEP if data.get(key) is not None), None)
    return {**rest, "model": named_checkpoint(str(repo), step, data.get("revision"))}, str(repo), unused


REPO, STEP = ("ckpt_repo", "repo_id"), ("ckpt_step", "step")
OF_BASE = ("size", "assets_repo_id", "sync_assets")  # of the sound model that a fine-tune is put on


def named_checkpoint(repo: str, step: Any = None, revision: Any = None) -> str:
    """Our name for a checkpoint: owner/repo@revision:checkpoint_STEP.tgz. Raises RequestValidationError."""
    if step is None or str(step).lower() in ("none", "latest", ""):
        return repo
    if not str(step).isdecimal():
        raise refused("ckpt_step", step, "is not a step", "give its number, such as 1863001")
    if Path(repo).is_absolute():
        return str(Path(repo) / f"checkpoint_{step}.tgz")
    return f"{repo}{f'@{revision}' if revision else ''}:checkpoint_{step}.tgz"
