"""GET /words: what is understood of a prompt, before anything is written."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query

from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_core.words import LONGEST, read_prompt

router = APIRouter(tags=["about"])


@router.get("/words", summary="How a text prompt is read", responses={**json_answer(None), **ERRORS})
async def words(
    prompt: str = Query(max_length=LONGEST, description="text prompt, such as sparse funk bass in E minor"),
) -> Any:
    """Parts, tempo, time signature, key and feel; what each word was read as; and unknown words."""
    return read_prompt(prompt).to_dict()
