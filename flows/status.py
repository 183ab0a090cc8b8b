"""How everything is doing, as JSON: the daemon, and every integration connector with its targets (SPEC A15).

Rule of this file: it tells what the ledger and the configuration know. Nobody is asked, so it is there when all else is
down.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.home import DaemonInfo
from flows.inboxes import moment, unresolved_users
from flows.runtime import Runtime
from ledger.model import ConnectorState, LinkState, TargetState
from mappings.load import ConnectorEntry

LOOK_BACK = 50
"""Refreshes among which the last good one is looked for."""


def status_json(runtime: Runtime, daemon: DaemonInfo | None) -> dict[str, Any]:
    """`{daemon: {pid, console_url, prefect_url}, connectors: [{name, state, last_refresh, next_refresh, lag_s, …}]}`.

    `daemon` is null where none runs. `broken`: findings, why an edit of the configuration is not in force. `lag_s`:
    seconds since the last refresh that went well, null if there was none.
    `unresolved_users`: whom the user mapping has to name (`flows.inboxes.unresolved_users`); asks for held links alone.
    """
    states = runtime.ledger.states()
    failed = Counter((f.connector, f.target) for f in runtime.ledger.failures(state="open"))
    connectors = [
        _connector(runtime, entry, states.get(name, ConnectorState(name)), failed, running=daemon is not None)
        for name, entry in runtime.configuration.connectors.items()
    ]
    broken = runtime.broken or [one for one in runtime.configuration.findings if one.severity == "error"]
    told = [finding.as_json() for finding in broken]
    return {"daemon": daemon.as_json() if daemon else None, "connectors": connectors, "broken": told}


def _connector(
    runtime: Runtime, entry: ConnectorEntry, state: ConnectorState, failed: Counter[tuple[str, str]], *, running: bool
) -> dict[str, Any]:
    name, now = entry.name, datetime.now(UTC)
    active = entry.config.active if state.active is None else state.active
    waiting = Counter(intent.target for intent in runtime.ledger.intents(name))
    targets = [
        _target(runtime, name, target.name, state.targets.get(target.name, TargetState()))
        | {"failed": failed[name, target.name], "waiting": waiting[target.name]}
        for target in entry.config.each_target()
    ]
    sums = {word: sum(target[word] for target in targets) for word in ("halted", "held", "failed", "waiting")}
    good = _last_good(runtime, state)
    return {
        "name": name,
        "state": state.state if active or state.state == "REFRESHING" else "STOPPED",
        "active": active,
        "since": moment(state.since),
        "last_refresh": moment(state.last_refresh),
        "next_refresh": moment(_next_refresh(entry, state, now)) if running and active else None,
        "lag_s": round((now - good).total_seconds(), 1) if good else None,
        **sums,
        "unresolved_users": unresolved_users(runtime.ledger.each_link(name, state=LinkState.HELD)),
        "message": state.message,
        "targets": targets,
    }


def _target(runtime: Runtime, connector: str, name: str, state: TargetState) -> dict[str, Any]:
    counts = runtime.ledger.counts(connector, name)
    return {
        "name": name,
        "state": state.state,
        "last_refresh": moment(state.last_refresh),
        "links": sum(counts.values()),
        "halted": counts[LinkState.HALTED],
        "held": counts[LinkState.HELD],
        "message": state.message,
    }


def _last_good(runtime: Runtime, state: ConnectorState) -> datetime | None:
    """When the connector was last refreshed without failing as a whole."""
    if state.last_refresh is None or not any(target.state == "FAILED" for target in state.targets.values()):
        return state.last_refresh
    runs = runtime.ledger.runs(state.name, limit=LOOK_BACK)
    good = next((run for run in runs if run["outcome"] == "done"), None)
    if good is None:
        return None
    return datetime.fromisoformat(good["started"]) + timedelta(seconds=good["seconds"])


def _next_refresh(entry: ConnectorEntry, state: ConnectorState, now: datetime) -> datetime | None:
    """When the schedule, or the pause after a failure, has the connector refreshed next; None: on request only."""
    if state.next_refresh is not None and state.next_refresh > now:
        return state.next_refresh
    if not entry.config.refresh_interval:
        return None
    from flows.deploy import wanted  # Prefect takes a second to import, which `status` without a daemon need not wait

    one = wanted(entry.config, (), now)
    step = timedelta(seconds=one.interval)
    return one.anchor + (int((now - one.anchor) / step) + 1) * step
