"""Keeps what is deployed in step with what is configured and what operators said, while the daemon runs.

Rule of this file: looking is cheap and local; Prefect is asked only when something that it should know has changed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from prefect.client.orchestration import PrefectClient

from flows.ask import create_run
from flows.deploy import Reconciled, Wanted, reconcile, wanted
from flows.report import RefreshOptions
from flows.runtime import Runtime
from flows.sweep import sweep
from ledger.model import ConnectorState
from mappings.load import Loaded

AGAIN_AFTER = 300.0
"""Seconds after which Prefect is asked even if nothing has changed here: somebody may have deleted a deployment."""

log = logging.getLogger("syncline.keep")


def desired(loaded: Loaded, states: Mapping[str, ConnectorState], now: datetime) -> list[Wanted]:
    """The deployments that a configuration asks for now. The operator's word on activity comes before YAML's."""
    groups: dict[str, list[str]] = {name: [] for name in loaded.connectors}
    for group in loaded.groups:
        for name in loaded.running_in(group):
            groups[name].append(group)
    found = []
    for name, entry in loaded.connectors.items():
        told = states[name].active if name in states else None
        config = entry.config if told is None else entry.config.model_copy(update={"active": told})
        found.append(wanted(config, groups[name], now))
    return found


class Keeper:
    """Reconciles, and asks for the refreshes that no schedule asks for (SPEC A3, A15)."""

    def __init__(self, client: PrefectClient, runtime: Runtime, pool: str) -> None:
        self._client, self._runtime, self._pool = client, runtime, pool
        self._deployed: dict[str, str] | None = None
        self._done: Reconciled | None = None
        self._looked = 0.0
        self._begun: set[str] = set()
        self._retried: dict[str, datetime] = {}

    async def look_again(self) -> None:
        """Reconcile if something changed; ask for the refreshes that are due. To be called again after any error."""
        if self._done is None:
            crashed, dropped = await sweep(self._client, self._pool)
            log.info("Ended %d runs of dead processes, dropped %d overdue ones.", crashed, dropped)
        states = await asyncio.to_thread(self._runtime.ledger.states)
        asked = desired(self._runtime.configuration, states, datetime.now(UTC))
        overdue = time.monotonic() - self._looked > AGAIN_AFTER
        if self._done is None or overdue or {one.name: one.version for one in asked} != self._deployed:
            self._done = await self._reconcile(asked)
        for one in asked:
            await self._begin(one, self._done)
            state = states.get(one.name)
            if one.active and not one.interval and state is not None and self._is_due(state, datetime.now(UTC)):
                await self._refresh(one.name, self._done)
                self._retried[one.name] = datetime.now(UTC)

    async def _begin(self, one: Wanted, done: Reconciled) -> None:
        """Refresh once what is new, or active again, in the life of this daemon; not what an operator paused."""
        if not one.active:
            self._begun.discard(one.name)
        elif one.name not in self._begun:
            if one.name not in done.paused:
                await self._refresh(one.name, done)
            self._begun.add(one.name)

    def _is_due(self, state: ConnectorState, now: datetime) -> bool:
        """A failed connector without a schedule retries by itself, once for each pause that the engine set."""
        pause = state.next_refresh
        if state.state != "FAILED" or pause is None or pause > now:
            return False
        return self._retried.get(state.name, datetime.min.replace(tzinfo=UTC)) < pause

    async def _reconcile(self, asked: list[Wanted]) -> Reconciled:
        done = await reconcile(self._client, asked, self._pool)
        self._deployed = {one.name: one.version for one in asked}
        self._looked = time.monotonic()
        for word, names in {"Deployed": done.created, "Updated": done.updated, "Removed": done.removed}.items():
            if names:
                log.info("%s %s.", word, ", ".join(sorted(names)))
        return done

    async def _refresh(self, name: str, done: Reconciled) -> None:
        await create_run(self._client, done.ids[name], RefreshOptions())
