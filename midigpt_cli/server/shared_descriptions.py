"""Descriptions that several requests and responses share, for OpenAPI."""

from __future__ import annotations

MODEL = "an id of GET /models (default: the server's default model)"
REQUEST_ID = "your own id for the request (default: the server makes one)"
BASE64_SONG = "the song as a base64 .mid file, instead of score"
TEXT_PROMPT = "text prompt, such as sparse funk bass in E minor; GET /words shows how it is read"

SEED = "seed that the notes were drawn with"
BARS_WRITTEN = "number of bars written, counted once per track"
TOKENS_WRITTEN = "number of tokens written, rejected attempts included"
ATTEMPTS = "number of attempts; more than 1 if some were rejected"
REJECTED = "why attempts were rejected, one sentence each"
TRUNCATED = "a step ran out of context before its last bar"
REMARKS = "breaches that remain of the rules of voice_leading or playable, if set"
DISTANCE = "distance from the old bars: 1 minus the F1 of equal notes (bar, sixteenth, pitch)"
CONSENSUS = (
    "share of its notes that other candidates have too, minus up to 0.05 for bars that occur elsewhere in the song"
)
LOGPROB = "mean log-probability per token, for information only: takes are ranked by consensus"
UNDERSTOOD = "how the prompt or the styles were read"
UNUSED = "fields that are accepted for compatibility and have no effect"
