"""GET /studio: the page that shows a song, has bars of it written anew and plays the takes. GET /jam: a live jam."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, RedirectResponse

from midigpt_cli.server.http_errors import RefusalError

router = APIRouter(tags=["studio"], include_in_schema=False)
FOLDER = Path(__file__).parents[2] / "studio"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a newer version of the program brings a newer page
}


@router.get("/studio", summary="The studio")
async def page() -> Response:
    """The page itself; all addresses in it are relative, so that it works behind a path prefix too."""
    return _file("index.html")


@router.get("/jam", summary="A live jam")
async def jam() -> Response:
    """The page that plays a jam as it is written."""
    return _file("jam.html")


@router.get("/studio/", summary="The studio, with a slash too many")
async def slashed() -> Response:
    """The same page; relative, because only the browser knows the prefix in front."""
    return RedirectResponse("../studio")


@router.get("/studio/{name}", summary="A part of the studio")
async def part(name: str) -> Response:
    """A script, style or picture of the page."""
    return _file(name)


def _file(name: str) -> Response:
    known = {path.name: path for path in FOLDER.iterdir() if path.suffix in KINDS}
    if name not in known:
        raise RefusalError(404, f"the studio has no part {name[:80]!r}")
    return FileResponse(known[name], media_type=KINDS[known[name].suffix], headers=HEADERS)
