"""Keeps what is deployed in step with what is configured and what operators said, while the daemon runs.

Rule of this file: looking is cheap and local; Prefect is asked only when something that it should know has changed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from flows.ask import create_run
from flows.deploy import Reconciled, Wanted, reconcile, wanted
from flows.report import RefreshOptions
from flows.runtime import Runtime
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
        self._deployed: dict[str, str] = {}
        self._ids: Mapping[str, UUID] = {}
        self._looked = 0.0
        self._retried: dict[str, datetime] = {}
        self._life = secrets.token_hex(4)

    async def start(self) -> None:
        """Reconcile, and refresh every active connector once, except those that an operator paused."""
        asked, _ = await self._look()
        done = await self._reconcile(asked)
        await self._refresh((one.name for one in asked if one.active and one.name not in done.paused), "start")

    async def look_again(self) -> None:
        """Reconcile if something changed; refresh what was added or activated, and retry what failed unscheduled."""
        asked, states = await self._look()
        overdue = time.monotonic() - self._looked > AGAIN_AFTER
        if overdue or {one.name: one.version for one in asked} != self._deployed:
            done = await self._reconcile(asked)
            await self._refresh(done.started, f"activated-{time.time()}")
        now = datetime.now(UTC)
        for one in asked:
            state = states.get(one.name)
            if one.active and not one.interval and state is not None and self._is_due(state, now):
                self._retried[one.name] = now
                await self._refresh([one.name], f"retry-{now.timestamp()}")

    def _is_due(self, state: ConnectorState, now: datetime) -> bool:
        """A failed connector without a schedule retries by itself, once for each pause that the engine set."""
        pause = state.next_refresh
        if state.state != "FAILED" or pause is None or pause > now:
            return False
        return self._retried.get(state.name, datetime.min.replace(tzinfo=UTC)) < pause

    async def _look(self) -> tuple[list[Wanted], Mapping[str, ConnectorState]]:
        states = await asyncio.to_thread(self._runtime.ledger.states)
        return desired(self._runtime.configuration, states, datetime.now(UTC)), states

    async def _reconcile(self, asked: list[Wanted]) -> Reconciled:
        done = await reconcile(self._client, asked, self._pool)
        self._deployed = {one.name: one.version for one in asked}
        self._ids, self._looked = done.ids, time.monotonic()
        for word, names in {"Deployed": done.created, "Updated": done.updated, "Removed": done.removed}.items():
            if names:
                log.info("%s %s.", word, ", ".join(sorted(names)))
        return done

    async def _refresh(self, names: Iterable[str], why: str) -> None:
        for name in names:
            await create_run(self._client, self._ids[name], RefreshOptions(), f"{name}-{why}-{self._life}")
