"""fetch: what was found is looked up in the ledger, and completed with counterparts and comments.

Rule of this file: an entity is dropped as seen only if its version is the ledger's and was already settled when the
ledger saw it; else its values are compared. Counterparts are read in bulk, and only where something differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.contract import HasComments
from connectors.entity import Comment, Entity, EntityRef, Page
from flows.actions import Batch, Found, Pair, Single, SkipAction
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
        listing = Listing(feeds.starts, feeds.came_by("comments"), feeds.matched(), feeds.seen, job.began)
        batch = await look(job, entities, every=job.options.full, listing=listing)
        batch.cursors = feeds.cursors()
        job.progress("fetched", sum(map(len, entities.values())))
        if not batch.nothing:
            return batch
    return None


def _latest(pages: Iterable[Page]) -> list[Entity]:
    """Each entity once, as it was last seen."""
    return list({entity.ref: entity for page in pages for entity in page.entities}.values())


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of entities because they came from the feeds.

    `talked`: those of which a comment changed. `matched`: those that the native query of their side found; a side
    without one is not there. `seen`: the systems' clocks at the read. `began`: when the listing began, by our clock.
    """

    starts: Mapping[Side, datetime | None]
    talked: Mapping[Side, set[EntityRef]]
    matched: Mapping[Side, set[EntityRef]]
    seen: Mapping[Side, datetime]
    began: datetime


async def look(
    job: Job,
    entities: Mapping[Side, Sequence[Entity]],
    *,
    every: bool = False,
    listing: Listing | None = None,
) -> Batch:
    """Make a batch of entities as just read. `every`: compare all of them whole, settled or not."""
    batch = _sorted(job, entities, every, listing)
    if batch.nothing:
        return batch
    rules = await job.rules()
    await read_counterparts(job, [pair for pair in batch.pairs if _overtaken(pair.link, listing)])
    for pair in batch.pairs:
        # What failed is tried again with its pair, whatever brought it here: else nobody would come back to it.
        pair.whole |= any((side, pair.link.end(side).ref) in job.failures for side in Side)
        pair.moved = pair.whole or any(
            (own := pair.entity(side)) is not None and moved(rules, side, own, pair.link.rows) for side in Side
        )
    await read_counterparts(job, [pair for pair in batch.pairs if pair.moved])
    if rules.config.comments is not None:
        await fetch_comments(job, rules, batch)
    return batch


def _sorted(job: Job, entities: Mapping[Side, Sequence[Entity]], every: bool, listing: Listing | None) -> Batch:
    """Which of the entities are linked, and which are new; what was seen before or takes no part is counted."""
    links = {side: _links(job, side, entities[side]) for side in Side}
    batch = Batch()
    pairs: dict[int, Pair] = {}
    for side, end in job.ends.items():
        clock = (listing.seen.get(side) if listing else None) or end.clock()
        talked = listing.talked.get(side, set()) if listing else set()
        for entity in entities[side]:
            link = links[side].get(end.ident(entity.ref))
            if link is None:
                single = Single(side, entity, clock)
                batch.singles += [single] if _may_matter(job, single, listing) else []
            elif link.row == job.row.key and (
                every or not end.is_settled(link.end(side), entity) or entity.ref in talked
            ):
                pair = pairs.setdefault(link.id, Pair(link, moved=False, whole=every))
                if end.is_settled(link.end(side), entity) or not _overtaken(link, listing):
                    pair.put(side, entity, clock)
                pair.talked |= entity.ref in talked
            else:
                job.report.counters.skip("seen")
    batch.pairs = list(pairs.values())
    return batch


def _overtaken(link: Link, listing: Listing | None) -> bool:
    """Whether this pair was merged since the listing began: what the listing says may be from before our own write,
    and would look as if somebody had taken it back.
    """
    return listing is not None and link.checked is not None and link.checked >= listing.began


def _links(job: Job, side: Side, entities: Sequence[Entity]) -> dict[str, Link]:
    if not entities:
        return {}
    end = job.ends[side]
    return job.ledger.links_of(job.name, side, [end.ident(entity.ref) for entity in entities])


def _may_matter(job: Job, single: Single, listing: Listing | None) -> bool:
    """Counts what takes no part, before anything is asked for it."""
    reason = _no_part(job, single, listing)
    if reason is not None:
        job.report.counters.skip(reason)
    if reason == "criteria" and job.options.dry_run:  # a preview names what would be left out
        job.dropped(SkipAction(single.side, single.entity.ref, reason, single.entity.url), reason)
    return reason is None


def _no_part(job: Job, single: Single, listing: Listing | None) -> str | None:
    side, entity = single.side, single.entity
    if side.other not in job.permitted:
        return "not_permitted"
    if listing is None:
        return None  # somebody asked for this one
    if side in listing.matched and entity.ref not in listing.matched[side]:
        return "criteria"
    if job.options.since is None and not takes_part(entity, listing.starts.get(side)):
        return "before_start_polling"
    return None


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
