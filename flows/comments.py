"""Comments: each has at most one twin, in order, with its author and time (SPEC B9).

Rule of this file: a comment is known by its id on both sides. What has no link is new and is copied; what has one is
compared with its hash, and an edit edits its twin. Where a system cannot set author or time, a header line carries
them; on the way back it is stripped.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from connectors.contract import HasComments
from connectors.entity import Comment, Entity, RichText, UserRef, decode, encode, normal_text
from connectors.errors import Changed, EntityError, Rejected
from connectors.schema import FieldType
from flows.actions import Pair
from flows.comment_text import HEADER, digest, header, strip
from flows.fetch import comments_of, read
from flows.intents import Intents, intent
from flows.job import End, Job
from flows.outcomes import Outcome, Recorder, failure
from flows.reactions import put_back
from ledger.model import CommentLink, Intent, Link, LinkState
from mappings.config import Comments, Side
from mappings.plan import Rules

AT_ONCE = 8
TRIES = 3


@dataclass(slots=True)
class Talk:
    """The comments of one pair that are to be looked at. `outcome.link` is the pair's link once it is recorded."""

    outcome: Outcome
    pair: Pair
    comments: dict[Side, tuple[Comment, ...]]
    unasked: dict[Side, tuple[Comment, ...]] = field(default_factory=dict)
    """Comments of the other side, read because one of their twins was edited."""
    uncertain: bool = False
    """One of them is being recovered: the pair is not done."""
    oscillating: set[str] = field(default_factory=set)
    """Rows that the system moved with our comment, and again when they were put back."""
    fresh: bool = False
    """The pair was just linked: comments that stand on both sides already are paired first."""

    @property
    def link(self) -> Link:
        assert self.outcome.link is not None
        return self.outcome.link


@dataclass(slots=True)
class Copy:
    """One comment to write on `to`: a new twin (`twin` empty), or the edit of one."""

    to: Side
    source: Comment
    draft: Comment
    known: CommentLink | None = None


async def write_comments(job: Job, rules: Rules, recorder: Recorder, talks: Sequence[Talk]) -> None:
    """Bring the comments of these pairs into agreement; pairs side by side, the comments of one pair in order."""
    policy = rules.config.comments
    if policy is None or job.lease is None:
        return
    open_talks = [talk for talk in talks if talk.link.id and talk.link.state is not LinkState.HALTED]
    known = job.ledger.comment_links([talk.link.id for talk in open_talks])
    uncertain = {(i.link, i.payload["source"]) for i in job.ledger.intents(job.name) if i.kind == "comment"}
    work = [
        (talk, await _copies(job, rules, policy, talk, known[talk.link.id], recorder, uncertain)) for talk in open_talks
    ]
    intents = _intend(job, work)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(talk: Talk, copies: list[Copy]) -> None:
        async with gate:
            if not job.stopping():
                await _write(job, talk, copies, intents, recorder)

    errors = await asyncio.gather(*(one(talk, copies) for talk, copies in work), return_exceptions=True)
    recorder.flush()
    for error in errors:
        if isinstance(error, BaseException):
            raise error


# -- what is to be done -------------------------------------------------------------------------------------------


async def _copies(
    job: Job,
    rules: Rules,
    policy: Comments,
    talk: Talk,
    known: Sequence[CommentLink],
    recorder: Recorder,
    uncertain: set[tuple[int | None, str]],
) -> list[Copy]:
    """The comments of a pair that need a twin or an edit of theirs, oldest first."""
    if talk.fresh and len(talk.comments) == 2:
        known = [*known, *_pair_equal(talk, known, recorder)]
    copies: list[Copy] = []
    for side, comments in talk.comments.items():
        to = side.other
        flows = to in job.permitted and policy.direction.writes(to)
        by_id = {link.left if side is Side.LEFT else link.right: link for link in known}
        for comment in comments:
            link = by_id.get(comment.id)
            if link is None and (talk.link.id, comment.id) in uncertain:
                talk.uncertain = True  # an earlier write of it may have arrived: recovery finds out first
            elif link is None:
                kind = _kind(policy, comment.kind, to)
                if kind is not None and flows and normal_text(comment.text.canonical):
                    copies.append(Copy(to, comment, await _draft(job, rules, comment, to, kind)))
            elif not _edited_on(side, comment, link) or not flows:
                continue
            elif (twin := await _twin_edited(job, talk, to, link)) is not None:
                recorder.add(_both_edited(job, talk, side, comment, twin, link))
            else:
                copies.append(Copy(to, comment, await _edited(job, rules, comment, link, to, policy), link))
        if policy.deletes == "delete" and flows:
            await _delete_twins(job, talk, side, {c.id for c in comments}, known, recorder)
    return sorted(copies, key=lambda copy: copy.source.created or datetime.min.replace(tzinfo=UTC))


