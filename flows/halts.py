"""Conflicts: what a halted pair leaves in the ledger (SPEC A7, DESIGN.md rule 2).

Rule of this file: a halted element is written to neither side. Its bases freeze, so every further look finds the same
conflict with today's values, or finds that people have made both sides agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from connectors.contract import HasHistory
from connectors.entity import Entity, encode, same
from flows.actions import Pair
from flows.ends import touched_end
from flows.job import Job
from flows.outcomes import Outcome
from ledger.model import Conflict, Link, LinkState
from mappings.config import Side
from mappings.merge import Decision
from mappings.plan import PairPlan, Rules


async def halt(job: Job, rules: Rules, pair: Pair, plan: PairPlan) -> Outcome:
    """Record the conflicts of a halted pair; nothing is written to its systems."""
    conflicts = await conflicts_of(job, rules, pair.link, plan, {})
    known = (
        {c.field: c for c in job.ledger.conflicts(job.name, link=pair.link.id, state="open")} if pair.link.id else {}
    )
    fresh = [c for c in conflicts if not _recorded(known.get(c.field), c)]
    closed = [name for name in known if name not in {c.field for c in conflicts}]
    label = job.label(Side.LEFT, pair.link.left.ref)
    told = [
        job.audit("conflict", entity=label, field=c.field, before=encode(c.base_left),
                  after={"left": encode(c.left), "right": encode(c.right)}, reason=plan.decisions[c.field].reason)
        for c in fresh
    ]  # fmt: skip
    link = replace(pair.link, state=LinkState.HALTED)
    for side, end in job.ends.items():
        # Seen is seen: as long as nobody moves, a halted pair costs nothing. Its comments are caught up afterwards.
        link = touched_end(end, pair, link, side)
    return Outcome(link, conflicts=fresh, closed=closed or None, audit=told)


async def conflicts_of(
    job: Job, rules: Rules, link: Link, plan: PairPlan, oscillating: Mapping[str, Decision]
) -> list[Conflict]:
    """One conflict for each row that both sides changed differently, or that its system keeps moving."""
    clashing = {**plan.conflicts, **oscillating}
    if not clashing:
        return []
    authors = {side: await _authors(job, side, plan.entity(side)) for side in Side}
    conflicts = []
    for row in rules.rows:
        if row.key not in clashing:
            continue
        state = link.rows.get(row.key)
        by = {side: _by(authors[side], row.config.name(side), plan.entity(side)) for side in Side}
        conflicts.append(Conflict(
            0, job.name, link.id, row.key,
            state.left if state else None, state.right if state else None,
            row.value(Side.LEFT, plan.left.fields), row.value(Side.RIGHT, plan.right.fields),
            plan.left.version, plan.right.version,
            by[Side.LEFT], by[Side.RIGHT], datetime.now(UTC),
        ))  # fmt: skip
    return conflicts


async def _authors(job: Job, side: Side, entity: Entity) -> dict[str, str]:
    """Field -> who edited it last, where the system has a history."""
    connector = job.ends[side].connector
    if not isinstance(connector, HasHistory):
        return {}
    return {edit.field: str(edit.by) for edit in await connector.history(entity, None) if edit.by is not None}


def _by(authors: Mapping[str, str], name: str | None, entity: Entity) -> str:
    return authors.get(name or "") or (str(entity.modified_by) if entity.modified_by else "")


def _recorded(known: Conflict | None, now: Conflict) -> bool:
    return (
        known is not None
        and same(known.left, now.left)
        and same(known.right, now.right)
        and (known.left_version, known.right_version) == (now.left_version, now.right_version)
    )
