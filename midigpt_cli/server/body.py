"""Read what a request carries: strict JSON, or a form with a file."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from midigpt_cli.server.coerce import flag, request_as_meant, score_as_meant
from midigpt_cli.server.http_errors import RefusalError, malformed
from midigpt_cli.server.shared_descriptions import MODEL, REQUEST_ID, TEXT_PROMPT
from midigpt_core.errors import RequestValidationError
from midigpt_core.fields import Door, read, sentence, setting
from midigpt_core.midi_file import ReadLimits
from midigpt_core.request import GenerationRequest, InferenceConfig
from midigpt_core.score import Score

T = TypeVar("T")
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
MOST_DIGITS = 40  # of a whole number; what is too large for a field is refused under its name
_SETTINGS = frozenset(row.name for row in dataclasses.fields(InferenceConfig))
ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True)
class GenerateBody:
    """A score, what to write into it, and how to respond."""

    score: dict[str, Any] = setting(MISSING, "the song", model=Score)
    request: dict[str, Any] = setting(MISSING, "what to write", model=GenerationRequest)
    request_id: str | None = setting(None, f"{REQUEST_ID}; cancelling needs it", pattern=f"^{ID.pattern}$")
    stream: bool = setting(False, "respond with server-sent events while bars are written")
    model: str | None = setting(None, MODEL)
    prompt: str | None = setting(None, TEXT_PROMPT)


def is_json(content_type: str) -> bool:
    """Whether a Content-Type header names JSON."""
    kind = content_type.split(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def read_json(request: Request) -> Any:
    """The body as JSON. Raises RefusalError: 415 for another media type, 422 for what is not JSON."""
    content_type = request.headers.get("content-type", "")
    if not is_json(content_type):
        raise RefusalError(415, f"Content-Type {content_type!r} is not JSON; send application/json")
    return parse_json(await request.body())


async def read_message(request: Request) -> Any:
    """A small message: JSON, or the fields of a form, each read as the value it spells. Raises RefusalError."""
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() not in FORMS:
        return await read_json(request)
    try:
        async with request.form(max_files=2, max_fields=200) as form:
            return {name: await _sent(item) for name, item in form.multi_items()}
    except MultiPartException as error:
        raise RefusalError(400, f"the form cannot be read: {error.message}") from error


async def _sent(item: Any) -> Any:
    """One field of a form: a file in base64, a number or a truth value where it spells one, else the text."""
    if isinstance(item, UploadFile):
        return base64.b64encode(await item.read()).decode("ascii")
    text = item.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = float(text) if len(text) <= MOST_DIGITS and text[-1:].isdigit() else None
    except ValueError:
        return item
    if number is None or not math.isfinite(number):
        return item
    return int(text) if text.lstrip("-").isdecimal() else number


def parse_json(raw: bytes) -> Any:
    """Strict JSON: no NaN, no Infinity, no number too large for any field, no endless nesting."""
    try:
        return json.loads(raw, parse_constant=_no_constant, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise RefusalError(422, "the body is nested too deeply; a score needs six levels") from None
    except ValueError as error:
        raise RefusalError(422, f"the body is not JSON: {error}") from None


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _int(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"{text[:40]} is too large a number")
    return int(text)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def read_body(cls: type[T], data: Any) -> T:
    """The outer object of a request, its score and its request not yet read. Raises RefusalError (422)."""
    if isinstance(data, dict) and "stream" in data:
        data = {**data, "stream": flag(data["stream"])}
    body = read(cls, data, "", Door(_unprocessable))
    check_id(getattr(body, "request_id", None))
    return body


def _unprocessable(name: str, value: Any, problem: str, remedy: str) -> RefusalError:
    return RefusalError(422, sentence(name or "the body", value, problem, remedy), field=name)


def check_id(request_id: str | None) -> str | None:
    """The id itself. Raises RefusalError (422) for one that is not fit for a header or a path."""
    if request_id is not None and not ID.fullmatch(request_id):
        raise RefusalError(
            422,
            f"request_id {request_id[:40]!r} is not a valid id; use letters, digits and . _ : -",
            field="request_id",
        )
    return request_id


def read_score(data: Any, limits: ReadLimits) -> Score:
    """The score in a request. Raises ScoreError (400), SongTooLargeError (413) before it is built."""
    return Score.from_dict(score_as_meant(data), limits)


def settings_in_place(data: Any, status: int = 422) -> None:
    """Refuse settings that stand beside `config`, and say where they go. Raises RefusalError."""
    for key in data if isinstance(data, dict) else ():
        if key in _SETTINGS:
            raise RefusalError(status, f"{key} is a setting; put it into config", field=str(key))


def read_request(data: Any) -> GenerationRequest:
    """The generation request in a request. Raises RefusalError (400) for one that cannot be read."""
    settings_in_place(data, 400)
    try:
        return GenerationRequest.from_dict(request_as_meant(data))
    except RequestValidationError as error:
        raise malformed(error) from error


@dataclass(frozen=True)
class FileField:
    """The file a form holds: names its field may have, and what is in it, in words."""

    names: Sequence[str]
    kind: str
    required: bool = True


SONG = FileField(("file", "midi"), ".mid")


@dataclass(frozen=True)
class Form:
    """A form: the file in it (no bytes where there is none), and every other field as the strings that were sent."""

    name: str
    data: bytes
    fields: Mapping[str, list[str]]


async def read_form(request: Request, expected: FileField = SONG) -> Form:
    """A multipart form; without a file in it, a URL-encoded one too, where none is required. Raises RefusalError."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.split(";")[0].strip().lower()
    if kind != "multipart/form-data" and (expected.required or kind != "application/x-www-form-urlencoded"):
        raise RefusalError(
            415,
            f"Content-Type {content_type!r} is not a form; send multipart/form-data with the {expected.kind} as "
            f"{expected.names[0]!r}",
        )
    try:
        async with request.form(max_files=2, max_fields=200) as form:
            return await _form(form.multi_items(), expected)
    except MultiPartException as error:
        raise RefusalError(400, f"the form cannot be read: {error.message}") from error


async def _form(items: list[tuple[str, Any]], expected: FileField) -> Form:
    files = [(name, item) for name, item in items if isinstance(item, UploadFile)]
    fields: dict[str, list[str]] = {}
    for name, item in items:
        if isinstance(item, str):
            fields.setdefault(name, []).append(item)
    names = [name for name, _ in files]
    if len(files) > 1 or (expected.required and not files) or not set(names) <= set(expected.names):
        first = expected.names[0]
        found = ", ".join(names) or "none"
        raise RefusalError(400, f"the form's files are: {found}; send one {expected.kind} as {first!r}", field=first)
    if not files:
        return Form("", b"", fields)
    upload = files[0][1]
    return Form(upload.filename or "", await upload.read(), fields)
