"""What a server cannot do is said in its own words."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="needs the serve extra")


def test_a_server_that_cannot_listen_says_what_is_missing_and_not_that_it_is_busy(monkeypatch) -> None:
    from midigpt_cli.server.http_errors import RefusalError, describe
    from midigpt_cli.server.routes import transcribe
    from midigpt_core.errors import AudioError

    def missing() -> None:
        raise AudioError("pip install basic-pitch")

    monkeypatch.setattr(transcribe, "model_file", missing)
    with pytest.raises(RefusalError) as refusal:
        transcribe._check_engine()
    status, body, headers = describe(refusal.value)
    assert (status, body["error"], "Retry-After" in headers) == (503, "NotInstalled", False)
    assert "pip install basic-pitch" in body["detail"]
