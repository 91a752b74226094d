"""A browser and a server for the tests of the studio; both are skipped, with a reason, where they cannot be had."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

for _needed in ("fastapi", "uvicorn", "httpx", "multipart"):
    pytest.importorskip(_needed)

from fastapi.testclient import TestClient  # noqa: E402
from serving import Live, client_of, live_server  # noqa: E402
from studio.studio_page import INSTALL, PageOn  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with client_of() as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason=INSTALL)
    found = os.environ.get("MIDIGPT_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no browser: install chromium, or name one in MIDIGPT_BROWSER")
    with playwright.sync_playwright() as play:
        made = play.chromium.launch(executable_path=found, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Live]:
    with live_server() as made:
        yield made


@pytest.fixture
def page(browser: Any, server: Live) -> Iterator[Any]:
    with PageOn(browser, f"{server.url}/studio") as made:
        yield made
