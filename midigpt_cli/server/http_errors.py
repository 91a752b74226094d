"""Turn what went wrong into a status code and a sentence; nothing else leaves the server."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError as EnvelopeError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from midigpt_cli.server.peer_names import in_our_words, no_such_path
from midigpt_core.errors import (
    AudioError,
    AudioFileError,
    CancelledError,
    GenerationError,
    MidiFileError,
    MidiGptError,
    RequestValidationError,
    ScoreError,
    SongTooLargeError,
    TokenError,
)

log = logging.getLogger("midigpt.server")

STATUS: tuple[tuple[type[MidiGptError], int], ...] = (  # the first that fits
    (RequestValidationError, 422),
    (ScoreError, 400),
    (SongTooLargeError, 413),
    (MidiFileError, 400),
    (TokenError, 422),
    (AudioFileError, 400),
    (AudioError, 422),
    (GenerationError, 422),
    (CancelledError, 503),
    (MidiGptError, 500),
)
OUR_FAULT = "the server failed; its log holds the details under this request id"


class RefusalError(Exception):
    """An answer other than success, decided by the server itself."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more


def busy(detail: str, status: int = 503, retry_after: int = 5) -> RefusalError:
    """A refusal that is worth a second try."""
    return RefusalError(status, detail, {"Retry-After": str(retry_after)})


def malformed(error: RequestValidationError) -> RefusalError:
    """The refusal of a request that could not be read, as opposed to one that does not fit its score."""
    return RefusalError(400, str(error), **_fields(error))


def describe(error: BaseException) -> tuple[int, dict[str, Any], dict[str, str]]:
    """(status, body, headers) for anything that was raised."""
    if isinstance(error, RefusalError):
        told = {"detail": error.detail, "error": _word(error.status), **error.more}
        return error.status, in_our_words(told), error.headers
    for kind, status in STATUS:
        if isinstance(error, kind) and status != 500:
            return status, in_our_words({"detail": str(error), "error": type(error).__name__, **_fields(error)}), {}
    return 500, {"detail": OUR_FAULT, "error": "InternalError"}, {}


def _fields(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, RequestValidationError):
        return {}
    value = error.value
    plain = value if isinstance(value, (str, int, float, bool, type(None), list)) else repr(value)
    return {"field": error.field, "value": _short(plain), "remedy": error.remedy}


def _short(value: Any) -> Any:
    """A value fit to be repeated: long lists, strings and numbers are cut."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    text = repr(value)
    return value if len(text) <= 200 else text[:200] + "..."


WORDS = {
    400: "Malformed",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "TooSlow",
    409: "Conflict",
    410: "Gone",
    413: "TooLarge",
    415: "UnsupportedMediaType",
    422: "Unprocessable",
    429: "TooManyRequests",
    503: "Busy",
}


def _word(status: int) -> str:
    return WORDS.get(status, "Error")


def respond(request: Request, error: BaseException) -> Response:
    """The response for an error; the log gets what the caller does not."""
    status, body, headers = describe(error)
    log_fault(error, request_id(request))
    headers["X-Request-ID"] = request_id(request)
    return json_answer({**body, "request_id": request_id(request)}, status, headers)


def json_answer(body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    """JSON in ASCII: half a letter (a lone surrogate), which a caller may send, cannot be sent as it is."""
    return Response(json.dumps(body), status, headers, "application/json")


def log_fault(error: BaseException, request_id: str) -> None:
    """Log the details of an internal error, which the caller does not see."""
    if describe(error)[0] >= 500 and not isinstance(error, RefusalError):
        log.error("request failed", exc_info=error, extra={"request_id": request_id})


def request_id(request: Request) -> str:
    """The id this request is logged under."""
    return str(getattr(request.state, "request_id", ""))


def install(app: FastAPI) -> None:
    """Answer every error of the application in the same form."""

    async def ours(request: Request, error: Exception) -> Response:
        return respond(request, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = str(error.detail)
        if error.status_code == 404 and detail == "Not Found":  # no route
            detail = no_such_path(request.url.path, app.openapi()["paths"])
        return respond(request, RefusalError(error.status_code, detail, error.headers))

    async def envelope(request: Request, error: Exception) -> Response:
        assert isinstance(error, EnvelopeError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return respond(request, RefusalError(422, f"{where}: {first['msg']}", field=where))

    async def gone(request: Request, error: Exception) -> Response:
        return respond(request, RefusalError(400, "the client left before its body had arrived"))

    app.add_exception_handler(RefusalError, ours)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(MidiGptError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(EnvelopeError, envelope)
    app.add_exception_handler(Exception, ours)
