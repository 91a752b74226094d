"""What a run came to, as the JSON that callers get."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse

from midigpt_cli.server.work import Work
from midigpt_core.engine import SamplingSession
from midigpt_core.errors import GenerationError
from midigpt_core.generation.request_plan import estimates
from midigpt_core.generation.run import Result
from midigpt_core.generation.take import Take
from midigpt_core.plan.steps import Cell, Step


def to_json(body: Any) -> bytes:
    """Compact UTF-8 JSON."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


class Answer(JSONResponse):
    """A JSON answer that may repeat whatever its caller sent, half letters too."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return to_json(content)


def by_track(cells: Collection[Cell]) -> dict[str, list[int]]:
    """{track: [bars]} of (track, bar) cells, keys as JSON has them."""
    found: dict[str, list[int]] = {}
    for track, bar in sorted(cells):
        found.setdefault(str(track), []).append(bar)
    return found


def completed(work: Work, result: Result) -> dict[str, Any]:
    """The answer of a finished run: one score, or candidates if several were requested. Raises GenerationError."""
    if not any(take.accepted for take in result.takes):
        raise GenerationError(rejected_sentence(work, result.takes))
    return completed_or_rejected(work, result)


def completed_or_rejected(work: Work, result: Result) -> dict[str, Any]:
    """The same, whether or not a take passed its checks."""
    if work.writing.request.config.num_candidates > 1:
        return {**_head(work, result), **_candidates(result), **_tail(work, result)}
    take = result.takes[0]
    return {
        **_head(work, result),
        "score": take.score.to_dict(),
        "seed": take.seed,
        **_judgement(len(result.steps), take),
        **_tail(work, result),
    }


def rejected_sentence(work: Work, takes: Sequence[Take]) -> str:
    """Why a run without an accepted take failed, and the way out."""
    why = next((take.rejected[-1] for take in takes if take.rejected), "no reason noted")
    attempts = work.writing.request.config.max_attempts
    return (
        f"all {attempts} attempts were rejected ({why}); raise config.max_attempts or config.temperature_escalation, "
        "or switch the check off (config.silence_check, config.novelty_check)"
    )


def cancelled(work: Work) -> dict[str, Any]:
    """The answer of a run that was stopped: the score as far as it was written, whole steps only."""
    partial = work.writing.partial()
    body: dict[str, Any] = {
        "request_id": work.id,
        "model": work.label,
        "status": "cancelled",
        "reason": work.stop.reason,
        "generated_bars": by_track(partial.written),
        "dropped_context": [],
    }
    if work.writing.request.config.num_candidates > 1:
        body["base_seed"] = partial.seed
        body["candidates"] = [
            {"score": score.to_dict(), "seed": partial.seed + i, "error": None}
            for i, score in enumerate(partial.scores)
        ]
    else:
        body["seed"] = partial.seed
        body["score"] = partial.scores[0].to_dict()
    return {**body, "timing": _timing(work), "tokens": tokens_block(work, False)}


def _head(work: Work, result: Result) -> dict[str, Any]:
    return {
        "request_id": work.id,
        "model": work.label,
        "status": "completed",
        "generated_bars": by_track(result.generated),
        "dropped_context": list(result.dropped_context),
    }


def _tail(work: Work, result: Result) -> dict[str, Any]:
    return {"timing": _timing(work), "tokens": tokens_block(work, any(take.truncated for take in result.takes))}


def _judgement(steps: int, take: Take) -> dict[str, Any]:
    return {
        "attempts": take.attempts - steps + 1,
        "consensus": take.consensus,
        "distance": take.distance,
        "remarks": [asdict(remark) for remark in take.remarks],
        "logprob": take.logprob,
        "rejected": list(take.rejected),
        "truncated": take.truncated,
    }


def candidate(steps: int, take: Take) -> dict[str, Any]:
    """One take; `error` says why its last attempt was rejected, where no attempt passed its checks."""
    return {
        "score": take.score.to_dict(),
        "seed": take.seed,
        "gen_count": take.bars,
        "token_count": take.tokens,
        "error": None if take.accepted else take.rejected[-1],
        **_judgement(steps, take),
    }


def _candidates(result: Result) -> dict[str, Any]:
    takes = [candidate(len(result.steps), take) for take in result.takes]
    failures = [{"seed": take["seed"], "reason": take["error"]} for take in takes if take["error"]]
    return {
        "base_seed": result.seed,
        "candidates": takes,
        "ranked": [result.takes.index(take) for take in result.ranked],
        "summary": {
            "requested": len(takes),
            "succeeded": len(takes) - len(failures),
            "failed": len(failures),
            "failures": failures,
        },
    }


def _timing(work: Work) -> dict[str, Any]:
    return {
        **asdict(work.session.timing),
        "gen_count": work.session.gen_count,
        "token_count": work.session.token_count,
        "queue_s": work.queue_seconds,
        "total_s": work.run_seconds,
    }


def tokens_block(work: Work, truncated: bool) -> dict[str, Any]:
    """How much of the model's context was used, and how fast tokens came."""
    progress, forward = work.progress, work.session.timing.model_forward_s
    most, count = work.writing.engine.model.n_positions, work.session.token_count
    return {
        "context_tokens": progress.context_tokens,
        "generated_tokens": count,
        "peak_context_tokens": progress.peak_context_tokens,
        "max_context_tokens": most,
        "context_utilization": round(progress.context_tokens / most, 4) if most else None,
        "tokens_per_second": round(count / forward, 2) if forward > 0 else None,
        "truncated": truncated,
    }


def planned(session: SamplingSession, head: dict[str, Any]) -> bytes:
    """The answer of a request that asks for its plan alone."""
    engine = session.engine
    steps = estimates(session.plan, session.request, session.score, engine.tokenizer, engine.model.n_positions)
    ignored = {prompt.id for prompt in session.request.tracks if prompt.ignore}
    body = {
        **head,
        "status": "planned",
        "model_dim": session.plan.window,
        "seed": session.plan.seed,
        "plan": plan_body([each.step for each in steps]),
        "dropped_context": sorted({track for each in steps for track in each.dropped} - ignored),
        "context_tokens": max((each.prompt_tokens for each in steps), default=0),
    }
    return to_json(body)


def plan_body(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The steps as JSON: window [start, end) in bars, and the bars each track gets written."""
    return [
        {
            "window": [step.start_bar, step.end_bar],
            "autoregressive": step.autoregressive,
            "generate": by_track(step.cells),
        }
        for step in steps
    ]
