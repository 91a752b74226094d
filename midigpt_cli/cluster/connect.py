"""Reach a Ray cluster, or begin one of this machine alone; Ray is imported here only."""

from __future__ import annotations

import logging
import os
from typing import Any

from midigpt_core.errors import MidiGptError

LOCAL, AUTO = "local", "auto"


def ray_module(extra: str = "cluster") -> Any:
    """Ray itself. Raises MidiGptError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as it will be by default; says so otherwise
    try:
        import ray
    except ImportError as error:
        raise MidiGptError(
            f"{error.name} is missing; install what clusters need with: pip install 'midigpt-cli[{extra}]'"
        ) from error
    return ray


def connected(address: str) -> Any:
    """Ray, connected: to a new one of this machine (local), the one that is found (auto), or the one at an address."""
    ray = ray_module()
    try:
        ray.init(
            address=address,
            include_dashboard=False if address == LOCAL else None,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        way = "start one with `ray start --head`, or say --cluster local" if address == AUTO else "is it running?"
        raise MidiGptError(f"--cluster {address}: no Ray cluster answers ({_first_line(error)}); {way}") from error
    return ray


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
