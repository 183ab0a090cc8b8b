"""map: a batch becomes actions. Translation, merge and plan are pure (mappings/); here they get what they need to know.

Rule of this file: it decides nothing by itself. It plans until no user is left to look up, and once more where the
time of an edit decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from connectors.contract import HasHistory
from connectors.entity import Edit, Entity, Gone, Value
from connectors.errors import Forbidden
from flows.actions import (
    Action,
    AdoptAction,
    Batch,
    CreateAction,
    DeleteAction,
    FailAction,
    Pair,
    Single,
    SkipAction,
    TouchAction,
    UpdateAction,
)
from flows.ends import GONE
from flows.fetch import matches
from flows.job import Job
from flows.lookup import find_twins
from mappings.config import Side
from mappings.merge import Kind
from mappings.plan import PairPlan, Rules, plan_create, plan_pair


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a steward decided for one link: row key -> a side, or (side, value in that side's terms)."""

    link: int
    choices: Mapping[str, Side | tuple[Side, Value]]


async def plan_batch(job: Job, batch: Batch, *, retry: bool = False, settle: Settlement | None = None) -> list[Action]:
    """The actions for a batch. Users that a translation asks for are looked up, then it is planned again."""
    rules = await job.rules()
    singles, adopted = await find_twins(job, rules, batch.singles)
    while True:
        # Off the event loop: a big batch must not starve its neighbours.
        actions = await asyncio.to_thread(_plan, job, rules, batch.pairs, singles, adopted, retry, settle)
        if not await job.learn_users():
            break
    return [await _by_time(job, rules, action, retry) for action in actions]


def _plan(
    job: Job,
    rules: Rules,
    pairs: Sequence[Pair],
    singles: Sequence[Single],
    adopted: Sequence[Action | tuple[Single, Single]],
    retry: bool,
    settle: Settlement | None,
) -> list[Action]:
    actions: list[Action] = [_plan_linked(job, rules, pair, retry, settle) for pair in pairs]
    for found in adopted:
        actions.append(_plan_adopted(job, rules, *found) if isinstance(found, tuple) else found)
    return actions + [_plan_single(job, rules, single) for single in singles]


def _plan_linked(job: Job, rules: Rules, pair: Pair, retry: bool, settle: Settlement | None) -> Action:
    if not pair.moved and settle is None:
        return TouchAction(pair)
    for side in Side:
        end = pair.link.end(side)
        match pair.found(side):
            case Gone() if end.version == GONE:
                return SkipAction(side, end.ref, "gone", end.url)
            case Gone():
                return DeleteAction(pair, side, (job.target.deletes or job.connector.deletes).policy)
            case Forbidden():
                return SkipAction(side, end.ref, "forbidden", end.url)
            case None:
                return SkipAction(side, end.ref, "not_read", end.url)
    left, right = pair.entity(Side.LEFT), pair.entity(Side.RIGHT)
    assert left is not None
    assert right is not None
    born = pair.link.born
    restorable = born.other if born is not None and not _touched(pair, born.other) else None
    plan = plan_pair(
        rules,
        left,
        right,
        pair.link.rows,
        job.users,
        restorable=restorable,
        retry=retry,
        settle=settle.choices if settle and settle.link == pair.link.id else None,
        adapt=job.adapt,
    )
    return UpdateAction(pair, plan)


def _touched(pair: Pair, side: Side) -> bool:
    """Whether somebody else than us has written to the twin since we created it."""
    twin, entity = pair.link.end(side), pair.entity(side)
    return twin.touched or (entity is not None and bool(twin.version) and entity.version != twin.version)


def _plan_single(job: Job, rules: Rules, single: Single) -> Action:
    source, to = single.entity, single.side.other
    create = plan_create(rules, to, source, job.users)
    if create.fatal and matches(rules, single.side, source):
        return FailAction(single.side, source.ref, "create", "; ".join(create.fatal.values()), source.url)
    return CreateAction(to, source, create, single.seen, single.comments)


def _plan_adopted(job: Job, rules: Rules, left: Single, right: Single) -> Action:
    plan = plan_pair(rules, left.entity, right.entity, {}, job.users, adopted=True)
    return AdoptAction(
        left.entity,
        right.entity,
        plan,
        {Side.LEFT: left.seen, Side.RIGHT: right.seen},
        {Side.LEFT: left.comments, Side.RIGHT: right.comments},
    )


# -- latest ------------------------------------------------------------------------------------------------------


async def _by_time(job: Job, rules: Rules, action: Action, retry: bool) -> Action:
    """`on_conflict: latest`: settle by when each side was edited, where that is beyond doubt; else it stays halted."""
    if not isinstance(action, UpdateAction) or not action.plan.conflicts:
        return action
    rows = {row.key: row for row in rules.rows}
    undecided = [
        key
        for key, decision in action.plan.conflicts.items()
        if decision.kind is Kind.CONFLICT and (rows[key].config.on_conflict or rules.config.on_conflict) == "latest"
    ]
    if not undecided:
        return action
    newer = {key: side for key in undecided if (side := await _newer(job, rules, action.plan, key)) is not None}
    if not newer:
        return action
    plan = plan_pair(
        rules,
        action.plan.left,
        action.plan.right,
        action.pair.link.rows,
        job.users,
        newer=newer,
        retry=retry,
        adapt=job.adapt,
    )
    return UpdateAction(action.pair, plan)


async def _newer(job: Job, rules: Rules, plan: PairPlan, key: str) -> Side | None:
    row = next(row for row in rules.rows if row.key == key)
    times = {}
    doubt = timedelta(seconds=1)
    for side, end in job.ends.items():
        schema = row.fields[side]
        entity = plan.entity(side)
        edits = [edit for edit in await edits_of(job, side, entity) if schema and edit.field == schema.name]
        times[side] = edits[-1].at if edits else entity.modified
        doubt += end.limits.timestamp_resolution or timedelta(0)
        doubt += timedelta(seconds=abs((await end.info()).clock_offset))
    left, right = times[Side.LEFT], times[Side.RIGHT]
    if left is None or right is None or abs(left - right) <= doubt:
        return None
    return Side.LEFT if left > right else Side.RIGHT


async def edits_of(job: Job, side: Side, entity: Entity) -> Sequence[Edit]:
    """The history of an entity, where its system tells one."""
    connector = job.ends[side].connector
    return await connector.history(entity, None) if isinstance(connector, HasHistory) else ()
