"""Settings shared by every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("quiet", deadline=None)  # a busy machine is no finding
settings.load_profile("quiet")


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> Iterator[None]:
    """Commands that the tests start hear Ctrl-C, also where the tests run in the background and so do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes what the user's own runs have left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(params=["reference", "compiled"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs once on the readable references of tokens.kernels and once on their compiled twins."""
    from midigpt_core.tokens import kernels

    twins = ("FAST_ENCODE", "FAST_DECODE", "FAST_FLATTEN", "FAST_MEASURE")
    if request.param == "reference":
        for name in twins:
            monkeypatch.setattr(kernels, name, None)
    elif any(getattr(kernels, name) is None for name in twins):
        pytest.skip("the compiled twins are not built: python setup.py build_ext --inplace")
    return request.param
