"""The shapes of what the server sends, for OpenAPI and for tests that hold real answers against them."""

from __future__ import annotations

from types import UnionType
from typing import Any, Literal

from pydantic import BaseModel, Field

from midigpt_cli.server.request_models import ScoreModel, model_of
from midigpt_core.generation.run import Timing

REMARKS = "what is left to remark on, where voice_leading or playable was asked for"
DISTANCE = "from what stood in its bars: 1 less the F1 of equal notes (bar, sixteenth, pitch)"
CONSENSUS = "share of its notes that other candidates have too, less up to 0.05 for bars that stand elsewhere"


class TimingAnswer(model_of(Timing)):  # type: ignore[misc]
    """Seconds spent, and tokens written."""

    gen_count: int = Field(description="bars written, each of a track, of all takes together")
    token_count: int = Field(description="tokens written, rejected attempts included")
    queue_s: float = Field(description="seconds waited for a worker")
    total_s: float = Field(description="seconds from start to end")


class TokensAnswer(BaseModel):
    """How much of the model's context was used."""

    context_tokens: int = Field(description="the last step's prompt")
    generated_tokens: int
    peak_context_tokens: int = Field(description="the fullest the window got: prompt and what was written")
    max_context_tokens: int
    context_utilization: float | None
    tokens_per_second: float | None
    truncated: bool = Field(description="a step ran out of context before its last bar")


class FailureAnswer(BaseModel):
    """A take whose attempts were all rejected."""

    seed: int
    reason: str


class SummaryAnswer(BaseModel):
    """How many takes passed their checks."""

    requested: int
    succeeded: int
    failed: int
    failures: list[FailureAnswer]


class RemarkAnswer(BaseModel):
    """What a musician would remark on. Tracks and bars count from 0."""

    what: str = Field(description="parallel fifths, parallel octaves, out of range, or why there is no grip")
    bar: int
    tracks: list[int]


class CandidateAnswer(BaseModel):
    """One take."""

    score: ScoreModel | None
    seed: int
    error: str | None = Field(description="why its last attempt was rejected; null for a take that passed its checks")
    gen_count: int = Field(0, description="bars written, each of a track")
    token_count: int = Field(0, description="tokens written, rejected attempts included")
    attempts: int = 1
    consensus: float = Field(1.0, description=CONSENSUS)
    distance: float = Field(0.0, description=DISTANCE)
    remarks: list[RemarkAnswer] = Field(default_factory=list, description=REMARKS)
    logprob: float = Field(0.0, description="mean per token under the model; candidates are not ranked by it")
    rejected: list[str] = Field(default_factory=list)
    truncated: bool = False


class StepAnswer(BaseModel):
    """One planned step."""

    window: list[int] = Field(description="[first bar, bar after the last], from 0")
    autoregressive: bool
    generate: dict[str, list[int]] = Field(description="bars written, by track")


class GenerateAnswer(BaseModel):
    """What a request came to. Which keys there are depends on status, num_candidates and plan_only."""

    request_id: str
    model: str
    status: Literal["completed", "cancelled", "planned"]
    dropped_context: list[int] = Field(description="context tracks left out because a step was too long")
    generated_bars: dict[str, list[int]] | None = Field(None, description="bars written, by track")
    understood: dict[str, Any] | None = Field(None, description="what was read of the prompt, and what gave way")
    score: ScoreModel | None = None
    seed: int | None = None
    base_seed: int | None = Field(None, description="seed of the first candidate")
    attempts: int | None = Field(None, description="1 unless attempts were rejected")
    consensus: float | None = Field(None, description=CONSENSUS)
    distance: float | None = Field(None, description=DISTANCE)
    remarks: list[RemarkAnswer] | None = Field(None, description=REMARKS)
    logprob: float | None = None
    rejected: list[str] | None = None
    truncated: bool | None = None
    reason: str | None = Field(None, description="why it was cancelled")
    candidates: list[CandidateAnswer] | None = None
    ranked: list[int] | None = Field(None, description="candidates, best first: by consensus")
    summary: SummaryAnswer | None = None
    timing: TimingAnswer | None = None
    tokens: TokensAnswer | None = None
    plan: list[StepAnswer] | None = None
    model_dim: int | None = None
    context_tokens: int | None = None


class ProgressAnswer(BaseModel):
    """How far a run has come."""

    bars_planned: int
    bars_done: int
    step: int = Field(description="steps begun")
    steps: int
    attempt: int
    generated_tokens: int
    context_tokens: int
    step_generated_tokens: int
    peak_context_tokens: int
    max_context_tokens: int
    stage: str = Field(description="what is being done, where it has a name: loading the listening model, listening")
    model_forward_s: float


class JobTakeAnswer(BaseModel):
    """A finished take of a job."""

    take: int
    midi: str = Field(description="path of the .mid file")
    seed: int
    error: str | None
    gen_count: int = Field(description="bars written, each of a track")
    token_count: int = Field(description="tokens written, rejected attempts included")
    attempts: int
    consensus: float
    distance: float = Field(description=DISTANCE)
    remarks: list[RemarkAnswer] = Field(description=REMARKS)
    logprob: float
    rejected: list[str]
    truncated: bool
    score: ScoreModel | None = Field(None, description="for jobs of kind generate")


class TranscriptAnswer(BaseModel):
    """The files a transcription made."""

    take: int
    midi: str = Field(description="path of the .mid file")
    files: dict[str, str] = Field(description="paths of notes.csv and sonified.wav, where they were asked for")


class JobAnswer(BaseModel):
    """A job: how far it has come, its takes so far, and how it ended."""

    id: str
    kind: Literal["generate", "infill", "transcribe"]
    model: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    created_at: str
    ended_at: str | None
    expires_at: str | None
    progress: ProgressAnswer
    error: dict[str, Any] | None
    urls: dict[str, str]
    results: list[JobTakeAnswer | TranscriptAnswer] = Field(description="takes as they are finished")
    summary: dict[str, Any] | None = Field(
        description="once it has ended: the answer of /generate without scores, or what was heard"
    )


class ErrorAnswer(BaseModel):
    """Why there is no other answer."""

    detail: str = Field(description="one sentence: the field, the value found, and the way out")
    error: str = Field(description="kind of error")
    request_id: str
    field: str | None = None
    value: Any = None
    remedy: str | None = None


_ERROR_MEANINGS = {
    400: "Malformed score, request or file",
    401: "API key missing or wrong",
    403: "Not from here",
    404: "No such thing",
    408: "The body took too long",
    409: "The id is in use",
    413: "The body or the song is too large",
    415: "Not a media type this route takes",
    422: "The request does not fit its score or model: field, value and remedy",
    429: "Too many requests of one caller",
    500: "The server failed",
    503: "Busy or stopping; try again",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": meaning} for status, meaning in _ERROR_MEANINGS.items()
}


def json_answer(model: type[BaseModel] | UnionType | None, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The success response of a route that answers with JSON."""
    return {status: {"model": model, "description": "Done"} if model else {"description": "Done"}}
