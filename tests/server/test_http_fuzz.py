"""Whatever the schema allows, and whatever it does not, the server never fails by its own fault."""

from __future__ import annotations

import os

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, settings  # noqa: E402
from serving import live_server, models  # noqa: E402

from midigpt_cli.server.app import create_app  # noqa: E402

checks = schemathesis.checks
EXAMPLES = int(os.environ.get("MIDIGPT_FUZZ", "15"))  # requests per route
CHECKS = [checks.not_a_server_error, checks.status_code_conformance, checks.response_schema_conformance]


# Files in forms that need none trip the generator itself; test_http_audio.py sends that route what it must refuse.
schema = schemathesis.openapi.from_dict(create_app(models()).openapi()).exclude(path="/audio_to_midi")


@pytest.fixture(scope="module")
def url():
    limits = {"max_generation_seconds": 0.5, "max_bars": 64, "max_tracks": 8, "max_queue": 16}
    with live_server(**limits) as server:
        yield server.url


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
def test_no_request_gets_a_server_error(case, url):
    """503 is the stated answer of a busy server, and no fault; everything else must be described in the schema."""
    response = case.call(base_url=url)
    if response.status_code != 503:
        case.validate_response(response, checks=CHECKS)
