"""The application factory: settings and models in, an ASGI application out."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware

from midigpt_cli.server import http_errors
from midigpt_cli.server.body import GenerateBody
from midigpt_cli.server.guards import BodyLimit, Doorkeeper, Journal
from midigpt_cli.server.jam_models import JAM_BODIES
from midigpt_cli.server.loaded_models import Models
from midigpt_cli.server.musicgen_looper import LooperBody
from midigpt_cli.server.request_models import SEED_REQUEST, SEED_SCORE, components, model_of
from midigpt_cli.server.responses import Answer
from midigpt_cli.server.routes import (
    conversions,
    convert,
    front,
    generate,
    infill,
    jam,
    jam_socket,
    jobs,
    loop,
    meta,
    presets,
    render,
    select,
    song,
    studio,
    style,
    transcribe,
    words,
)
from midigpt_cli.server.routes.jobs import JobBody
from midigpt_cli.server.routes.loop import LoopBody
from midigpt_cli.server.routes.select import SelectBody
from midigpt_cli.server.routes.style import StyleBody
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.state import ServerState

ROUTERS: tuple[APIRouter, ...] = (
    meta.router,
    front.router,
    generate.router,
    infill.router,
    loop.router,
    style.router,
    jam.router,
    jam_socket.router,
    convert.router,
    song.router,
    render.router,
    presets.router,
    jobs.router,
    transcribe.router,
    conversions.router,
    select.router,
    studio.router,
    words.router,
)
EXPOSED = (  # what pages may read of an answer's head
    "X-Request-ID",
    "X-Midigpt-Seed",
    "X-Midigpt-Report",
    "Retry-After",
    "Location",
    "Content-Disposition",
    "Content-Length",
    "WWW-Authenticate",
)
ABOUT = "Fill in bars of a song. Scores are JSON or .mid files; in JSON, tracks and bars count from 0."


def create_app(models: Models, settings: ServerSettings | None = None, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The server for these models; `routers` are added to its own."""
    state = ServerState(models, settings or ServerSettings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with state.jobs.running():
            yield
            state.jams.close_all("the server is stopping")
            await state.queue.close(0.0)

    about = {"title": "midigpt", "description": ABOUT, "version": _version()}
    more = {"lifespan": lifespan, "default_response_class": Answer}
    app = FastAPIOffline(docs_url="/docs", redoc_url=None, **more, **about)  # its pages load nothing else
    app.state.midigpt = state
    http_errors.install(app)
    for router in (*ROUTERS, *routers):
        app.include_router(router)
    _guard(app, state)
    _describe(app, state.settings)
    return app


def _version() -> str:
    try:
        return version("midigpt-cli")
    except PackageNotFoundError:
        return "0"


def _guard(app: FastAPI, state: ServerState) -> None:
    """Outermost last: a request meets Journal, then CORS, then the door, then the body limit."""
    app.add_middleware(BodyLimit, state=state)
    app.add_middleware(Doorkeeper, state=state)
    if state.settings.cors_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(state.settings.cors_origin),
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            **_private_network(),
        )
    app.add_middleware(Journal, state=state)


def _private_network() -> dict[str, Any]:
    """Pages that may call may do so from the public internet, where the framework knows how to say so."""
    known = inspect.signature(CORSMiddleware.__init__).parameters
    return {"allow_private_network": True} if "allow_private_network" in known else {}


def _describe(app: FastAPI, settings: ServerSettings) -> None:
    """Add to OpenAPI what routes that read their body by themselves take, and how to show the key."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            parts = schema.setdefault("components", {})
            example = {"score": SEED_SCORE, "request": SEED_REQUEST}
            written = [model_of(GenerateBody, example), model_of(JobBody, example)]
            bodies: list[type[BaseModel]] = [
                *written,
                *JAM_BODIES,
                model_of(LoopBody),
                model_of(SelectBody),
                StyleBody,
                model_of(LooperBody),
            ]
            parts.setdefault("schemas", {}).update(components(bodies))
            if settings.api_key:
                parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
                schema["security"] = [{"key": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
