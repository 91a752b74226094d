"""The shapes of what the server sends, for OpenAPI and for tests that hold real answers against them."""

from __future__ import annotations

from types import UnionType
from typing import Any, Literal

from pydantic import BaseModel, Field

from midigpt_cli.server.request_models import ScoreModel, model_of
from midigpt_cli.server.shared_descriptions import (
    ATTEMPTS,
    BARS_WRITTEN,
    CONSENSUS,
    DISTANCE,
    LOGPROB,
    REJECTED,
    REMARKS,
    SEED,
    TOKENS_WRITTEN,
    TRUNCATED,
)
from midigpt_core.generation.run import Timing


class TimingAnswer(model_of(Timing)):  # type: ignore[misc]
    """Where the time went."""

    model_forward_s: float = Field(description="seconds spent in the model, with the choice of tokens")
    encode_s: float = Field(description="seconds spent turning the context into tokens")
    decode_s: float = Field(description="seconds spent turning tokens into notes")
    gen_count: int = Field(description="number of bars written, counted once per track, in all takes together")
    token_count: int = Field(description=TOKENS_WRITTEN)
    queue_s: float = Field(description="seconds waited for a worker")
    total_s: float = Field(description="seconds from start to end")


class TokensAnswer(BaseModel):
    """How much of the model's context was used."""

    context_tokens: int = Field(description="number of tokens in the last step's prompt")
    generated_tokens: int = Field(description="number of tokens written")
    peak_context_tokens: int = Field(description="most tokens in the window at once, prompt and new notes together")
    max_context_tokens: int = Field(description="number of tokens that the window holds")
    context_utilization: float | None = Field(description="last prompt, as a share of what the window holds, 0 to 1")
    tokens_per_second: float | None = Field(description="tokens written per second")
    truncated: bool = Field(description=TRUNCATED)


class FailureAnswer(BaseModel):
    """A take whose attempts were all rejected."""

    seed: int = Field(description=SEED)
    reason: str = Field(description="why the last attempt was rejected")


class SummaryAnswer(BaseModel):
    """How many takes passed their checks."""

    requested: int = Field(description="number of takes requested")
    succeeded: int = Field(description="number of takes that passed")
    failed: int = Field(description="number of takes whose attempts were all rejected")
    failures: list[FailureAnswer] = Field(description="those takes")


class RemarkAnswer(BaseModel):
    """A rule of voice leading or playability that is still broken. Tracks and bars count from 0."""

    what: str = Field(description="parallel fifths, parallel octaves, out of range, or why it cannot be fingered")
    bar: int = Field(description="where, from 0")
    tracks: list[int] = Field(description="the tracks concerned, from 0")


class CandidateAnswer(BaseModel):
    """One take."""

    score: ScoreModel | None = Field(description="the song with the new bars; null without a usable attempt")
    seed: int = Field(description=SEED)
    error: str | None = Field(description="why the last attempt was rejected; null if the take passed its checks")
    gen_count: int = Field(0, description=BARS_WRITTEN)
    token_count: int = Field(0, description=TOKENS_WRITTEN)
    attempts: int = Field(1, description=ATTEMPTS)
    consensus: float = Field(1.0, description=CONSENSUS)
    distance: float = Field(0.0, description=DISTANCE)
    remarks: list[RemarkAnswer] = Field(default_factory=list, description=REMARKS)
    logprob: float = Field(0.0, description=LOGPROB)
    rejected: list[str] = Field(default_factory=list, description=REJECTED)
    truncated: bool = Field(False, description=TRUNCATED)


class StepAnswer(BaseModel):
    """One planned step."""

    window: list[int] = Field(description="[first bar, bar after the last], from 0")
    autoregressive: bool = Field(description="continues the tracks instead of filling in")
    generate: dict[str, list[int]] = Field(description="bars to write by track, both from 0")


class GenerateAnswer(BaseModel):
    """The result of a request. Which keys it has depends on status, num_candidates and plan_only."""

    request_id: str = Field(description="id of the request")
    model: str = Field(description="id of the model")
    status: Literal["completed", "cancelled", "planned"] = Field(description="how the request ended")
    dropped_context: list[int] = Field(description="tracks left out of the context because a step was too long, from 0")
    generated_bars: dict[str, list[int]] | None = Field(None, description="bars written by track, both from 0")
    understood: dict[str, Any] | None = Field(None, description="how the prompt was read, and what overrode it")
    score: ScoreModel | None = Field(None, description="the song with its new bars, if there is one take")
    seed: int | None = Field(None, description=SEED)
    base_seed: int | None = Field(None, description="seed of the first take")
    attempts: int | None = Field(None, description=ATTEMPTS)
    consensus: float | None = Field(None, description=CONSENSUS)
    distance: float | None = Field(None, description=DISTANCE)
    remarks: list[RemarkAnswer] | None = Field(None, description=REMARKS)
    logprob: float | None = Field(None, description=LOGPROB)
    rejected: list[str] | None = Field(None, description=REJECTED)
    truncated: bool | None = Field(None, description=TRUNCATED)
    reason: str | None = Field(None, description="why it was cancelled")
    candidates: list[CandidateAnswer] | None = Field(None, description="the takes, if there are several")
    ranked: list[int] | None = Field(None, description="positions in candidates, from 0, best consensus first")
    summary: SummaryAnswer | None = Field(None, description="how many takes passed their checks")
    timing: TimingAnswer | None = Field(None, description="where the time went")
    tokens: TokensAnswer | None = Field(None, description="how much of the model's context was used")
    plan: list[StepAnswer] | None = Field(None, description="the steps, with plan_only")
    model_dim: int | None = Field(None, description="window length in bars, with plan_only")
    context_tokens: int | None = Field(None, description="number of tokens in the longest prompt, with plan_only")


