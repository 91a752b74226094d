"""What a request would do, without doing it."""

from __future__ import annotations

import secrets
from typing import Any

from midigpt_cli.server.responses import plan_body
from midigpt_core.engine import SamplingSession
from midigpt_core.generation.fit import narrowed
from midigpt_core.generation.plan import MAX_SEED, chosen_cells, plan_request


def planned(session: SamplingSession) -> dict[str, Any]:
    """The steps of a checked request, and the tracks that would be left out of the model's context."""
    request, score, tokenizer = session.request, session.score, session.engine.tokenizer
    seed = request.config.seed if request.config.seed >= 0 else secrets.randbelow(MAX_SEED)
    steps = plan_request(request, score, chosen_cells(request, score, seed), tokenizer, seed)
    left_out = {prompt.id for prompt in request.tracks if prompt.ignore}
    dropped: set[int] = set()
    longest = 0
    for step in steps:
        prompt, newly = narrowed(tokenizer, score, step, request, left_out | dropped, session.engine.model.n_positions)
        dropped.update(newly)
        longest = max(longest, len(prompt.prompt.tokens))
    return {
        "status": "planned",
        "model_dim": request.config.model_dim,
        "seed": seed,
        "plan": plan_body(steps),
        "dropped_context": sorted(dropped),
        "context_tokens": longest,
    }
