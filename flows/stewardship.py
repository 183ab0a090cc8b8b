"""What people decide: conflicts resolved, failures retried or ignored (SPEC A7, D6).

Rule of this file: a decision carries what the steward saw. If either side has moved since, it is refused and the inbox
shows today's values; nothing is written on stale ground, and nothing that is ignored is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from connectors.contract import HasUsers
from connectors.entity import Entity, Value, same
from connectors.errors import Changed, ConfigurationError, NotFound, Rejected
from connectors.schema import EntitySchema
from flows.engine import refresh_connector
from flows.inboxes import field_name
from flows.mapping import Settlement
from flows.report import RefreshOptions, Report
from flows.runtime import Runtime
from ledger.errors import LeaseLost
from ledger.model import AuditEntry, Conflict, Failure, Link
from mappings.config import Side
from mappings.translate import Directory, Translated, typed

PATIENCE = 30.0
"""Seconds that a decision waits for a refresh that is running."""


async def resolve(
    runtime: Runtime,
    conflict_id: int,
    *,
    take: Side | Mapping[str, Side] | None = None,
    values: Mapping[str, str] | None = None,
    reason: str = "",
    who: str = "",
) -> Report:
    """Resolve the conflict, with all other open ones of its pair: take one side's values, or values of one's own.

    `take`: the side that wins, or one for each field. `values`: field name (of either side) -> text, in that side's
    terms; they come first.
    Raises NotFound, Rejected (a field without a decision, a value that does not fit) and Changed (somebody edited
    since: nothing was written, the inbox has the new values).
    """
    conflict, link, open_ones = _find(runtime, conflict_id)
    await _refuse_stale(runtime, conflict, link, open_ones)
    settle = await _choices(runtime, link, open_ones, take, values or {})
    options = RefreshOptions(targets=(link.target,), entities=(f"left:{link.left.ref.id}",))
    with runtime.ledger.begin() as tx:
        tx.audit([
            AuditEntry.now("resolve", conflict.connector, who=who or "steward", entity=f"left:{link.left.ref.id}",
                           field=c.field, after={"take": take or None, "values": dict(values or {})},
                           reason=reason)
            for c in open_ones
        ])  # fmt: skip
    report = await _settled(runtime, conflict.connector, options, Settlement(link.id, settle))
    left = runtime.ledger.conflicts(conflict.connector, link=link.id, state="open")
    if report.outcome == "failed" or left:
        raise Rejected(f"the conflict is not resolved: {report.message or _why(runtime, link)}")
    return report


async def _settled(runtime: Runtime, name: str, options: RefreshOptions, settlement: Settlement) -> Report:
    """Carry the decision out; a refresh that is running meanwhile is waited for. Raises LeaseLost if it takes long."""
    until = time.monotonic() + PATIENCE
    while True:
        report = await refresh_connector(runtime, name, options, settle=settlement)
        if report.outcome != "skipped":
            return report
        if time.monotonic() > until:
            raise LeaseLost("another refresh of this connector is running; nothing was decided. Try again in a moment.")
        await asyncio.sleep(0.5)


def _find(runtime: Runtime, id: int) -> tuple[Conflict, Link, list[Conflict]]:
    found = runtime.ledger.conflicts(ids=[id])
    if not found:
        raise NotFound(f"there is no conflict {id}", remedy="`syncline conflicts` lists them.")
    conflict = found[0]
    link = runtime.ledger.link(conflict.link)
    if conflict.state != "open" or link is None:
        raise NotFound(f"conflict {id} is {conflict.state} already", remedy="Nothing is left to decide.")
    return conflict, link, runtime.ledger.conflicts(conflict.connector, link=conflict.link, state="open")


async def _refuse_stale(runtime: Runtime, conflict: Conflict, link: Link, open_ones: Sequence[Conflict]) -> None:
    """Raises Changed if a conflicting value is no longer what the inbox shows."""
    entry = runtime.entry(conflict.connector)
    now: dict[Side, Entity] = {}
    for side in Side:
        ref = link.end(side).ref
        entity = (await runtime.end(entry, side).connector.read([ref]))[ref]
        if not isinstance(entity, Entity):
            raise NotFound(f"{side}:{ref.id} cannot be read", remedy="Run a refresh first.")
        now[side] = entity
    moved = []
    for one in open_ones:
        names = dict(zip(Side, one.field.partition("=")[::2], strict=True))
        for side, shown in ((Side.LEFT, one.left), (Side.RIGHT, one.right)):
            if names[side] and not same(now[side].fields.get(names[side]), shown):
                moved.append(f"{names[side]} on the {side} side")
    if moved:
        options = RefreshOptions(targets=(link.target,), entities=(f"left:{link.left.ref.id}",))
        await refresh_connector(runtime, conflict.connector, options)
        raise Changed(
            f"{', '.join(moved)} was edited since this conflict was shown; nothing was written",
            remedy="Look at the conflict again (`syncline conflicts`) and decide anew.",
        )


async def _choices(
    runtime: Runtime,
    link: Link,
    open_ones: Sequence[Conflict],
    take: Side | Mapping[str, Side] | None,
    values: Mapping[str, str],
) -> dict[str, Side | tuple[Side, Value]]:
    """Row key -> what was decided. Raises Rejected naming every field that is missing or does not fit."""
    entry, problems = runtime.entry(link.connector), []
    settle: dict[str, Side | tuple[Side, Value]] = {}
    left = dict(values)
    for one in open_ones:
        names = dict(zip(Side, one.field.partition("=")[::2], strict=True))
        side = next((s for s in Side if names[s] in left), None)
        if side is not None:
            end, ref = runtime.end(entry, side), link.end(side).ref
            schema = await end.connector.schema(ref.scope, ref.type)
            chosen = await _typed(end.connector, schema, names[side], left.pop(names[side]))
            if isinstance(chosen, str):
                problems.append(chosen)
            else:
                settle[one.field] = (side, chosen[0])
        elif (taken := _taken(take, names.values())) is not None:
            settle[one.field] = taken
        else:
            problems.append(
                f"{field_name(one.field)} has no decision: give --take or --value {field_name(one.field)}=…"
            )
    problems += [f"{name} is no conflicting field of this pair" for name in left]
    if problems:
        raise Rejected("; ".join(problems))
    return settle


def _taken(take: Side | Mapping[str, Side] | None, names: Iterable[str]) -> Side | None:
    """The side that wins a field with these names."""
    if take is None or isinstance(take, Side):
        return take
    return next((take[name] for name in names if name in take), None)


async def _typed(connector: object, schema: EntitySchema, name: str, text: str) -> tuple[Value] | str:
    users = Directory()
    result = typed(schema.fields[name], text, users)
    if users.missing and isinstance(connector, HasUsers):
        users.learn(text, tuple(await connector.find_user(text)))
        result = typed(schema.fields[name], text, users)
    return (result.value,) if isinstance(result, Translated) else f"{name}: {result.reason}"


def _why(runtime: Runtime, link: Link) -> str:
    failures = [f for f in runtime.ledger.failures(link.connector, state="open") if f.entity == link.left.ref]
    return failures[-1].error if failures else "the systems did not take the values"


# -- failures ------------------------------------------------------------------------------------------------------


async def retry(
    runtime: Runtime, name: str | None, ids: Sequence[int] | None, *, reason: str = "", who: str = ""
) -> list[Report]:
    """Try failed entities again with today's values; held values too. `ids` None: all open ones (of the connector)."""
    chosen = _failures(runtime, name, ids, ("open", "ignored"))
    reports = []
    for connector in sorted({f.connector for f in chosen}):
        mine = [f for f in chosen if f.connector == connector]
        with runtime.ledger.begin() as tx:
            tx.save_failures([replace(f, state="open") for f in mine])
            tx.audit([_told("retry", f, who, reason) for f in mine])
        entities = tuple(dict.fromkeys(f"{f.side}:{f.entity.id}" for f in mine))
        targets = tuple(dict.fromkeys(f.target for f in mine))
        options = RefreshOptions(targets=targets, entities=entities)
        reports.append(await refresh_connector(runtime, connector, options, retry=True))
    return reports


