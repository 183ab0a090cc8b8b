"""Looking at linked pairs again, though nothing says that they changed: scrub, full comparison, changed mappings.

Rule of this file: every linked pair is seen within `deletes.check_every`, in small rotating slices; what is compared
whole tells the agreement (SPEC F1). A changed mapping touches only the pairs and rows that it affects (SPEC B20).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from flows.actions import Batch, Pair
from flows.fetch import fetch_comments, read_counterparts
from flows.job import Job
from ledger.model import Cursor, Feed, Link
from mappings.config import Side

SLICE = 200
"""Pairs that are looked at in one batch."""
SLICES = 288
"""A slice of all pairs is due so often within `check_every` at most (every five minutes of a day): counting them costs
more than a refresh that finds nothing."""


async def compare(job: Job, links: Sequence[Link], *, comments: bool = True) -> Batch:
    """Both sides of these pairs, read in bulk, to be compared whole."""
    batch = Batch([Pair(link, whole=True) for link in links])
    if batch.pairs:
        rules = await job.rules()
        await read_counterparts(job, batch.pairs)
        if comments and rules.config.comments is not None:
            await fetch_comments(job, rules, batch)
    return batch


def scrub_feed(job: Job) -> Feed:
    return Feed(job.name, job.target.name, job.row.key, Side.LEFT, "scrub", "")


def due_for_scrub(job: Job) -> tuple[list[Link], list[tuple[Feed, Cursor]]]:
    """The slice of pairs whose turn it is: as many as keeps every pair seen within `check_every`, oldest look first."""
    feed, now = scrub_feed(job), datetime.now(UTC)
    cursor = job.ledger.cursor(feed)
    if cursor is None or cursor.scanned is None:
        return [], [(feed, Cursor(None, now))]
    every = (job.target.deletes or job.connector.deletes).check_every
    share = min(1.0, (now - cursor.scanned).total_seconds() / every) if every else 1.0
    if share * SLICES < 1:
        return [], []
    due = int(job.ledger.count_links(job.name, job.target.name) * share)
    if not due:
        return [], []
    # Pairs that were looked at lately, for whatever reason, do not come to the head of the queue.
    links = [link for link in job.ledger.links_due(job.name, job.target.name, limit=due) if link.row == job.row.key]
    return links, [(feed, Cursor(None, now))]


async def full(job: Job, since: datetime) -> AsyncIterator[Batch]:
    """Every pair that this refresh has not compared yet: those that neither side lists any more, above all."""
    after = 0
    while links := job.ledger.links(job.name, target=job.target.name, row=job.row.key, after=after, limit=SLICE):
        after = links[-1].id
        fresh = [link for link in links if link.checked is None or link.checked < since]
        if fresh:
            yield await compare(job, fresh)
            looked_at(job, fresh)


def looked_at(job: Job, links: Sequence[Link]) -> None:
    """These pairs had their turn. One that could not be brought to agreement (halted, failed, out of sight) must not
    stay at the head of the queue, else the others would never be seen.
    """
    if job.lease is None or not links:
        return
    now = job.ledger.links(job.name, ids=[link.id for link in links])
    before = {link.id: link.checked for link in links}
    with job.ledger.begin(job.lease) as tx:
        tx.set_checked([link.id for link in now if link.checked == before[link.id]], datetime.now(UTC), agrees=False)


def outdated(job: Job) -> list[Link]:
    """Pairs of which a row was last merged under another mapping."""
    return affected(job, job.ledger.links_outdated(job.name, job.target.name, job.row.key, job.version, limit=10**9))


async def remapped(job: Job) -> AsyncIterator[Batch]:
    """Pairs that were last merged under another version of the mapping, where one of their rows is affected.

    Resumable: each pair remembers the version it was merged under. Pairs that are not affected only learn the version.
    """
    after = 0
    while True:
        links = job.ledger.links_outdated(job.name, job.target.name, job.row.key, job.version, after=after, limit=SLICE)
        if not links:
            return
        after = links[-1].id
        concerned = affected(job, links)
        if job.lease is not None and len(concerned) < len(links):
            spared = [replace(link, mapping=job.version) for link in links if link not in concerned]
            with job.ledger.begin(job.lease) as tx:
                tx.save_links(spared)
        # A halted pair is merged under the new mapping when it is looked at for its conflict.
        yield await compare(job, [link for link in concerned if link.state != "halted"], comments=False)


def affected(job: Job, links: Sequence[Link]) -> list[Link]:
    """Those of the links that have a row whose fingerprint is another one now, or a new row."""
    now = job.fingerprints
    return [
        link
        for link in links
        if any(key not in link.rows or link.rows[key].fingerprint != fingerprint for key, fingerprint in now.items())
    ]
