"""What neighbouring systems call things: whose a field or path is, and our way to say it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

_MAGENTA, _LOOPER, _MUSICGPT, _PITCH = "Magenta RT's", "musicgen-looper's", "MusicGPT's", "Basic Pitch's"
_LOOP, _LISTEN = "send it to POST /loop, beside prompt and bpm", "send it to POST /audio_to_midi"
FIELDS: Mapping[str, tuple[str, str]] = {  # field -> whose it is, our way
    "params": (_MAGENTA, "put temperature and the like into the message itself"),
    "topk": (_MAGENTA, "say top_k"),
    "guidance_weight": (_MAGENTA, "say guidance, in config"),
    "styles": (_MAGENTA, "put them into prompt, or send them to POST /jam/start or /generate_style"),
    "style_weights": (_MAGENTA, "send them with styles to POST /jam/start or /generate_style"),
    "style_ramp_seconds": (_MAGENTA, "say ramp_seconds, in a jam"),
    "binary_audio": (_MAGENTA, "say audio: binary, in a jam"),
    "chunk_index": (_MAGENTA, "say index"),
    "beats_per_bar": (_MAGENTA, "say metre, such as 3/4"),
    "loop_audio": (_MAGENTA, "turn the sound into a .mid file with POST /audio_to_midi and send that as midi"),
    "intro_bars_to_drop": (_MAGENTA, "send it to POST /generate_style"),
    "ckpt_repo": (_MAGENTA, "send it to POST /model/select"),
    "ckpt_step": (_MAGENTA, "send it to POST /model/select"),
    "max_duration": (_LOOPER, _LOOP),
    "model_version": (_LOOPER, "name an id of GET /models as model"),
    "classifier_free_guidance": (_LOOPER, "say guidance, in config"),
    "output_format": (_LOOPER, _LOOP),
    "audio_url": (_MUSICGPT, _LISTEN),
    "audio_file": (_MUSICGPT, _LISTEN),
    "sonify_midi": (_MUSICGPT, _LISTEN),
    "save_note_events": (_MUSICGPT, _LISTEN),
    "midi_tempo": (_PITCH, "say bpm"),
    "multiple_pitch_bends": (_PITCH, "say pitch_bends"),
}
PATHS: Mapping[str, str] = {  # of theirs -> the nearest of ours
    "/generate/reset": "/jam/stop_all",
    "/jam/reseed_splice": "/jam/reseed",
    "/model/assets/load": "/model/select",
    "/model/assets/status": "/model/status",
    "/model/checkpoints": "/models",
    "/model/swap": "/model/select",
    "/predictions": "/loop",
    "/v1/predictions": "/loop",
    "/v1/audio_to_midi": "/audio_to_midi",
    "/api/public/v1/MusicAI": "/generate_style",
}
_UNKNOWN = ("is not a known key", "is not a known field")


def in_our_words(body: dict[str, Any]) -> dict[str, Any]:
    """A refusal of an unknown field; where a neighbour has that field, it says whose it is and what to say here."""
    name = str(body.get("field") or "").rpartition(".")[2]
    if name not in FIELDS or not any(words in str(body.get("detail")) for words in _UNKNOWN):
        return body
    whose, way = FIELDS[name]
    told = {**body, "detail": f"{body['field']} is {whose}; {way}"}
    return {**told, "remedy": way} if "remedy" in body else told


def no_such_path(path: str, known: Collection[str]) -> str:
    """The sentence for a path nobody answers, with the nearest one that somebody does."""
    near = [PATHS[path]] if path in PATHS else difflib.get_close_matches(path, sorted(known), 1, 0.5)
    hint = f"the nearest is {near[0]}; " if near else ""
    return f"there is no {path[:80]!r} here; {hint}GET / lists what there is"
