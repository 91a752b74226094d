"""One server for all tests of this folder that need no settings of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

for _needed in ("fastapi", "uvicorn", "httpx", "multipart"):
    pytest.importorskip(_needed)

import httpx  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402
from serving import Live, client_of, live_server  # noqa: E402


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with client_of() as made:
        yield made


@pytest.fixture(scope="session")
def live() -> Iterator[Live]:
    with live_server() as made:
        yield made


@pytest.fixture
def http(live: Live) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live.url, timeout=60) as made:
        yield made