def ignore(runtime: Runtime, name: str | None, ids: Sequence[int] | None, *, reason: str = "", who: str = "") -> int:
    """Put failures out of the way; answers how many. Nothing is dropped: its next change, or a retry, takes it up."""
    chosen = _failures(runtime, name, ids, ("open",))
    with runtime.ledger.begin() as tx:
        tx.save_failures([replace(f, state="ignored", next=None) for f in chosen])
        tx.audit([_told("ignore", f, who, reason) for f in chosen])
    return len(chosen)


def _failures(runtime: Runtime, name: str | None, ids: Sequence[int] | None, states: Sequence[str]) -> list[Failure]:
    found = [f for f in runtime.ledger.failures(name, ids=ids) if f.state in states]
    missing = set(ids or ()) - {f.id for f in found}
    if missing:
        told = ", ".join(map(str, sorted(missing)))
        raise ConfigurationError(f"there is no open failure {told}", remedy="`syncline failures` lists them.")
    return found if ids is not None else [f for f in found if f.state == "open"]


def _told(what: str, failure: Failure, who: str, reason: str) -> AuditEntry:
    return AuditEntry.now(what, failure.connector, who=who or "steward", entity=f"{failure.side}:{failure.entity.id}",
                          before=failure.error, reason=reason)  # fmt: skip