def _edited_on(side: Side, comment: Comment, link: CommentLink) -> bool:
    return digest(comment) != (link.left_hash if side is Side.LEFT else link.right_hash)


async def _twin_edited(job: Job, talk: Talk, to: Side, link: CommentLink) -> Comment | None:
    """The twin, if people have edited it as well."""
    if to not in talk.comments and to not in talk.unasked:
        entity = await _current(job, talk, to)
        talk.unasked[to] = (await comments_of(job.ends[to], [entity])).get(entity.ref, ())
    twin = link.left if to is Side.LEFT else link.right
    there = talk.comments.get(to) or talk.unasked.get(to, ())
    return next((comment for comment in there if comment.id == twin and _edited_on(to, comment, link)), None)


def _both_edited(job: Job, talk: Talk, side: Side, comment: Comment, twin: Comment, link: CommentLink) -> Outcome:
    """Edited to the same words: agreed. To different ones: neither is overwritten, until people make them equal."""
    if digest(comment) == digest(twin):
        return Outcome(comments=[replace(link, left_hash=digest(comment), right_hash=digest(comment))])
    job.report.counters.skip("comment_conflict")
    label = job.label(side, talk.link.end(side).ref)
    after = {str(side): comment.text.canonical, str(side.other): twin.text.canonical}
    return Outcome(audit=[job.audit("conflict", entity=label, field=f"comment {comment.id}", after=after)])


def _pair_equal(talk: Talk, known: Sequence[CommentLink], recorder: Recorder) -> list[CommentLink]:
    """Comments that say the same on both sides of a pair that was just linked, in order, each once."""
    taken = {link.right for link in known}
    right = defaultdict(list)
    for comment in talk.comments[Side.RIGHT]:
        if comment.id not in taken:
            right[digest(comment)].append(comment)
    linked = {link.left for link in known}
    found = []
    for comment in talk.comments[Side.LEFT]:
        if comment.id not in linked and right[digest(comment)]:
            twin = right[digest(comment)].pop(0)
            found.append(_linked(talk.link, Side.LEFT, comment, twin))
    if found:
        recorder.add(Outcome(talk.link, comments=found))
    return found


def _kind(policy: Comments, kind: str, to: Side) -> str | None:
    """The kind on the other side; None: comments of this kind stay where they are."""
    if to is Side.RIGHT:
        return policy.kinds.get(kind)
    return next((left for left, right in policy.kinds.items() if right == kind), None)


async def _draft(job: Job, rules: Rules, comment: Comment, to: Side, kind: str) -> Comment:
    """The twin to write: natively by its author and at its time where the system can, else with a header line."""
    end = job.ends[to]
    found = HEADER.match(comment.text.canonical)
    text = strip(comment.text.canonical)
    author = await _author(job, rules, comment.author, to) if comment.author and end.limits.comment_author else None
    native = author is not None and (comment.created is None or end.limits.comment_time) and not found
    if not native and (comment.author is not None or comment.created is not None):
        text = header(comment) + text
    return Comment("", RichText(text), author, comment.created if end.limits.comment_time else None, kind)


