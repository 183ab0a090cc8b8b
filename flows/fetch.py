"""fetch: what was found is looked up in the ledger, and completed with counterparts and comments.

Rule of this file: an entity is dropped as seen only if its version is the ledger's and was already settled when the
ledger saw it; else its values are compared. Counterparts are read in bulk, and only where something differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from connectors.contract import HasComments
from connectors.entity import Comment, Entity, EntityRef, Page
from flows.actions import Batch, Found, Pair, Single
from flows.feeds import Feeds
from flows.job import End, Job
from ledger.model import Link
from mappings.config import Side
from mappings.plan import Rules, moved
from mappings.start import takes_part

READ_AT_ONCE = 100
COMMENTS_AT_ONCE = 100


async def next_batch(job: Job, feeds: Feeds) -> Batch | None:
    """The next batch in which something differs; None when all feeds are read and nothing is left to record."""
    if not feeds.readings:
        await feeds.open()
    while (pages := await feeds.next()) is not None:
        feeds.fetch_ahead()
        entities = {side: _latest(pages[side]) for side in Side}
        edited = feeds.comments_of()
        batch = await look(
            job,
            entities,
            starts=feeds.starts,
            every=job.options.full,
            talked=edited,
            seen=feeds.seen,
            listed=job.began,
        )
        batch.cursors = feeds.cursors()
        job.progress("fetched", sum(map(len, entities.values())))
        if not batch.nothing:
            return batch
    return None


def _latest(pages: Iterable[Page]) -> list[Entity]:
    """Each entity once, as it was last seen."""
    return list({entity.ref: entity for page in pages for entity in page.entities}.values())


async def look(
    job: Job,
    entities: Mapping[Side, Sequence[Entity]],
    *,
    starts: Mapping[Side, datetime | None] | None = None,
    every: bool = False,
    talked: Mapping[Side, set[EntityRef]] | None = None,
    seen: Mapping[Side, datetime] | None = None,
    listed: datetime | None = None,
) -> Batch:
    """Make a batch of entities as just read. `every`: compare all of them whole, settled or not.

    `talked`: entities of which a comment is known to have changed. `seen`: the systems' clocks just before the read.
    `listed`: they come from a listing that began then, by our clock.
    """
    links = {side: _links(job, side, entities[side]) for side in Side}
    batch = Batch()
    clock = seen or {side: end.clock() for side, end in job.ends.items()}
    pairs: dict[int, Pair] = {}
    for side, end in job.ends.items():
        for entity in entities[side]:
            link = links[side].get(end.ident(entity.ref))
            if link is None:
                batch.singles.append(Single(side, entity, clock[side]))
            elif link.row == job.row.key and (
                every or not end.is_settled(link.end(side), entity) or entity.ref in (talked or {}).get(side, ())
            ):
                pair = pairs.setdefault(link.id, Pair(link, moved=False, whole=every))
                if end.is_settled(link.end(side), entity) or not _overtaken(link, listed):
                    pair.put(side, entity, clock[side])
                pair.talked |= entity.ref in (talked or {}).get(side, ())
            else:
                job.report.counters.skip("seen")
    batch.pairs = list(pairs.values())
    batch.singles = [single for single in batch.singles if _may_matter(job, single, starts)]
    if batch.nothing:
        return batch
    rules = await job.rules()
    await read_counterparts(job, [pair for pair in batch.pairs if _overtaken(pair.link, listed)])
    for pair in batch.pairs:
        pair.moved = every or any(
            (own := pair.entity(side)) is not None and moved(rules, side, own, pair.link.rows) for side in Side
        )
    await read_counterparts(job, [pair for pair in batch.pairs if pair.moved])
    if rules.config.comments is not None:
        await fetch_comments(job, rules, batch)
    return batch


def _overtaken(link: Link, listed: datetime | None) -> bool:
    """Whether this pair was merged since the listing began: what the listing says may be from before our own write,
    and would look as if somebody had taken it back.
    """
    return listed is not None and link.checked is not None and link.checked >= listed


def _links(job: Job, side: Side, entities: Sequence[Entity]) -> dict[str, Link]:
    if not entities:
        return {}
    end = job.ends[side]
    return job.ledger.links_of(job.name, side, [end.ident(entity.ref) for entity in entities])


def _may_matter(job: Job, single: Single, starts: Mapping[Side, datetime | None] | None) -> bool:
    """Counts what takes no part, before anything is asked for it."""
    if single.side.other not in job.permitted:
        job.report.counters.skip("not_permitted")
        return False
    start = (starts or {}).get(single.side)
    if job.options.since is None and not takes_part(single.entity, start):
        job.report.counters.skip("before_start_polling")
        return False
    return True


async def read_counterparts(job: Job, pairs: Sequence[Pair]) -> None:
    """Read whatever side of these pairs is not at hand, in bulk."""
    for side, end in job.ends.items():
        asked = {pair.link.end(side).ref: pair for pair in pairs if pair.found(side) is None}
        clock = end.clock()
        for ref, found in (await read(end, list(asked))).items():
            asked[ref].put(side, found, clock)


async def read(end: End, refs: Sequence[EntityRef]) -> dict[EntityRef, Found]:
    """Entities as they are now, in bulk."""
    chunks = [refs[i : i + READ_AT_ONCE] for i in range(0, len(refs), READ_AT_ONCE)]
    answers = await asyncio.gather(*(end.connector.read(chunk) for chunk in chunks))
    return {ref: found for answer in answers for ref, found in answer.items()}


async def fetch_comments(job: Job, rules: Rules, batch: Batch) -> None:
    """The comments of what may have new ones: sides whose version moved, and new entities that take part."""
    for side, end in job.ends.items():
        if not isinstance(end.connector, HasComments):
            continue
        pairs = {
            found.ref: pair
            for pair in batch.pairs
            if (found := pair.entity(side)) is not None and _may_talk(end, pair, side, found)
        }
        singles = {s.entity.ref: s for s in batch.singles if s.side is side and matches(rules, side, s.entity)}
        wanted = [e for pair in pairs.values() if (e := pair.entity(side))] + [s.entity for s in singles.values()]
        for ref, comments in (await comments_of(end, wanted)).items():
            if ref in pairs:
                pairs[ref].comments[side] = comments
            elif ref in singles:
                singles[ref].comments = comments


def _may_talk(end: End, pair: Pair, side: Side, entity: Entity) -> bool:
    """Whether this side may have comments that were not handled yet. A halt leaves them for later."""
    return pair.whole or pair.talked or pair.link.state == "halted" or not end.is_settled(pair.link.end(side), entity)


async def comments_of(end: End, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Comment, ...]]:
    """All comments of these entities, in bulk."""
    if not isinstance(end.connector, HasComments):
        return {}
    answer: dict[EntityRef, tuple[Comment, ...]] = {}
    for i in range(0, len(entities), COMMENTS_AT_ONCE):
        answer.update(await end.connector.comments(entities[i : i + COMMENTS_AT_ONCE]))
    return answer


def matches(rules: Rules, side: Side, entity: Entity) -> bool:
    """Whether the criteria of its side let the entity take part."""
    return side not in rules.criteria or rules.criteria[side].holds(entity.fields, datetime.now(UTC))
