"""Recovery: what an interrupted refresh left open (SPEC D4, D10; DESIGN.md, "One refresh").

Rule of this file: an open intent may have happened. It is looked for by its marker, or by what it sent; only when the
call can no longer be under way may *absent* be concluded. k intents and m candidates with k != m: halt, never guess.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.contract import FindsMarkers, Query
from connectors.entity import Entity, EntityRef, RichText, decode, empty, same
from flows.comments import recover_comment
from flows.fetch import read
from flows.job import End, Job
from flows.outcomes import Outcome, Recorder, failure, look_again
from flows.updates import recover_updates
from ledger.model import Intent, Link
from mappings.config import Side
from mappings.merge import RowState
from mappings.plan import Rules, ignored

FINDS_AT_ONCE = 8
SLACK = timedelta(seconds=5)
"""How far a system's clock may be behind what we know of it."""


async def recover(job: Job, intents: Sequence[Intent]) -> list[Intent]:
    """Settle what can be settled; answers the intents that must still wait.

    The cursors may have moved past the entities concerned: each is put on the failure list, due at once, in the same
    transaction that closes its intent. A crash at any moment leaves the one or the other.
    """
    mine = [i for i in intents if (i.target, i.row) == (job.target.name, job.row.key)]
    recorder = Recorder(job)
    waiting = await _creates(job, [i for i in mine if i.kind == "create"], recorder)
    waiting += await _comments(job, [i for i in mine if i.kind == "comment"], recorder)
    await recover_updates(job, [i for i in mine if i.kind == "update"], recorder)
    recorder.flush()
    return waiting


def pause(waiting: Sequence[Intent]) -> float:
    """Seconds until the first of these can no longer be under way."""
    now = datetime.now(UTC)
    return max(0.0, min((intent.expires - now).total_seconds() for intent in waiting))


# -- creates ------------------------------------------------------------------------------------------------------


async def _creates(job: Job, intents: Sequence[Intent], recorder: Recorder) -> list[Intent]:
    waiting: list[Intent] = []
    for side in Side:
        of_side = [intent for intent in intents if intent.side is side]
        if not of_side:
            continue
        found, unclear = await _find(job, job.ends[side], of_side)
        for intent in of_side:
            assert intent.source is not None
            twin = found.get(intent.id)
            if twin is not None:
                await _adopt(job, intent, twin, recorder)
            elif intent.id in unclear:
                _halt(job, intent, unclear[intent.id], recorder)
                continue
            elif datetime.now(UTC) < intent.expires:
                waiting.append(intent)
                continue
            else:
                told = job.audit("recovered", entity=job.label(side.other, intent.source), reason="nothing was created")
                due = look_again(job, side.other, intent.source, "create")
                recorder.add(Outcome(intents=[intent], failure=due, audit=[told]))
    return waiting


async def _find(job: Job, end: End, intents: Sequence[Intent]) -> tuple[dict[int, Entity], dict[int, int]]:
    """Intent id -> the entity it created; and intent id -> number of candidates, where they cannot be told apart."""
    if isinstance(end.connector, FindsMarkers):
        refs = await _by_marker(end, end.connector, intents)
        twins = await read(end, list(refs.values()))
        return {id: twin for id, ref in refs.items() if isinstance(twin := twins.get(ref), Entity)}, {}
    return _match(intents, await _candidates(job, end, min(intent.at for intent in intents)))


async def _by_marker(end: End, connector: FindsMarkers, intents: Sequence[Intent]) -> dict[int, EntityRef]:
    gate = asyncio.Semaphore(FINDS_AT_ONCE)

    async def find(intent: Intent) -> EntityRef | None:
        async with gate:
            return await connector.find(end.scope, end.type, intent.marker)

    refs = await asyncio.gather(*(find(intent) for intent in intents))
    return {intent.id: ref for intent, ref in zip(intents, refs, strict=True) if ref is not None}