async def _author(job: Job, rules: Rules, user: UserRef, to: Side) -> UserRef | None:
    """The same person there: by a row of a user table, else by email; None where nobody is."""
    users = job.ends[to].users
    tables = [row.table for row in rules.rows if row.table and (end := row.fields[to]) and end.type is FieldType.USER]
    texts = [text for table in tables if (text := table.find(to, user))] + ([user.email] if user.email else [])
    for text in texts:
        if not users.find(text):
            await job.learn_users()
        if len(found := users.find(text)) == 1:
            return found[0]
    return None


async def _edited(job: Job, rules: Rules, comment: Comment, link: CommentLink, to: Side, policy: Comments) -> Comment:
    """The twin of an edited comment: its own header stays where it is a copy; an original never gets one."""
    twin = link.right if to is Side.RIGHT else link.left
    kind = _kind(policy, comment.kind, to) or "public"
    if link.born is to:
        return Comment(twin, RichText(strip(comment.text.canonical)), kind=kind)
    return replace(await _draft(job, rules, comment, to, kind), id=twin)


async def _delete_twins(
    job: Job, talk: Talk, side: Side, there: set[str], known: Iterable[CommentLink], recorder: Recorder
) -> None:
    """Delete the twins of comments that are no longer there."""
    for link in known:
        own, twin = (link.left, link.right) if side is Side.LEFT else (link.right, link.left)
        if own in there:
            continue
        entity = await _current(job, talk, side.other)
        after = await job.ends[side.other].writer.delete_comment(entity, twin)
        talk.pair.put(side.other, after, job.ends[side.other].clock())
        told = job.audit("delete_comment", entity=job.label(side.other, after.ref), field=f"comment {twin}")
        recorder.add(Outcome(talk.link, dropped_comments=[(side, own)], audit=[told]))


# -- doing it -----------------------------------------------------------------------------------------------------


def _intend(job: Job, work: Sequence[tuple[Talk, list[Copy]]]) -> Intents:
    """One durable commit holds the intents of all new comments of the batch."""
    intents = Intents(job)
    intents.record(
        {
            id(copy): intent(
                job,
                "comment",
                copy.to,
                {"source": copy.source.id, "text": encode(copy.draft.text), "hash": digest(copy.source)},
                link=talk.link.id,
            )
            for talk, copies in work
            for copy in copies
            if copy.known is None
        }
    )
    return intents


async def _write(job: Job, talk: Talk, copies: list[Copy], intents: Intents, recorder: Recorder) -> None:
    """Write the comments of one pair in order; the first that fails leaves the later ones for the next time."""
    done = True
    for position, copy in enumerate(copies):
        covered = intents.cover(id(copy))
        try:
            comment = await _put(job, talk, copy)
        except EntityError as error:
            # A refusal is certain, and what was not begun needs no recovery.
            rest = [copy] if isinstance(error, Rejected) else copies[position:]
            given_up = [open_one for c in rest if (open_one := intents.get(id(c)))]
            recorder.add(_failed(job, talk, copy, given_up, error))
            done = False
            if not isinstance(error, Rejected):
                break
            continue
        recorder.add(_done(job, talk, copy, comment, covered))
    if talk.oscillating:
        rows = {
            key: replace(state, bounces=state.bounces + (key in talk.oscillating))
            for key, state in talk.link.rows.items()
        }
        talk.outcome.link = replace(talk.link, rows=rows)  # the next look at the pair halts it
        recorder.add(Outcome(talk.outcome.link))
    elif (done or copies == []) and not talk.uncertain:
        _settle(job, talk, recorder)


async def _put(job: Job, talk: Talk, copy: Copy) -> Comment:
    """Write one comment; when somebody was faster, read the entity again and write it then."""
    end = job.ends[copy.to]
    for attempt in range(TRIES):
        entity = await _current(job, talk, copy.to, again=attempt > 0)
        seen = end.clock()
        try:
            if copy.known is None:
                comment, after = await end.writer.add_comment(entity, copy.draft)
            else:
                comment, after = await end.writer.edit_comment(entity, copy.draft)
        except Changed:
            if attempt == TRIES - 1:
                raise
            continue
        rules = await job.rules()
        after, moved = await put_back(end, rules.rows, entity, after, sent=(), seen=seen, alone=False)
        talk.oscillating |= moved
        talk.pair.put(copy.to, after, seen)
        return comment
    raise AssertionError("unreachable")


