"""A refresh by request through Prefect: what `syncline refresh NAME` does without `--local` (SPEC A4).

Rule of this file: asking is one flow run of the connector's deployment; the answer is the report in the ledger.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound

from connectors.errors import ConfigurationError, Unavailable
from flows.prefect_server import require
from flows.report import RefreshOptions, Report
from ledger.store import Ledger

POLL = 0.5
TAKEN_AFTER = 60.0
"""Seconds after which a run that nobody has taken will not be: no daemon and no worker is there."""


async def request_refresh(
    url: str | None,
    name: str,
    options: RefreshOptions,
    ledger: Ledger,
    *,
    wait: bool = True,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Ask for a refresh; answers its report, or without `wait` the report so far: connector and run.

    Raises Unavailable where no Prefect server answers, nobody takes the run or `timeout` (seconds) is over, and
    ConfigurationError where the connector is not deployed.
    """
    async with PrefectClient(await require(url)) as client:
        run = await ask(client, name, options)
        if not wait:
            return Report(name, str(run.id), datetime.now(UTC), outcome="requested").as_json()
        ended = await _wait(client, run.id, timeout)
    return await asyncio.to_thread(ledger.run, str(ended.id)) or _from_state(name, ended)


async def ask(client: PrefectClient, name: str, options: RefreshOptions) -> FlowRun:
    """Create the flow run. Raises ConfigurationError where the connector is not deployed."""
    try:
        deployment = await client.read_deployment_by_name(f"{name}/{name}")
    except ObjectNotFound as error:
        raise ConfigurationError(
            f"Integration connector {name} is not deployed to this Prefect server",
            remedy="Deploy it: `syncline deploy`, or start the daemon with this configuration.",
        ) from error
    return await create_run(client, deployment.id, options)


async def create_run(client: PrefectClient, deployment: UUID, options: RefreshOptions) -> FlowRun:
    """Create a flow run of this deployment; it is begun as soon as a worker looks."""
    asked = options.as_json()
    given = {word: value for word, value in asked.items() if value}
    return await client.create_flow_run_from_deployment(deployment, parameters=given)


async def _wait(client: PrefectClient, run: UUID, timeout: float | None) -> FlowRun:
    asked = time.monotonic()
    while True:
        found = await client.read_flow_run(run)
        if found.state is not None and found.state.is_final():
            return found
        waited = time.monotonic() - asked
        if waited > TAKEN_AFTER and found.state is not None and found.state.is_scheduled():
            raise Unavailable(
                f"Nobody has taken the refresh (run {run})",
                remedy="Start the daemon: `syncline start`. It is done then.",
            )
        if timeout is not None and waited > timeout:
            raise Unavailable(
                f"The refresh (run {run}) goes on after {timeout:.0f} s", remedy="See it in Prefect's UI."
            )
        await asyncio.sleep(POLL)


def _from_state(name: str, run: FlowRun) -> dict[str, Any]:
    """The report of a run that ended before the engine could write one: skipped, cancelled, crashed."""
    state = run.state
    word = (state.name or "").lower() if state is not None else ""
    outcome = word if word in ("skipped", "coalesced") else "done" if word == "completed" else "failed"
    message = (state.message or "") if state is not None else ""
    return Report(name, str(run.id), run.start_time or datetime.now(UTC), outcome=outcome, message=message).as_json()
