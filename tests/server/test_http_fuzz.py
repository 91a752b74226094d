"""Whatever the schema allows, and whatever it does not, the server never fails by its own fault.

pytest -m slow tests/server/test_http_fuzz.py -s                                # a first look
MIDIGPT_FUZZ_REQUESTS=20000 pytest -m slow tests/server/test_http_fuzz.py -s    # the long run, counted aloud
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis")

import httpx  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from serving import live_server, models, wish  # noqa: E402

from midigpt_cli.server.app import create_app  # noqa: E402

checks = schemathesis.checks
REQUESTS = int(os.environ.get("MIDIGPT_FUZZ_REQUESTS", "500"))  # sent in all, at least
PER_ROUTE = 20  # in one round over all routes
CHECKS = [checks.not_a_server_error, checks.status_code_conformance, checks.response_schema_conformance]
LIMITS = {"max_generation_seconds": 0.5, "max_bars": 64, "max_tracks": 8, "max_queue": 16}
JAM = {"tracks": [{"drums": True}], "pace": "asap"}

# Files in forms that need none trip the generator itself; test_http_audio.py sends that route what it must refuse.
schema = schemathesis.openapi.from_dict(create_app(models()).openapi()).exclude(path="/audio_to_midi")


@pytest.fixture
def url() -> Iterator[str]:
    with live_server(**LIMITS) as server:
        yield server.url


def routes() -> list[Any]:
    return [found.ok() for found in schema.get_all_operations()]


def send_some(route: Any, number: int, url: str, known: dict[str, str], statuses: Counter[int]) -> None:
    """Requests to one route, half of them about a job or jam that is there."""

    @seed(number)
    @settings(
        max_examples=PER_ROUTE,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        deadline=None,
        database=None,
    )
    @given(case=route.as_strategy(), about_known=st.booleans())
    def send(case: Any, about_known: bool) -> None:
        for values in (case.path_parameters, case.query, case.body) if about_known else ():
            if isinstance(values, dict):
                values.update({key: known[key] for key in values if key in known})
        response = case.call(base_url=url)
        statuses[response.status_code] += 1
        if response.status_code != 503:  # the stated answer of a busy server, and no fault
            case.validate_response(response, checks=CHECKS)

    send()


@pytest.mark.slow
def test_no_request_gets_a_server_error(url: str) -> None:
    """Everything that comes back must be described in the schema."""
    statuses: Counter[int] = Counter()
    for number in count():
        job = httpx.post(f"{url}/jobs", json=wish()).json()
        jam = httpx.post(f"{url}/jam/start", json=JAM, timeout=30).json()
        known = {"job_id": job.get("id", ""), "take": "1", "session_id": jam.get("session_id", "")}
        for route in routes():
            send_some(route, number, url, known, statuses)
        print(f"{statuses.total()} requests: {dict(sorted(statuses.items()))}")  # noqa: T201
        assert not [status for status in statuses if status >= 500 and status != 503]
        if statuses.total() >= REQUESTS:
            return