def _match(intents: Sequence[Intent], candidates: Sequence[Entity]) -> tuple[dict[int, Entity], dict[int, int]]:
    """Intents and what they may have created: equal values first, then what a person has edited since."""
    found: dict[int, Entity] = {}
    unclear: dict[int, int] = {}
    groups: dict[str, list[Intent]] = defaultdict(list)
    for intent in intents:
        groups[repr(sorted(intent.payload["fields"].items(), key=str))].append(intent)
    for alike in groups.values():
        sent = {name: decode(value) for name, value in alike[0].payload["fields"].items()}
        twins = [c for c in candidates if all(same(c.fields.get(name), value) for name, value in sent.items())]
        if len(twins) == len(alike):
            found |= {intent.id: twin for intent, twin in zip(alike, twins, strict=True)}
        elif twins:
            unclear |= {intent.id: len(twins) for intent in alike}
    rest = [c for c in candidates if c not in found.values()]
    for intent in intents:
        if intent.id not in found and intent.id not in unclear:
            # A twin that somebody edited within these seconds: most of what was sent is still there.
            edited = [c for c in rest if _mostly(c, intent)]
            rivals = [i for i in intents if i.id not in found and edited and _mostly(edited[0], i)]
            if len(edited) == len(rivals) == 1 and edited[0].created is not None:
                found[intent.id] = edited[0]
            elif edited:
                unclear[intent.id] = len(edited)
    return found, unclear


async def _candidates(job: Job, end: End, since: datetime) -> list[Entity]:
    """Entities made since by our account that nobody has linked, oldest first, from a consistent listing."""
    info = await end.info()
    after = since + timedelta(seconds=info.clock_offset) - SLACK - (end.limits.timestamp_resolution or timedelta(0))
    fresh: list[Entity] = []
    async for page in end.connector.changes(
        Query(end.scope, end.type, after if end.limits.timestamp_resolution is not None else None)
    ):
        idents = [end.ident(entity.ref) for entity in page.entities]
        linked = set(job.ledger.links_of(job.name, end.side, idents))
        for link in job.ledger.linked_elsewhere(end.identity, idents, connector=job.name):
            linked |= {e.ident for e in (link.left, link.right) if e.system == end.identity}
        for entity in page.entities:
            old = entity.created is not None and entity.created < after
            others = info.user is not None and entity.created_by is not None and entity.created_by != info.user
            if not (old or others or end.ident(entity.ref) in linked):
                fresh.append(entity)
    unique = {end.ident(entity.ref): entity for entity in fresh}
    return sorted(unique.values(), key=lambda e: (e.created or since, len(e.ref.id), e.ref.id))


async def may_have_made(end: End, intent: Intent, entity: Entity) -> bool:
    """Whether an unlinked entity may be what this intent has created."""
    us = (await end.info()).user
    if us is not None and entity.created_by is not None and entity.created_by != us:
        return False
    slack = SLACK + (end.limits.timestamp_resolution or timedelta(0))
    older = entity.created is not None and end.clock() - entity.created > datetime.now(UTC) - intent.at + slack
    return not older and _mostly(entity, intent)


def _mostly(candidate: Entity, intent: Intent) -> bool:
    """Whether most of what was sent is there. Where nobody knows when it was made, a text of its own must be, too."""
    sent = {name: decode(value) for name, value in intent.payload["fields"].items()}
    equal = [name for name, value in sent.items() if same(candidate.fields.get(name), value)]
    telling = candidate.created is not None or any(isinstance(sent[name], str | RichText) for name in equal)
    return telling and len(equal) * 2 > len(sent)