class ProgressAnswer(BaseModel):
    """How far a run has come."""

    bars_planned: int = Field(description="number of bars to write, counted once per track")
    bars_done: int = Field(description="number of bars written so far")
    step: int = Field(description="number of steps begun")
    steps: int = Field(description="number of steps planned")
    attempt: int = Field(description="number of the attempt at this step, from 1")
    generated_tokens: int = Field(description="number of tokens written so far")
    context_tokens: int = Field(description="number of tokens in this step's prompt")
    step_generated_tokens: int = Field(description="number of tokens written in this step")
    peak_context_tokens: int = Field(description="most tokens in the window at once so far")
    max_context_tokens: int = Field(description="number of tokens that the window holds")
    stage: str = Field(description="current stage of a transcription; empty in other jobs")
    model_forward_s: float = Field(description="seconds spent in the model so far")


class JobTakeAnswer(BaseModel):
    """A finished take of a job."""

    take: int = Field(description="number of the take, from 0")
    midi: str = Field(description="path of the .mid file")
    seed: int = Field(description=SEED)
    error: str | None = Field(description="why the last attempt was rejected; null if the take passed its checks")
    gen_count: int = Field(description=BARS_WRITTEN)
    token_count: int = Field(description=TOKENS_WRITTEN)
    attempts: int = Field(description=ATTEMPTS)
    consensus: float = Field(description=CONSENSUS)
    distance: float = Field(description=DISTANCE)
    remarks: list[RemarkAnswer] = Field(description=REMARKS)
    logprob: float = Field(description=LOGPROB)
    rejected: list[str] = Field(description=REJECTED)
    truncated: bool = Field(description=TRUNCATED)
    score: ScoreModel | None = Field(None, description="the song with its new bars, for jobs of kind generate")


class TranscriptAnswer(BaseModel):
    """The files that a transcription made."""

    take: int = Field(description="always 0")
    midi: str = Field(description="path of the .mid file")
    files: dict[str, str] = Field(description="paths of notes.csv and sonified.wav, if requested")


class JobAnswer(BaseModel):
    """A job: its progress, its takes so far, and how it ended."""

    id: str = Field(description="id of the job")
    kind: Literal["generate", "infill", "transcribe"] = Field(description="what the job does")
    model: str = Field(description="id of the model")
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"] = Field(description="state of the job")
    created_at: str = Field(description="when it was submitted (ISO 8601, UTC)")
    ended_at: str | None = Field(description="when it ended (ISO 8601, UTC)")
    expires_at: str | None = Field(description="when it is deleted (ISO 8601, UTC)")
    progress: ProgressAnswer = Field(description="how far it has come")
    error: dict[str, Any] | None = Field(description="why it failed: detail and error, as in ErrorAnswer")
    urls: dict[str, str] = Field(description="paths to follow, fetch or cancel it")
    results: list[JobTakeAnswer | TranscriptAnswer] = Field(description="the takes finished so far")
    summary: dict[str, Any] | None = Field(
        description="once it has ended: the response of /generate without scores, or facts about the transcription"
    )


class ErrorAnswer(BaseModel):
    """Why a request was refused or failed."""

    detail: str = Field(description="one sentence: the field, the value found, and what to do")
    error: str = Field(description="kind of error")
    request_id: str = Field(description="id of the request, also in the server's log")
    field: str | None = Field(None, description="the field at fault")
    value: Any = Field(None, description="the value found")
    remedy: str | None = Field(None, description="what to do")


_ERROR_MEANINGS = {
    400: "Malformed score, request or file",
    401: "Missing or wrong API key",
    403: "Not allowed from this host or page",
    404: "Not found",
    408: "Timed out",
    409: "Conflict, such as an id in use",
    413: "The body or the song is too large",
    415: "Unsupported media type",
    422: "Invalid request: names the field, the value and the remedy",
    429: "Too many requests from one caller",
    500: "Internal server error",
    503: "Server busy or stopping; try again later",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": meaning} for status, meaning in _ERROR_MEANINGS.items()
}


def json_answer(model: type[BaseModel] | UnionType | None, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The success response of a route that answers with JSON."""
    return {status: {"model": model, "description": "Success"} if model else {"description": "Success"}}
