"""What a refresh works on: one target and one row of `entities`, with both ends at hand.

Rule of this file: a job knows everything that the four stages need, and asks a system only for what it really needs:
a refresh that finds nothing never asks for a schema or a user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from connectors.contract import Connector, CountsRequests, HasUsers, Limits, Normalises, SystemInfo
from connectors.entity import Entity, EntityRef, Value
from connectors.errors import ConfigurationError
from flows.guard import Writer
from flows.planned import plan_rows
from flows.report import PlanRow, RefreshOptions, TargetReport
from ledger.model import AuditEntry, Failure, Lease
from ledger.model import End as LinkEnd
from mappings.check import check_schema
from mappings.config import EntityRow, FieldRow, IntegrationConnector, Side, Target
from mappings.plan import Adapt, Rules, compile_rules, fingerprints, mapping_version
from mappings.translate import Directory
from mappings.values import ValueTable

if TYPE_CHECKING:
    from flows.actions import Action, DeleteAction
    from ledger.store import Ledger

USER_LOOKUPS_AT_ONCE = 8
MOST_PLAN_ROWS = 1000
"""Rows of what was done that a report keeps; a dry run keeps them all."""
UNKNOWN_CLOCK = timedelta(seconds=5)
"""How far the clock of a system that never tells its time is taken to be off."""


@dataclass(slots=True)
class End:
    """One end of a job: the connector, and what of its system this job is about."""

    side: Side
    connector: Connector
    identity: str
    scope: str
    type: str
    timeout: float
    users: Directory
    writer: Writer
    offset: timedelta | None = None
    _info: SystemInfo | None = None

    def heard(self, server_time: datetime | None) -> datetime:
        """Learn the system's clock, from a page or the time of a write; answers that moment by it."""
        now = datetime.now(UTC)
        if server_time is not None:
            # What was heard may have waited before it came here: only a lead of the system's clock is believed.
            lead = server_time - now
            self.offset = lead if self.offset is None else max(self.offset, lead)
        return server_time or now

    def clock(self) -> datetime:
        """The system's clock now, as far as it is known."""
        return datetime.now(UTC) + (self.offset or timedelta(0))

    @property
    def limits(self) -> Limits:
        return self.connector.limits

    @property
    def settle_time(self) -> timedelta:
        """After this long nothing older can still appear in `changes`: clock steps, lagging search, late commits."""
        return (self.limits.timestamp_resolution or timedelta(0)) + self.limits.search_lag + timedelta(seconds=2)

    @property
    def call_time(self) -> timedelta:
        """How long a call may be under way at the system: request time-out plus search lag."""
        return timedelta(seconds=self.timeout) + self.limits.search_lag

    def ref(self, id: str) -> EntityRef:
        """The reference of an entity of this job, by its id alone."""
        return EntityRef(self.scope, self.type, id)

    def ident(self, ref: EntityRef) -> str:
        """What identifies the entity in its system: the id, or type and id where ids are unique per type only."""
        return f"{ref.type}/{ref.id}" if self.limits.ids_per_type else ref.id

    def link_end(self, entity: Entity, *, seen: datetime | None, touched: bool, settled: bool = True) -> LinkEnd:
        """The end of a link as the ledger keeps it. `settled=False` forgets the version: look again next time."""
        version = entity.version if settled else ""
        return LinkEnd(
            self.identity,
            self.ident(entity.ref),
            entity.ref,
            entity.url,
            entity.key,
            version,
            entity.modified,
            seen,
            touched,
        )

    def is_settled(self, end: LinkEnd, entity: Entity) -> bool:
        """Whether nothing can have changed since the ledger saw this version (DESIGN.md, "One refresh", 1)."""
        if not end.version or end.version != entity.version:
            return False
        resolution = self.limits.timestamp_resolution
        if resolution is None:
            return True
        doubt = UNKNOWN_CLOCK if self.offset is None else timedelta(0)
        return end.seen is not None and entity.modified is not None and end.seen - entity.modified > resolution + doubt

    async def info(self) -> SystemInfo:
        """Who we are there; asked once per job, only where it is needed."""
        if self._info is None:
            self._info = await self.connector.check()
        return self._info