async def _current(job: Job, talk: Talk, side: Side, *, again: bool = False) -> Entity:
    """The entity as last seen, read if it is not at hand."""
    entity = talk.pair.entity(side)
    if entity is not None and not again:
        return entity
    end, ref = job.ends[side], talk.link.end(side).ref
    clock = end.clock()
    found = (await read(end, [ref]))[ref]
    talk.pair.put(side, found, clock)
    entity = talk.pair.entity(side)
    if entity is None:
        raise EntityError(f"{ref} cannot be read any more, so its comments cannot be written", ref=ref)
    return entity


def _done(job: Job, talk: Talk, copy: Copy, comment: Comment, covered: Intent | None) -> Outcome:
    job.report.counters.count("comments", copy.to)
    link = _linked(talk.link, copy.to.other, copy.source, comment)
    if copy.known is not None:
        link = replace(link, born=copy.known.born, author=copy.known.author, created=copy.known.created)
    told = job.audit(
        "comment" if copy.known is None else "edit_comment",
        entity=job.label(copy.to, talk.link.end(copy.to).ref),
        field=f"comment {comment.id}",
        after=comment.text.canonical,
        reason=f"comment {copy.source.id} of the {copy.to.other} side",
    )
    return Outcome(comments=[link], intents=[covered] if covered else [], audit=[told])


def _failed(job: Job, talk: Talk, copy: Copy, given_up: Sequence[Intent], error: EntityError) -> Outcome:
    side, ref = copy.to.other, talk.link.end(copy.to.other).ref
    before = job.failures.get((side, ref))
    entry = failure(job, side, ref, "comment", error, url=talk.link.end(side).url, before=before)
    told = job.audit("failed", entity=job.label(side, ref), reason=str(error))
    return Outcome(failure=entry, intents=given_up, audit=[told])


def _linked(link: Link, born: Side, source: Comment, twin: Comment) -> CommentLink:
    """The link of two comments; `born` is the side that `source` is on."""
    left, right = (source, twin) if born is Side.LEFT else (twin, source)
    author = str(source.author) if source.author else ""
    return CommentLink(link.id, left.id, right.id, digest(left), digest(right), born, author, source.created)


def _settle(job: Job, talk: Talk, recorder: Recorder) -> None:
    """All comments are done: from now on the versions seen tell whether there is anything new."""
    link = talk.link
    for side, end in job.ends.items():
        entity = talk.pair.entity(side)
        if entity is not None:
            told = end.link_end(entity, seen=talk.pair.seen[side], touched=link.end(side).touched)
            link = replace(link, left=told) if side is Side.LEFT else replace(link, right=told)
    if link != talk.link:
        talk.outcome.link = link
        recorder.add(Outcome(link))


# -- recovery -----------------------------------------------------------------------------------------------------


async def recover_comment(end: End, link: Link, intent: Intent, taken: set[str]) -> CommentLink | None:
    """The comment that an interrupted write left behind, if it is there: same text, not linked, and not older."""
    ref = link.end(intent.side).ref
    entity = (await read(end, [ref]))[ref]
    if not isinstance(entity, Entity) or not isinstance(end.connector, HasComments):
        return None
    text = decode(intent.payload["text"])
    wanted = digest(Comment("", text)) if isinstance(text, RichText) else ""
    slack = timedelta(minutes=5)
    for comment in (await comments_of(end, [entity])).get(ref, ()):
        old = not end.limits.comment_time and comment.created is not None and comment.created < intent.at - slack
        if comment.id not in taken and digest(comment) == wanted and not old:
            own, twin = intent.payload["source"], comment.id
            left, right = (own, twin) if intent.side is Side.RIGHT else (twin, own)
            hashes = intent.payload["hash"], digest(comment)
            left_hash, right_hash = hashes if intent.side is Side.RIGHT else hashes[::-1]
            return CommentLink(link.id, left, right, left_hash, right_hash, intent.side.other, created=comment.created)
    return None