async def _adopt(job: Job, intent: Intent, twin: Entity, recorder: Recorder) -> None:
    """The create did happen: link it, with the source's values as they were when it was sent."""
    rules = await job.rules()
    source_end, end = job.ends[intent.side.other], job.ends[intent.side]
    assert intent.source is not None
    source = (await read(source_end, [intent.source]))[intent.source]
    job.report.counters.count("created", intent.side)
    clock = end.clock()
    touched = not await _untouched(end, twin)
    twin_end = end.link_end(twin, seen=clock, touched=touched, settled=False)
    if isinstance(source, Entity):
        own = source_end.link_end(source, seen=clock, touched=True, settled=False)
    else:
        own = replace(twin_end, system=source_end.identity, ident=source_end.ident(intent.source), ref=intent.source,
                      url=None, key=None, touched=True)  # fmt: skip
    ends = {intent.side: twin_end, intent.side.other: own}
    states = _states(rules, intent, twin, touched=touched)
    link = Link(
        0, job.name, job.target.name, job.row.key, ends[Side.LEFT], ends[Side.RIGHT], states,
        mapping=job.version, born=intent.side.other,
    )  # fmt: skip
    told = job.audit(
        "recovered",
        entity=job.label(intent.side, twin.ref),
        reason=f"twin of {job.label(intent.side.other, intent.source)}",
    )
    # What the interrupted refresh had still to do for this pair (comments, what flows back) is done by another look.
    due = look_again(job, intent.side.other, intent.source, "create")
    recorder.add(Outcome(link, intents=[intent], audit=[told], failure=due))


async def _untouched(end: End, twin: Entity) -> bool:
    """Whether nobody has written to the twin since it was created, beyond doubt. Our name is no proof: it is shared."""
    us = (await end.info()).user
    return (
        twin.modified is not None and twin.modified == twin.created and (us is None or twin.modified_by in (None, us))
    )


def _states(rules: Rules, intent: Intent, twin: Entity, *, touched: bool) -> dict[str, RowState]:
    """As `agreed_at_create`, from what the intent says was sent.

    What is not as we sent it was not taken by the system, or edited by somebody since; where that cannot be told, the
    row is left out: the next merge meets it for the first time, and fills what is empty.
    """
    to, states = intent.side, {}
    for row in rules.rows:
        if row.key not in intent.payload["source"]:
            continue
        value = decode(intent.payload["source"][row.key])
        sent = decode(intent.payload["sent"].get(row.key))
        got = row.value(to, twin.fields)
        state = RowState(origin=to.other, fingerprint=row.fingerprint).with_base(to.other, value)
        if row.key in intent.payload["sent"] and (same(got, sent) or (touched and not empty(got))):
            # Anything else than what was sent is somebody's edit since: the base is what we sent.
            states[row.key] = state.with_base(to, sent)
        elif not touched and row.fields[to] is not None and row.writes(to, creating=True):
            if not empty(value):
                state = replace(state, held=ignored(row, to, value, sent, got)).with_base(to.other, None)
            states[row.key] = state.with_base(to, got)
    return states


def _halt(job: Job, intent: Intent, candidates: int, recorder: Recorder) -> None:
    """Cannot be told apart: a person decides. The intent stays, so nothing is created a second time."""
    assert intent.source is not None
    side = intent.side.other
    told = (
        f"a create was interrupted, and {candidates} new entities look like its result. Nothing was created again. "
        "Delete what is too much on the target, then retry"
    )
    entry = failure(job, side, intent.source, "create", told, url=None, before=job.failures.get((side, intent.source)))
    recorder.add(Outcome(failure=replace(entry, next=None)))


# -- comments -----------------------------------------------------------------------------------------------------


async def _comments(job: Job, intents: Sequence[Intent], recorder: Recorder) -> list[Intent]:
    waiting: list[Intent] = []
    by_link: dict[int, list[Intent]] = defaultdict(list)
    for intent in intents:
        by_link[intent.link or 0].append(intent)
    for id, of_link in by_link.items():
        link = job.ledger.link(id)
        if link is None:
            recorder.add(Outcome(intents=of_link))
            continue
        known = job.ledger.comment_links([id])[id]
        for intent in of_link:
            taken = {c.right if intent.side is Side.RIGHT else c.left for c in known}
            found = await recover_comment(job.ends[intent.side], link, intent, taken)
            due = look_again(job, intent.side.other, link.end(intent.side.other).ref, "comment")
            if found is not None:
                known.append(found)
                job.report.counters.count("comments", intent.side)
                recorder.add(Outcome(comments=[found], intents=[intent], failure=due))
            elif datetime.now(UTC) < intent.expires:
                waiting.append(intent)
            else:
                recorder.add(Outcome(intents=[intent], failure=due))
    return waiting
