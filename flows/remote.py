"""What the command line asks of Prefect: a refresh by the daemon, and deployments without one.

Rule of this file: it is imported only by commands that need Prefect; importing it takes a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.settings import temporary_settings

from flows.ask import request_refresh
from flows.deploy import POOL, Reconciled, reconcile
from flows.home import daemon_info, state_folder
from flows.keep import desired
from flows.prefect_server import prefect_url, require
from flows.report import RefreshOptions
from flows.runtime import Runtime
from flows.settings import worker_settings


def prefect_api(runtime: Runtime) -> str | None:
    """The Prefect API that this configuration's daemon uses, else the one that the environment names."""
    info = daemon_info(runtime.config)
    return info.prefect_api if info is not None and info.prefect_api else prefect_url()


async def refresh_by_daemon(
    runtime: Runtime, names: Sequence[str], options: RefreshOptions, *, wait: bool
) -> list[dict[str, Any]]:
    """Ask for a refresh of each connector; their reports, or without `wait` what was asked for.

    Raises Unavailable without a Prefect server or a daemon, ConfigurationError for what is not deployed.
    """
    url = await require(prefect_api(runtime))
    with temporary_settings(worker_settings(url, state_folder(runtime.config) / "prefect")):
        asked = (request_refresh(url, name, options, runtime.ledger, wait=wait) for name in names)
        return list(await asyncio.gather(*asked))


async def deploy(runtime: Runtime, pool: str = POOL) -> Reconciled:
    """Make the deployments of `pool` what the configuration says. Raises Unavailable without a Prefect server."""
    url = await require(prefect_api(runtime))
    with temporary_settings(worker_settings(url, state_folder(runtime.config) / "prefect")):
        async with PrefectClient(url) as client:
            states = await asyncio.to_thread(runtime.ledger.states)
            return await reconcile(client, desired(runtime.configuration, states, datetime.now(UTC)), pool)
