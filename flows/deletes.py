"""Deletes: what becomes of the twin of an entity that is gone for certain (SPEC D7)."""

from __future__ import annotations

from dataclasses import replace

from connectors.entity import Entity, Gone, encode
from flows.actions import DeleteAction
from flows.ends import GONE
from flows.job import Job
from flows.outcomes import Outcome, look_again
from mappings.config import Side
from mappings.plan import Rules
from mappings.translate import Directory, Translated, typed


async def carry_out_delete(job: Job, rules: Rules, action: DeleteAction) -> Outcome:
    """Do to the twin of a deleted entity what the policy says, and unlink or remember it."""
    pair, survivor = action.pair, action.gone.other
    entity, label = pair.entity(survivor), job.label(action.gone, pair.link.end(action.gone).ref)
    if entity is None:
        told = job.audit("unlink", entity=label, reason="both sides are gone")
        return Outcome(pair.link, gone=isinstance(pair.found(survivor), Gone), audit=[told])
    writer = job.ends[survivor].writer
    match action.policy:
        case "delete":
            await writer.delete(entity)
        case "archive":
            await writer.archive(entity)
        case "mark":
            await _mark(job, rules, survivor, entity)
        case "recreate":
            told = job.audit("unlink", entity=label, reason="recreate")
            return Outcome(pair.link, gone=True, failure=look_again(job, survivor, entity.ref, "create"), audit=[told])
    job.report.counters.count("deleted", survivor)
    told = job.audit(
        action.policy,
        entity=job.label(survivor, entity.ref),
        reason=f"{label} is gone",
        before={name: encode(value) for name, value in entity.fields.items()},
    )
    if action.policy == "delete":
        return Outcome(pair.link, gone=True, audit=[told])
    # What stays must not look like a new entity: the link stays, and says that its other end is gone.
    end = replace(pair.link.end(action.gone), version=GONE)
    link = replace(pair.link, left=end) if action.gone is Side.LEFT else replace(pair.link, right=end)
    return Outcome(link, audit=[told])


async def _mark(job: Job, rules: Rules, side: Side, entity: Entity) -> None:
    given = (job.target.deletes or job.connector.deletes).mark.of(side) or {}
    fields = {}
    for name, raw in given.items():
        value = typed(rules.schemas[side].fields[name], raw, Directory())
        if isinstance(value, Translated):
            fields[name] = value.value
    await job.ends[side].writer.update(entity, fields, expected=entity.version)
