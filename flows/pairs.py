"""Carrying out the decisions for one linked pair: write what differs, verify it, and say what is agreed now.

Rule of this file: a base advances only to what its system was seen to hold. What was sent and is not there is held
(SPEC D5); what moved although it was not sent is a reaction of the system, restored once (DESIGN.md, rule 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from connectors.entity import Entity, Value, encode, same
from connectors.errors import EntityError, Rejected
from flows.actions import Pair
from flows.ends import touched, touched_end, with_end
from flows.halts import conflicts_of
from flows.job import Job
from flows.outcomes import Outcome, state_of
from flows.reactions import put_back
from ledger.model import AuditEntry, Link, LinkState
from mappings.config import Side
from mappings.merge import Decision, Held, RowState
from mappings.plan import PairPlan, Rules, ignored
from mappings.translate import Row


@dataclass(slots=True)
class Written:
    """What one side holds after it was written. `refused`: row key -> why its value was not taken."""

    before: Entity
    after: Entity
    seen: datetime
    refused: dict[str, str] = field(default_factory=dict)
    oscillating: set[str] = field(default_factory=set)


async def carry_out(job: Job, rules: Rules, pair: Pair, plan: PairPlan, *, settled: bool = False) -> Outcome:
    """Write both sides of a pair as decided. Raises Changed if a side is no longer what was merged.

    `settled`: a steward decided; closed conflicts say `resolved`.
    """
    written: dict[Side, Written] = {}
    outcome = Outcome(pair.link)
    for side in Side:
        fields = _fields(rules, plan, side)
        if not fields:
            continue
        try:
            written[side] = await _write(job, rules, side, plan, fields)
        except EntityError:
            pair.link = _so_far(rules, pair.link, plan, written)
            raise
        job.report.counters.count("updated", side)
        outcome.audit = [*outcome.audit, *_told(job, rules, plan, side, written[side])]
    rows = {**pair.link.rows, **{
        row.key: _agreed(row, plan, pair.link.rows.get(row.key), written)
        for row in rules.rows if row.key in plan.decisions
    }}  # fmt: skip
    link = replace(pair.link, rows=rows, mapping=job.version, checked=datetime.now(UTC), agrees=True)
    for side, result in written.items():
        pair.put(side, result.after, result.seen)
        link = with_end(link, side, job.ends[side].link_end(
            result.after, seen=result.seen, touched=touched(pair.link, side, result.before)))  # fmt: skip
    for side, end in job.ends.items():
        if side not in written:
            link = touched_end(end, pair, link, side)
    open_conflicts = await conflicts_of(job, rules, pair.link, plan, _oscillations(plan, written))
    outcome.conflicts = open_conflicts
    if pair.link.state is LinkState.HALTED:
        outcome.closed = _over(job, pair.link, {conflict.field for conflict in open_conflicts})
        outcome.closed_as = "resolved" if settled else "agreed"
        outcome.audit = [*outcome.audit, *(
            job.audit(outcome.closed_as, entity=job.label(Side.LEFT, link.left.ref), field=name)
            for name in outcome.closed
        )]  # fmt: skip
    outcome.link = pair.link = replace(link, state=state_of(link, halted=bool(open_conflicts)))
    outcome.healed = [(side, pair.link.end(side).ref) for side in Side]
    return outcome


def _so_far(rules: Rules, link: Link, plan: PairPlan, written: Mapping[Side, Written]) -> Link:
    """What is agreed although the other side could not be written: else our own write would look like an edit."""
    rows = dict(link.rows)
    for row in rules.rows:
        decision = plan.decisions.get(row.key)
        if decision is not None and decision.writes and set(decision.writes) <= set(written):
            rows[row.key] = _agreed(row, plan, rows.get(row.key), written)
    return replace(link, rows=rows)


def _over(job: Job, link: Link, still: set[str]) -> list[str]:
    return [c.field for c in job.ledger.conflicts(job.name, link=link.id, state="open") if c.field not in still]


def _fields(rules: Rules, plan: PairPlan, side: Side) -> dict[str, Value]:
    """Field name -> value, for every row that writes this side."""
    fields: dict[str, Value] = {}
    for row in rules.rows:
        decision, schema = plan.decisions.get(row.key), row.fields[side]
        if decision is not None and schema is not None and side in decision.writes:
            fields[schema.name] = decision.writes[side]
    return fields


async def _write(job: Job, rules: Rules, side: Side, plan: PairPlan, fields: dict[str, Value]) -> Written:
    """One update of one side; values refused by name are left out, reactions restored once."""
    end, entity = job.ends[side], plan.entity(side)
    refused: dict[str, str] = {}
    seen = end.clock()
    try:
        after = await end.writer.update(entity, fields, expected=entity.version)
    except Rejected as error:
        refused = {name: why for name, why in error.fields.items() if name in fields}
        rest = {name: value for name, value in fields.items() if name not in refused}
        if not refused:
            raise
        after = await end.writer.update(entity, rest, expected=entity.version) if rest else entity
    end.heard(after.modified if not refused else None)
    rows = {row.config.name(side): row.key for row in rules.rows if row.key in plan.decisions}
    result = Written(entity, after, seen, {rows[name] or "": why for name, why in refused.items()})
    decided = [row for row in rules.rows if row.key in plan.decisions]
    result.after, result.oscillating = await put_back(
        end, decided, entity, after, sent=fields, seen=seen, alone=end.limits.conditional_writes
    )
    return result


def _agreed(row: Row, plan: PairPlan, before: RowState | None, written: Mapping[Side, Written]) -> RowState:
    """The state of one row after the writes."""
    decision = plan.decisions[row.key]
    after = decision.after
    for side, sent in decision.writes.items():
        if side not in written:
            continue
        got = row.value(side, written[side].after.fields)
        source = row.value(side.other, plan.entity(side.other).fields)
        why = written[side].refused.get(row.key)
        if why is None and same(got, sent):
            after = after.with_base(side, got)
            continue
        held = Held(side, source, "rejected", why, row.fingerprint) if why else ignored(row, side, source, sent, got)
        if before is None or not before.known:
            before = RowState(origin=side.other)
        after = replace(before.with_base(side, got), held=held, fingerprint=row.fingerprint)
    if any(row.key in result.oscillating for result in written.values()):
        after = replace(after, bounces=after.bounces + 1)
    return after


def _oscillations(plan: PairPlan, written: Mapping[Side, Written]) -> dict[str, Decision]:
    """Rows that their system moved again right after they were restored."""
    keys = {key for result in written.values() for key in result.oscillating}
    return {key: replace(plan.decisions[key], reason="oscillating", whole=True) for key in keys}


def _told(job: Job, rules: Rules, plan: PairPlan, side: Side, result: Written) -> list[AuditEntry]:
    """One audit line for each field written."""
    label = job.label(side, result.after.ref)
    lines: list[AuditEntry] = []
    for row in rules.rows:
        decision, schema = plan.decisions.get(row.key), row.fields[side]
        if decision is None or schema is None or side not in decision.writes:
            continue
        before, after = result.before.fields.get(schema.name), result.after.fields.get(schema.name)
        why = result.refused.get(row.key)
        lines.append(job.audit(
            "refused" if why else "update", entity=label, field=schema.name, before=encode(before),
            after=encode(after), reason=why or decision.reason,
        ))  # fmt: skip
    return lines
