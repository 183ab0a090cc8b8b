"""Interrupted updates: what we wrote ourselves is never taken for somebody's edit (SPEC D3, D10).

Rule of this file: before a pair is written, its intent says what is sent and what is agreed once it is there. A side
that is found to hold exactly that was written by us, whatever became of the answer; the base then advances, so that
a person's next edit is merged with it and not against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.entity import Entity, decode, encode, same
from flows.actions import Pair
from flows.fetch import read
from flows.intents import intent
from flows.job import Job
from flows.outcomes import Outcome, Recorder
from ledger.codec import state_from, state_json
from ledger.model import Intent, Link
from mappings.config import Side
from mappings.plan import PairPlan, Rules


def update_intent(job: Job, pair: Pair, plan: PairPlan) -> Intent | None:
    """What is about to be written to a linked pair; None where nothing is."""
    writes = {key: decision for key, decision in plan.decisions.items() if decision.writes}
    if plan.halted or plan.fatal or not writes or not pair.link.id:
        return None
    side = next(iter(next(iter(writes.values())).writes))
    payload = {
        key: {
            "sent": {str(side): encode(value) for side, value in decision.writes.items()},
            "after": state_json(decision.after),
        }
        for key, decision in writes.items()
    }
    return intent(job, "update", side, {"rows": payload}, link=pair.link.id)


async def recover_updates(job: Job, intents: Sequence[Intent], recorder: Recorder) -> None:
    """Settle updates whose answer nobody heard: each side either holds what was sent, or was not written."""
    if not intents:
        return
    links = {link.id: link for link in job.ledger.links(job.name, ids=[i.link or 0 for i in intents])}
    rules = await job.rules()
    now = {
        side: await read(end, list(dict.fromkeys(link.end(side).ref for link in links.values())))
        for side, end in job.ends.items()
    }
    for found in intents:
        link = links.get(found.link or 0)
        if link is None:
            recorder.add(Outcome(intents=[found]))
            continue
        ends = {side: now[side][link.end(side).ref] for side in Side}
        held = {side: entity for side, entity in ends.items() if isinstance(entity, Entity)}
        links[link.id] = link = _arrived(rules, link, found, held)
        recorder.add(Outcome(link, intents=[found]))


def _arrived(rules: Rules, link: Link, intent: Intent, held: dict[Side, Entity]) -> Link:
    """The link with the rows agreed of which everything that was sent is there."""
    rows = dict(link.rows)
    for row in rules.rows:
        told = intent.payload["rows"].get(row.key)
        if told is None:
            continue
        sent = {Side(side): decode(value) for side, value in told["sent"].items()}
        if all(s in held and same(row.value(s, held[s].fields), value) for s, value in sent.items()):
            rows[row.key] = state_from(told["after"])
    return replace(link, rows=rows)
