"""What a write stage did, collected and recorded: one transaction holds a whole outcome.

Rule of this file: {link, bases, outcome, intent gone} is recorded together or not at all. Outcomes are gathered in
small groups, so that a commit serves many entities and a crash loses little that recovery must look up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from connectors.entity import EntityRef
from flows.job import Job
from ledger.errors import LeaseLost, LedgerError, LedgerUnavailable
from ledger.model import AuditEntry, CommentLink, Conflict, Cursor, Failure, Feed, Intent, Link, LinkState
from mappings.config import Side

GROUP = 50
"""Outcomes in one commit."""
FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(hours=6)


@dataclass(slots=True)
class Outcome:
    """What became of one entity or pair. `link` as it is to be kept; `gone` removes it."""

    link: Link | None = None
    gone: bool = False
    intents: Sequence[Intent] = ()
    comments: Sequence[CommentLink] = ()
    dropped_comments: Sequence[tuple[Side, str]] = ()
    conflicts: Sequence[Conflict] = ()
    closed: Sequence[str] | None = None
    """Fields whose conflicts are over; None: none. `closed_as` says how: agreed or resolved."""
    closed_as: str = "agreed"
    failure: Failure | None = None
    healed: Sequence[tuple[Side, EntityRef]] = ()
    audit: Sequence[AuditEntry] = ()


@dataclass(slots=True)
class Recorder:
    """Records outcomes of one job in groups."""

    job: Job
    waiting: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.waiting.append(outcome)
        if len(self.waiting) >= GROUP:
            self.flush()

    def flush(self, cursors: Sequence[tuple[Feed, Cursor]] = ()) -> None:
        """Write what waits, and move the cursors that it completes. Raises LeaseLost if the lease is another's."""
        if self.job.lease is None or not (self.waiting or cursors):
            return
        outcomes, self.waiting = self.waiting, []
        try:
            self._record(outcomes, cursors)
        except (LeaseLost, LedgerUnavailable):
            raise
        except LedgerError:
            # One outcome that cannot be kept (an entity with two twins) must not take its neighbours with it.
            self._record_each(outcomes, cursors)

    def _record_each(self, outcomes: Sequence[Outcome], cursors: Sequence[tuple[Feed, Cursor]]) -> None:
        for outcome in outcomes:
            try:
                self._record([outcome])
            except (LeaseLost, LedgerUnavailable):
                raise
            except LedgerError as error:
                if outcome.link is None:
                    raise
                end = outcome.link.left
                entry = failure(
                    self.job,
                    Side.LEFT,
                    end.ref,
                    "link",
                    error,
                    url=end.url,
                    before=self.job.failures.get((Side.LEFT, end.ref)),
                )
                self._record([Outcome(failure=entry, intents=outcome.intents, audit=outcome.audit)])
        self._record([], cursors)

    def _record(self, outcomes: Sequence[Outcome], cursors: Sequence[tuple[Feed, Cursor]] = ()) -> None:
        assert self.job.lease is not None
        with self.job.ledger.begin(self.job.lease) as tx:
            kept = [outcome for outcome in outcomes if outcome.link is not None and not outcome.gone]
            saved = tx.save_links([outcome.link for outcome in kept if outcome.link is not None])
            for outcome, link in zip(kept, saved, strict=True):
                outcome.link = link
            tx.remove_links([o.link.id for o in outcomes if o.gone and o.link is not None])
            tx.drop_intents([intent.id for outcome in outcomes for intent in outcome.intents])
            tx.save_comment_links([of_link(comment, o.link) for o in outcomes if not o.gone for comment in o.comments])
            for outcome in kept:
                assert outcome.link is not None
                for side, comment in outcome.dropped_comments:
                    tx.drop_comment_links(outcome.link.id, side, [comment])
                if outcome.closed is not None:
                    tx.close_conflicts(outcome.link.id, outcome.closed_as, fields=outcome.closed)
            tx.save_conflicts([of_link(conflict, o.link) for o in kept for conflict in o.conflicts])
            failures = tx.save_failures([outcome.failure for outcome in outcomes if outcome.failure is not None])
            healed = self._healed(outcomes)
            for side in Side:
                tx.close_failures(self.job.name, side=side, refs=[ref for s, ref in healed if s is side], state="done")
            tx.audit([entry for outcome in outcomes for entry in outcome.audit])
            for feed, cursor in cursors:
                tx.save_cursor(feed, cursor)
        for place in healed:
            self.job.failures.pop(place, None)
        self.job.failures |= {(entry.side, entry.entity): entry for entry in failures}

    def _healed(self, outcomes: Sequence[Outcome]) -> set[tuple[Side, EntityRef]]:
        """Entities with an open failure that are well now."""
        failed = {(o.failure.side, o.failure.entity) for o in outcomes if o.failure is not None}
        return {place for o in outcomes for place in o.healed if place in self.job.failures} - failed


T = TypeVar("T", CommentLink, Conflict)


def of_link(entry: T, link: Link | None) -> T:
    """The entry with the id of its link, which a new link has only once it is stored."""
    return entry if entry.link or link is None else replace(entry, link=link.id)


def failure(
    job: Job,
    side: Side,
    ref: EntityRef,
    action: str,
    error: Exception | str,
    *,
    url: str | None,
    before: Failure | None,
) -> Failure:
    """An entity that failed alone; tried again after growing pauses (SPEC D6)."""
    now = datetime.now(UTC)
    attempts = before.attempts + 1 if before else 1
    pause = min(FIRST_RETRY * 2 ** min(attempts - 1, 10), LAST_RETRY)
    return Failure(
        before.id if before else 0,
        job.name,
        job.target.name,
        job.row.key,
        side,
        ref,
        action,
        str(error),
        attempts,
        now,
        now + pause,
        url=url,
    )


def look_again(job: Job, side: Side, ref: EntityRef, action: str) -> Failure:
    """An entity that is to be looked at once more, due at once, whatever the cursors say and whenever we crash."""
    before = job.failures.get((side, ref))
    told = failure(job, side, ref, action, "it was interrupted, and is looked at again", url=None, before=before)
    return replace(told, attempts=before.attempts if before else 0, next=told.at)


def state_of(link: Link, *, halted: bool) -> LinkState:
    """The word for a link: halted before held before agreed."""
    if halted:
        return LinkState.HALTED
    return LinkState.HELD if any(state.held for state in link.rows.values()) else LinkState.AGREED
