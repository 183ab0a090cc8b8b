"""What the pages and both REST APIs ask for: one object between them and `flows`.

Rule of this file: it answers the JSON of the command line, and every change carries who asked for it. Connectors that
it needs itself (to settle a conflict, for a dry run) are its own: those of the worker live on another event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.errors import ConfigurationError, NotFound
from flows import edit, operate, stewardship
from flows.engine import refresh_connector
from flows.home import daemon_info
from flows.inboxes import audit_json, conflict_json, failure_json, link_json
from flows.report import RefreshOptions
from flows.runtime import Runtime
from flows.status import status_json
from ledger.model import AuditEntry, Link, LinkState
from mappings.config import Side, permitted
from mappings.findings import nearest
from mappings.load import ConnectorEntry
from mappings.services import permitted_by_service

Json = dict[str, Any]
Refresher = Callable[[Runtime, Sequence[str], RefreshOptions, bool], Awaitable[list[Json]]]
"""Has connectors refreshed: (runtime, names, options, wait) -> their reports, or without `wait` what was asked for."""


DEPLOYED_WITHIN = 15.0
"""Seconds that the daemon may take to deploy what has just been configured."""


async def by_daemon(runtime: Runtime, names: Sequence[str], options: RefreshOptions, wait: bool) -> list[Json]:
    """The refresher of a running daemon: through Prefect, where operators see every run."""
    return list(await asyncio.gather(*(_by_daemon(runtime, name, options, wait) for name in names)))


async def _by_daemon(runtime: Runtime, name: str, options: RefreshOptions, wait: bool) -> Json:
    from flows.remote import refresh_by_daemon

    late = time.monotonic() + DEPLOYED_WITHIN
    while True:
        try:
            (report,) = await refresh_by_daemon(runtime, [name], options, wait=wait)
            return report
        except ConfigurationError:  # it was configured a moment ago, and the daemon has not deployed it yet
            if time.monotonic() > late:
                raise
            await asyncio.sleep(0.3)


@dataclass(slots=True)
class Service:
    """`runtime` is the daemon's: its ledger and the configuration in force. Close it with `close`."""

    runtime: Runtime
    refresher: Refresher = by_daemon
    server_name: str = "syncline"
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _own: Runtime | None = None

    async def close(self) -> None:
        """Close the connectors of its own; the ledger is the daemon's."""
        if self._own is not None:
            await self._own.close_ends()

    @property
    def own(self) -> Runtime:
        """The same configuration and ledger, with connectors for this event loop."""
        if self._own is None:
            self._own = Runtime(self.runtime.config, self.runtime.configuration, self.runtime.ledger)
        self._own.configuration = self.runtime.configuration
        return self._own

    # -- connectors -------------------------------------------------------------------------------------------

    def entry(self, name: str) -> ConnectorEntry:
        """A connector of the configuration in force. Raises NotFound with the nearest names."""
        known = self.runtime.configuration.connectors
        if name not in known:
            raise NotFound(
                f"There is no integration connector {name!r}", remedy=nearest(name, sorted(known), "Known connectors")
            )
        return known[name]

    def connectors(self) -> list[Json]:
        """Every connector: how it is configured, and how it is doing."""
        return [self._connector(told) for told in self.status()["connectors"]]

    def connector(self, name: str) -> Json:
        """One connector. Raises NotFound."""
        self.entry(name)
        return next(one for one in self.connectors() if one["name"] == name)

    def _connector(self, told: Json) -> Json:
        loaded = self.runtime.configuration
        entry = loaded.connectors[told["name"]]
        config, default = entry.config, permitted_by_service(entry.config.service)
        targets = {target.name: target for target in config.each_target()}
        return {
            **told,
            "description": config.description,
            "group": entry.group.group,
            "groups": [group for group in loaded.groups if entry.name in loaded.running_in(group)],
            "left": self._system(config.left),
            "right": self._system(config.right),
            "service": config.service,
            "permitted_synchronization": str(config.permitted_synchronization or default),
            "refresh_interval_s": config.refresh_interval,
            "start_date": config.start_date.isoformat() if config.start_date else None,
            "stop_date": config.stop_date.isoformat() if config.stop_date else None,
            "entities": [{"left": row.left, "right": row.right, "fields": len(row.fields)} for row in config.entities],
            "targets": [
                {
                    **one,
                    "left": targets[one["name"]].left,
                    "right": targets[one["name"]].right,
                    "active": targets[one["name"]].active,
                    "writes": sorted(permitted(config, targets[one["name"]], default)),
                }
                for one in told["targets"]
            ],
        }

    def _system(self, name: str) -> Json:
        """What may be shown of a system: never its credentials."""
        system = self.runtime.configuration.systems[name].system
        url = (system.model_extra or {}).get("url")
        return {"system": name, "kind": system.kind, "url": url if isinstance(url, str) else None}

    async def refresh(self, names: Sequence[str], options: RefreshOptions, *, wait: bool, who: str) -> list[Json]:
        """Have connectors refreshed. A dry run is made here, at once; its report has the `plan`.

        Raises NotFound, ConfigurationError (one that is not active, an unknown target) and Unavailable.
        """
        for name in names:
            self._fits(self.entry(name), options)
        if options.dry_run:
            return [await self._dry_run(name, options) for name in names]
        for name in names:
            await asyncio.to_thread(operate.require_active, self.runtime, name)
        self.audit("request", names, who=who, after=options.as_json())
        return await self.refresher(self.runtime, names, options, wait)

    def _fits(self, entry: ConnectorEntry, options: RefreshOptions) -> None:
        targets = {target.name for target in entry.config.each_target()}
        for unknown in set(options.targets) - targets:
            raise NotFound(
                f"{entry.name} has no target {unknown!r}", remedy=nearest(unknown, sorted(targets), "Its targets")
            )

    async def _dry_run(self, name: str, options: RefreshOptions) -> Json:
        report = await refresh_connector(self.own, name, options)
        return {**report.as_json(), "plan": [row.as_json() for row in report.plan]}

    def active_names(self) -> list[str]:
        return operate.active_names(self.runtime)

    def set_active(self, name: str, active: bool, *, who: str) -> Json:
        """Let a connector run, or rest: `{name, active, changed}`. Raises NotFound."""
        self.entry(name)
        changed = operate.set_active(self.runtime, name, active, who=who)
        return {"name": name, "active": active, "changed": changed}

    # -- what the ledger tells --------------------------------------------------------------------------------

    def status(self) -> Json:
        return status_json(self.runtime, daemon_info(self.runtime.config))

    def runs(self, connector: str | None = None, limit: int = 100) -> list[Json]:
        """Reports of the last refreshes, newest first, without their plans."""
        return self.runtime.ledger.runs(connector, limit=limit)

    def run(self, id: str) -> Json:
        """One report, with its `plan`. Raises NotFound."""
        found = self.runtime.ledger.run(id)
        if found is None:
            raise NotFound(f"There is no run {id!r}", remedy="The list of runs has the last ones.")
        return found

    def links(
        self, connector: str | None, target: str | None, state: LinkState | None, after: int, limit: int
    ) -> list[Json]:
        found = self.runtime.ledger.links(connector, target=target, state=state, after=after, limit=limit)
        return [link_json(link) for link in found]

    def conflicts(self, connector: str | None, state: str | None, after: int = 0, limit: int = 100) -> list[Json]:
        found = _page(self.runtime.ledger.conflicts(connector, state=state), after, limit)
        ends = {link.id: link for link in self._links_of(one.link for one in found)}
        return [conflict_json(conflict, ends.get(conflict.link)) for conflict in found]

    def _links_of(self, ids: Iterable[int]) -> list[Link]:
        return self.runtime.ledger.links(ids=set(ids))

    def failures(self, connector: str | None, state: str | None, after: int = 0, limit: int = 100) -> list[Json]:
        return [failure_json(one) for one in _page(self.runtime.ledger.failures(connector, state=state), after, limit)]

    def audit_log(
        self, *, after: int = 0, limit: int = 100, newest: bool = False, **which: str | None
    ) -> list[tuple[int, Json]]:
        """Lines of the audit log with their numbers. `which`: connector, entity, run, what."""
        found = self.runtime.ledger.audit(**which, after=after, limit=limit, newest=newest)
        return [(entry.id, audit_json(entry)) for entry in found]

    def audit(self, what: str, names: Iterable[str] = ("",), *, who: str, after: Any = None, reason: str = "") -> None:
        """Tell the audit log what somebody did here."""
        with self.runtime.ledger.begin() as tx:
            tx.audit([AuditEntry.now(what, name, who=who, after=after, reason=reason) for name in names])

    # -- what stewards decide ---------------------------------------------------------------------------------

    async def resolve(
        self, id: int, take: Side | Mapping[str, Side] | None, values: Mapping[str, str], *, reason: str, who: str
    ) -> Json:
        """Settle a conflict and answer the report. Raises NotFound, Changed (look again) and Rejected."""
        report = await stewardship.resolve(self.own, id, take=take, values=values, reason=reason, who=who)
        return report.as_json()

    async def retry(self, ids: Sequence[int] | None, connector: str | None, *, reason: str, who: str) -> list[Json]:
        """Try failed entities again. `ids` None: all open ones. Raises NotFound."""
        self._require_failures(ids)
        reports = await stewardship.retry(self.own, connector, ids, reason=reason, who=who)
        return [report.as_json() for report in reports]

    def ignore(self, ids: Sequence[int] | None, connector: str | None, *, reason: str, who: str) -> int:
        """Put failures out of the way, and answer how many. Raises NotFound."""
        self._require_failures(ids)
        return stewardship.ignore(self.own, connector, ids, reason=reason, who=who)

    def _require_failures(self, ids: Sequence[int] | None) -> None:
        known = {failure.id for failure in self.runtime.ledger.failures(ids=ids)} if ids else set()
        for id in ids or ():
            if id not in known:
                raise NotFound(f"There is no failure {id}", remedy="The list of failures has them.")

    # -- groups -----------------------------------------------------------------------------------------------

    def groups(self) -> list[Json]:
        """The groups in force: `{name, file, connectors, members, systems}`."""
        loaded = self.runtime.configuration
        return [
            {
                "name": name,
                "file": group.file.name,
                "connectors": [connector.name for connector in group.config.connectors],
                "members": list(group.config.members),
                "systems": {system: one.kind for system, one in group.config.systems.items()},
            }
            for name, group in loaded.groups.items()
        ]

    def group_text(self, name: str) -> str:
        """A group in force, as YAML. Raises NotFound."""
        known = self.runtime.configuration.groups
        if name not in known:
            raise NotFound(f"There is no group {name!r}", remedy=nearest(name, sorted(known), "Known groups"))
        return edit.group_text(self.runtime, name)

    async def put_group(self, name: str, text: str, *, who: str) -> list[Json]:
        """Keep a group; in force when this returns. Answers the warnings. Raises ConfigurationErrors."""
        return [finding.as_json() for finding in await edit.put_group(self.runtime, name, text, who=who)]


def _page(found: Sequence[Any], after: int, limit: int) -> list[Any]:
    """At most `limit` of what comes after the number `after`."""
    return list(itertools.islice((one for one in found if one.id > after), limit))
