"""filter: which actions may be carried out now. Everything that is dropped is dropped here, with its reason.

The reasons are published in docs/words.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from connectors.contract import Archives, Deletes
from connectors.entity import Entity, EntityRef
from flows.actions import (
    Action,
    AdoptAction,
    CreateAction,
    DeleteAction,
    FailAction,
    SkipAction,
    TouchAction,
    UpdateAction,
)
from flows.fetch import matches
from flows.job import Job
from flows.recover import may_have_made
from ledger.model import Intent
from mappings.config import Side
from mappings.criteria import parse
from mappings.plan import Rules


async def filter_actions(job: Job, actions: list[Action]) -> list[Action]:
    """The actions to carry out. What is dropped is counted under its reason; what must wait for a person fails."""
    rules = await job.rules()
    open_creates = [i for i in job.ledger.intents(job.name) if i.kind == "create"]
    kept: list[Action] = []
    deleted = {action.pair.link.id for action in job.deletes}
    for action in actions:
        if isinstance(action, DeleteAction) and action.pair.link.id in deleted:
            continue  # seen from both sides, or by the full comparison too: it counts once for the fuse
        reason = _must_wait(job, action, open_creates) or _why_not(job, rules, action)
        if reason is None and isinstance(action, DeleteAction):
            job.deletes.append(action)
        elif reason is None:
            kept.append(await _unless_ours(job, action, open_creates))
        else:
            job.report.counters.skip(reason)
            job.dropped(action, reason)
    return kept


def _must_wait(job: Job, action: Action, open_creates: Sequence[Intent]) -> str | None:
    """An entity that failed waits for its pause to be over, or for a new edit of it; unless somebody asks for it."""
    if isinstance(action, CreateAction):
        if (action.to.other, action.source.ref) in {(i.side.other, i.source) for i in open_creates}:
            return "waiting"
        subjects: list[tuple[Side, EntityRef, Entity | None]] = [(action.to.other, action.source.ref, action.source)]
    elif isinstance(action, UpdateAction):
        subjects = [(side, action.plan.entity(side).ref, action.plan.entity(side)) for side in Side]
    elif isinstance(action, FailAction):
        subjects = [(action.side, action.ref, None)]
    else:
        return None
    failed = [f for side, ref, _ in subjects if (f := job.failures.get((side, ref))) is not None]
    if not failed or job.options.full or job.options.entities:
        return None
    now = datetime.now(UTC)
    if any(failure.next is not None and failure.next <= now for failure in failed):
        return None
    at = max(failure.at for failure in failed)
    edited = any(
        entity is not None
        and entity.modified is not None
        and entity.modified - (job.ends[side].offset or timedelta(0)) > at
        for side, _, entity in subjects
    )
    return None if edited else "failed_before"


async def _unless_ours(job: Job, action: Action, open_creates: Sequence[Intent]) -> Action:
    """A new entity that may be what an interrupted create of ours left behind is not to get a twin of its own."""
    if isinstance(action, CreateAction):
        side = action.to.other
        for intent in open_creates:
            if intent.side is side and await may_have_made(job.ends[side], intent, action.source):
                told = "it may be the twin that an interrupted create has left behind; it waits until that is found out"
                return FailAction(side, action.source.ref, "create", told, action.source.url)
    return action


def _why_not(job: Job, rules: Rules, action: Action) -> str | None:
    """None: carry it out. Else the word for why it is not."""
    match action:
        case SkipAction():
            return action.reason
        case CreateAction():
            if action.to not in job.permitted:
                return "not_permitted"
            if _earlier_row(job, action):
                return "other_row"
            return None if matches(rules, action.to.other, action.source) else "criteria"
        case AdoptAction():
            return None if _either_matches(rules, action) else "criteria"
        case UpdateAction():
            return None if _still_in(rules, action) else "criteria"
        case DeleteAction():
            return _why_not_deleted(job, action)
        case TouchAction() | FailAction():
            return None
    return None


def _earlier_row(job: Job, action: CreateAction) -> bool:
    """Whether a row further up takes this entity: the first that matches wins (rule 8)."""
    side = action.to.other
    for row in job.connector.entities[: job.connector.entities.index(job.row)]:
        given = row.criteria.of(side)
        if row.type(side) == job.row.type(side) and (
            given is None or given.if_ is None or parse(given.if_).holds(action.source.fields, datetime.now(UTC))
        ):
            return True
    return False


def _either_matches(rules: Rules, action: AdoptAction) -> bool:
    """A pair takes part when one of its sides may create the other, or does not need to."""
    return matches(rules, Side.LEFT, action.left) or matches(rules, Side.RIGHT, action.right)


def _still_in(rules: Rules, action: UpdateAction) -> bool:
    """Once in, always in; or only while it holds on every side that has criteria (SPEC B12)."""
    if rules.config.criteria.keep == "once_in":
        return True
    return matches(rules, Side.LEFT, action.plan.left) and matches(rules, Side.RIGHT, action.plan.right)


def _why_not_deleted(job: Job, action: DeleteAction) -> str | None:
    survivor = action.gone.other
    if action.pair.found(survivor) is not None and action.pair.entity(survivor) is None:
        return None  # both are gone: the link goes, nothing is written
    if action.policy == "skip":
        return "delete_policy"
    if action.policy == "recreate":
        return None if action.gone in job.permitted else "not_permitted"
    if survivor not in job.permitted:
        return "not_permitted"
    connector = job.ends[survivor].connector
    unable = (action.policy == "delete" and not isinstance(connector, Deletes)) or (
        action.policy == "archive" and not isinstance(connector, Archives)
    )
    return "not_supported" if unable else None


def fuse(job: Job, deletes: list[DeleteAction]) -> list[DeleteAction]:
    """Nothing, where more would be deleted than the fuse allows, or a side is suddenly empty (SPEC D7); else all."""
    losing = [action for action in deletes if action.policy in ("delete", "archive", "mark")]
    if not losing:
        return deletes
    limit = (job.target.deletes or job.connector.deletes).fuse
    linked = job.ledger.count_links(job.name, job.target.name)
    emptied = any(sum(action.gone is side for action in losing) >= linked > 1 for side in Side)
    if not emptied and len(losing) <= limit.count and len(losing) <= max(1.0, linked * limit.percent / 100):
        return deletes
    for action in losing:
        job.report.counters.skip("delete_fuse")
        job.dropped(action, "delete_fuse")
    return [action for action in deletes if action.policy not in ("delete", "archive", "mark")]
