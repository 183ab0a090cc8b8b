"""The Prefect settings that processes of ours work with.

Rule of this file: settings are given for a while and for one context (`temporary_settings`), never changed for good.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_WORKER_CANCELLATION_POLL_SECONDS,
    PREFECT_WORKER_ENABLE_CANCELLATION,
    PREFECT_WORKER_QUERY_SECONDS,
)

POLL = 2
"""Seconds between two looks for due runs: they start a second late on average, and looking costs next to nothing."""


def worker_settings(url: str, home: Path) -> dict[Any, Any]:
    """The settings of daemon and workers: this server, and nothing of Prefect's written outside `home`."""
    return {
        PREFECT_API_URL: url,
        PREFECT_HOME: home,
        PREFECT_WORKER_QUERY_SECONDS: POLL,
        PREFECT_WORKER_ENABLE_CANCELLATION: True,
        # Only while the event stream is broken: cancelling is told through it at once.
        PREFECT_WORKER_CANCELLATION_POLL_SECONDS: 10,
        # A thread per run, for automations that look for silent ones; dead runs are found by the sweep at start.
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
    }
