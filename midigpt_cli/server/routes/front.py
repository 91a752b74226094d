"""GET / and the small paths that clients of neighbouring servers ask first: what is here, and how it is doing."""

from __future__ import annotations

import html
from typing import Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from midigpt_cli.server.http_errors import RefusalError
from midigpt_cli.server.response_models import ERRORS, json_answer
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.routes.select import names_allowed
from midigpt_cli.server.state import ServerState, state_of
from midigpt_cli.server.work import Work

router = APIRouter(tags=["meta"])
PAGES = {"studio": "/studio", "docs": "/docs", "openapi": "/openapi.json"}


@router.get("/", summary="List of routes")
async def front(request: Request) -> Response:
    """All routes with a line each, as JSON; for browsers, as a page with links."""
    rows = routes_of(request.app.openapi())
    root = str(request.scope.get("root_path", ""))
    pages = {name: root + path for name, path in PAGES.items()}
    if "text/html" not in request.headers.get("accept", ""):
        about = {"name": "midigpt", "version": request.app.version, "pages": pages, "routes": rows}
        return Response(to_json(about), media_type="application/json")
    links = "".join(f'<li><a href="{html.escape(path)}">{name}</a></li>' for name, path in pages.items())
    lines = "".join(
        f"<tr><td><code>{html.escape(row['route'])}</code></td><td>{html.escape(row['summary'])}</td></tr>"
        for row in rows
    )
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>midigpt</title><h1>midigpt</h1>'
        f"<ul>{links}</ul><table>{lines}</table></html>"
    )


def routes_of(schema: dict[str, Any]) -> list[dict[str, str]]:
    """Every route of the OpenAPI description, with its summary, and the websocket."""
    rows = [
        {"route": f"{method.upper()} {path}", "summary": told.get("summary", "")}
        for path, methods in schema["paths"].items()
        for method, told in methods.items()
    ]
    return [*rows, {"route": "WS /ws/jam", "summary": "A jam over a websocket"}]


@router.get("/ping", summary="Whether the server answers")
async def ping() -> dict[str, bool]:
    """Always {"ok": true}; GET /health returns more."""
    return {"ok": True}


@router.get("/tester", include_in_schema=False)
async def tester(request: Request) -> Response:
    """The page to try things on is the studio."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/studio")


@router.get("/model/config", summary="Which model is the default")
@router.get("/model/status", include_in_schema=False)
async def model_config(request: Request) -> dict[str, Any]:
    """The default model, and whether jams are running. GET /models lists all models, POST /model/select sets another.

    Files on the server that may be selected are not listed.
    """
    state = state_of(request)
    entry = state.models.get(None)
    return {
        "model": entry.id,
        "checkpoint": entry.label,
        "models": list(state.models.by_id),
        "loaded": True,
        "warmed": True,
        "selecting": state.selecting.locked(),
        "active_jam": bool(state.jams.playing()),
        "allowed": names_allowed(state.settings),
    }


@router.get("/progress", summary="How far a request has come", responses={**json_answer(None), **ERRORS})
async def progress(request: Request, request_id: str = Query(description="id of the request or job")) -> dict[str, Any]:
    """Status and percentage of a running request, or of a stored job."""
    work, status = _work(state_of(request), request_id)
    now = work.progress
    done, planned = (now.bars_done, now.bars_planned) if now.bars_planned else (now.step, now.steps)
    share = 1.0 if status == "succeeded" else min(1.0, done / planned) if planned else 0.0
    stage = now.stage or ("generating" if status == "running" else status)
    return {"request_id": request_id, "status": status, "percent": round(100 * share), "stage": stage}


def _work(state: ServerState, request_id: str) -> tuple[Work, str]:
    """Raises RefusalError (404)."""
    work = state.queue.in_flight.get(request_id)
    if work is not None:
        return work, "running" if work.started else "queued"
    try:
        job = state.jobs.get(request_id)
    except RefusalError:
        raise RefusalError(
            404, f"no request {request_id[:80]!r} is in flight, and no job of this id is kept", field="request_id"
        ) from None
    return job.work, job.status
