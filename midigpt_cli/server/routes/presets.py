"""GET /presets: named sets of options."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from midigpt_cli import config
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.generate import json_response
from midigpt_cli.server.state import state_of

router = APIRouter(tags=["about"])


@router.get("/presets", summary="Named sets of options")
async def presets(request: Request) -> Response:
    """Presets by name, each with the options it sets, as fields of /infill.

    Presets of the server's own `midigpt.toml` are included.
    """
    return json_response(await state_of(request).queue.in_thread(_presets))


def _presets() -> bytes:
    known = config.presets(config.read())
    by_field = {
        name: {option.replace("-", "_"): value for option, value in options.items()} for name, options in known.items()
    }
    return to_json({"presets": by_field})