@dataclass(slots=True)
class Job:
    """One target and one row of `entities`, during one refresh. `lease` is None in a dry run: nothing is recorded."""

    connector: IntegrationConnector
    target: Target
    row: EntityRow
    ends: Mapping[Side, End]
    permitted: frozenset[Side]
    ledger: Ledger
    lease: Lease | None
    options: RefreshOptions
    report: TargetReport
    run: str
    stopping: Callable[[], bool]
    workbook_table: Callable[[FieldRow], ValueTable | None]
    plan: list[PlanRow] = field(default_factory=list)
    progress: Callable[[str, int], None] = lambda _what, _n: None
    failures: dict[tuple[Side, EntityRef], Failure] = field(default_factory=dict)
    """Open failures of this connector, by the entity that failed."""
    deletes: list[DeleteAction] = field(default_factory=list)
    """Deletes wait for the end of the refresh: the fuse must see them all."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    look_ups: dict[Side, dict[str, list[Entity]]] = field(default_factory=dict)
    _rules: Rules | None = None
    _fingerprints: dict[str, str] | None = None
    _version: str = ""

    @property
    def name(self) -> str:
        return self.connector.name

    @property
    def owner(self) -> Side | None:
        return next(iter(self.permitted)).other if len(self.permitted) == 1 else None

    @property
    def users(self) -> Mapping[Side, Directory]:
        return {side: end.users for side, end in self.ends.items()}

    @property
    def version(self) -> str:
        """The version of the mapping in force; needs no system. Reckoned once: every link that is kept names it."""
        if not self._version:
            self._version = mapping_version(self.fingerprints)
        return self._version

    @property
    def adapt(self) -> Adapt:
        """What becomes of linked pairs when the mapping changed (SPEC B20); consent given makes `ask` an `apply`."""
        mode = self.connector.on_mapping_change
        if mode == "ask" and self.ledger.mapping_version(self.name, self.version) is not None:
            return "apply"
        return mode

    @property
    def fingerprints(self) -> dict[str, str]:
        if self._fingerprints is None:
            self._fingerprints = fingerprints(self.row, self.workbook_table)
        return self._fingerprints

    async def rules(self) -> Rules:
        """The mapping ready to work. Raises ConfigurationError with everything that does not fit the live systems."""
        if self._rules is None:
            schemas = {side: await end.connector.schema(end.scope, end.type) for side, end in self.ends.items()}
            problems = [
                f
                for f in check_schema(self.connector, self.row, self.target, schemas, self.workbook_table)
                if f.severity == "error"
            ]
            if problems:
                told = "; ".join(f"{p.path}: {p.problem}. {p.remedy}" for p in problems)
                raise ConfigurationError(
                    f"the mapping does not fit the systems: {told}", remedy="Run `syncline check`."
                )
            self._rules = compile_rules(
                self.row,
                schemas,
                self.permitted,
                self.workbook_table,
                {
                    side: _normaliser(end.connector, end.type)
                    for side, end in self.ends.items()
                    if isinstance(end.connector, Normalises)
                },
            )
        return self._rules

    async def learn_users(self) -> bool:
        """Look up the users that a translation asked for. True if there were any: translate again."""
        asked = [(end, text) for end in self.ends.values() for text in sorted(end.users.missing)]
        gate = asyncio.Semaphore(USER_LOOKUPS_AT_ONCE)

        async def learn(end: End, text: str) -> None:
            async with gate:
                found = await end.connector.find_user(text) if isinstance(end.connector, HasUsers) else ()
            end.users.learn(text, tuple(found))

        await asyncio.gather(*(learn(end, text) for end, text in asked))
        return bool(asked)

    def audit(
        self,
        what: str,
        *,
        entity: str = "",
        field: str = "",
        before: object = None,
        after: object = None,
        reason: str = "",
    ) -> AuditEntry:
        """One line for the audit log, in the name of this connector and run."""
        who = self.connector.connector_user_id or "syncline"
        return AuditEntry(datetime.now(UTC), who, what, self.name, self.run, entity, field, before, after, reason)

    def requests(self) -> dict[Side, int]:
        """Requests made so far on each side, as the connectors count them."""
        return {
            side: end.connector.requests if isinstance(end.connector, CountsRequests) else 0
            for side, end in self.ends.items()
        }

    def dropped(self, action: Action, reason: str) -> None:
        """Tell the plan of an action that is not carried out."""
        self.plan_rows(plan_rows(self.target.name, action, reason))

    def plan_rows(self, rows: list[PlanRow]) -> None:
        """Keep what is planned: all of it in a dry run, else as much as a report can show."""
        if self.options.dry_run or len(self.plan) < MOST_PLAN_ROWS:
            self.plan += rows

    def label(self, side: Side, ref: EntityRef) -> str:
        """`left:12`: how the command line names an entity."""
        return f"{side}:{ref.id}"


def _normaliser(connector: Normalises, entity_type: str) -> Callable[[str, Value], Value]:
    return lambda name, value: connector.normalise(entity_type, name, value)


def make_writer(connector: Connector, side: Side, permitted: frozenset[Side], refusals: list[str]) -> Writer:
    return Writer(connector, side, permitted, lambda what: refusals.append(f"{side}: {what}"))
