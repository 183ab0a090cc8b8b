"""write: carries out the actions. Intent, call, verify, one transaction; a failed entity never stops its neighbours.

Rule of this file: what may have reached a system is never forgotten. Before a create is called its intent is on disk;
an answer that was lost leaves the intent open, and recovery (recover.py) finds out before anything is created again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from connectors.contract import WritesInBulk
from connectors.entity import Entity, EntityRef, encode
from connectors.errors import Changed, ConnectorError, EntityError, Rejected, Unavailable
from flows.actions import (
    Action,
    AdoptAction,
    CreateAction,
    DeleteAction,
    FailAction,
    Pair,
    TouchAction,
    UpdateAction,
)
from flows.comments import Talk, write_comments
from flows.deletes import carry_out_delete
from flows.ends import touched_end, unsettled
from flows.fetch import read
from flows.halts import halt
from flows.intents import Intents, intent
from flows.job import Job
from flows.outcomes import Outcome, Recorder, failure, state_of
from flows.pairs import carry_out
from flows.updates import update_intent
from ledger.model import AuditEntry, Cursor, Feed, Intent, Link, LinkState
from mappings.config import Side
from mappings.plan import Create, PairPlan, Rules, agreed_at_create, ignored, nothing_left, plan_pair

BULK = 32
"""Creates that are handed on together where a system takes them in bulk."""
AT_ONCE = 8
"""Actions in flight on a system that keeps no budget of its own."""
TRIES = 3
"""How often a pair is merged again because somebody was faster."""


class Stopping(Exception):
    """The daemon stops: what is under way was finished and recorded, the rest is left for the next refresh."""


async def write_actions(
    job: Job, actions: Sequence[Action], cursors: Sequence[tuple[Feed, Cursor]] = (), *, settled: bool = False
) -> None:
    """Carry out the actions, then their comments; the cursors move when every outcome is recorded.

    `settled`: a steward decided, so conflicts close as resolved. Raises the first error that concerns the whole
    system, after everything that was under way is recorded.
    """
    writing = Writing(job, await job.rules(), settled)
    writing.intend(actions)

    # A few that take one action after the other, not a task for each: so a connection goes from call to call.
    async def work(waiting: list[Action]) -> None:
        while waiting and not job.stopping() and writing.broken is None:
            try:
                await writing.guarded(waiting.pop())
            except BaseException:
                waiting.clear()  # the lease is lost, or we are cancelled: no further call begins
                raise

    in_bulk, singly = writing.divided(actions)
    for chunk in in_bulk:
        if not job.stopping() and writing.broken is None:
            await writing.create_in_bulk(chunk)
    waiting = singly[::-1]
    await asyncio.gather(*(work(waiting) for _ in range(AT_ONCE)))
    writing.give_up_what_was_not_begun()
    writing.recorder.flush()
    if writing.broken is None and not job.stopping():
        await write_comments(job, writing.rules, writing.recorder, writing.talks)
    if writing.broken is not None:
        raise writing.broken
    if job.stopping():
        raise Stopping
    writing.recorder.flush(cursors)


class Writing:
    """One write stage."""

    def __init__(self, job: Job, rules: Rules, settled: bool) -> None:
        self.job, self.rules, self.settled = job, rules, settled
        self.recorder = Recorder(job)
        self.talks: list[Talk] = []
        self.broken: ConnectorError | None = None
        self.intents = Intents(job)
        self.made: dict[int, Entity | Exception] = {}
        """What a bulk create answered, by action."""

    # -- intents ---------------------------------------------------------------------------------------------

    def intend(self, actions: Sequence[Action]) -> None:
        """One durable commit holds the intents of all creates and updates of the batch, before any is called."""
        told = {id(a): self._intent(a) for a in actions if isinstance(a, CreateAction | UpdateAction)}
        self.intents.record({key: found for key, found in told.items() if found is not None})

    def _intent(self, action: CreateAction | UpdateAction) -> Intent | None:
        if isinstance(action, UpdateAction):
            return update_intent(self.job, action.pair, action.plan)
        rows = {row.key: encode(row.value(action.to.other, action.source.fields)) for row in self.rules.rows}
        payload = {
            "fields": {name: encode(value) for name, value in action.create.fields.items()},
            "sent": {key: encode(value) for key, value in action.create.sent.items()},
            "source": rows,
        }
        return intent(self.job, "create", action.to, payload, source=action.source.ref)

    def give_up_what_was_not_begun(self) -> None:
        """Where the stage ended early: a create that was never called needs no recovery."""
        idle = self.intents.not_begun()
        if idle:
            self.recorder.add(Outcome(intents=idle))

    # -- many at once -----------------------------------------------------------------------------------------

    def divided(self, actions: Sequence[Action]) -> tuple[list[list[CreateAction]], list[Action]]:
        """Creates that their system takes in bulk, in chunks; and everything else."""
        in_bulk: list[list[CreateAction]] = []
        taken: set[int] = set()
        for side, end in self.job.ends.items():
            creates = [a for a in actions if isinstance(a, CreateAction) and a.to is side]
            if isinstance(end.connector, WritesInBulk) and len(creates) > 1 and side in self.job.permitted:
                in_bulk += [creates[i : i + BULK] for i in range(0, len(creates), BULK)]
                taken |= {id(action) for action in creates}
        return in_bulk, [action for action in actions if id(action) not in taken]

    async def create_in_bulk(self, actions: Sequence[CreateAction]) -> None:
        """Create all of them in one go, then see to each as if it had been created alone."""
        end = self.job.ends[actions[0].to]
        covered = [self.intents.cover(id(action)) for action in actions]
        rows = [(a.create.fields, i.marker if i else None) for a, i in zip(actions, covered, strict=True)]
        answers: Sequence[Entity | Exception]
        try:
            answers = await end.writer.create_many(end.scope, end.type, rows)
        except Exception as error:
            answers = [error] * len(actions)
        self.made = {id(action): answer for action, answer in zip(actions, answers, strict=True)}
        await asyncio.gather(*(self.guarded(action) for action in actions))

    # -- one action ------------------------------------------------------------------------------------------

    async def guarded(self, action: Action) -> None:
        """Carry out one action; whatever goes wrong concerns this entity alone, or the system as a whole."""
        try:
            self.recorder.add(await self._do(action))
        except EntityError as error:
            self._fail(action, error, certain=not isinstance(action, CreateAction) or _refused(error))
        except ConnectorError as error:
            self._broke(action, error)
        except Exception as error:  # a connector's own bug: this entity waits, its neighbours go on
            self._fail(action, error, certain=False)

    async def _do(self, action: Action) -> Outcome:
        match action:
            case CreateAction():
                return await self._create(action)
            case AdoptAction():
                return await self._adopt(action)
            case UpdateAction():
                return await self._update(action.pair, action.plan, id(action))
            case TouchAction():
                return self._touch(action.pair)
            case DeleteAction():
                return await carry_out_delete(self.job, self.rules, action)
            case FailAction():
                return self._failed(action.side, action.ref, action.action, action.error, action.url)
        raise TypeError(type(action).__name__)

    def _broke(self, action: Action, error: ConnectorError) -> None:
        """The system itself is in trouble. A create that certainly did not happen leaves no intent behind."""
        self.broken = self.broken or error
        open_intent = self.intents.get(id(action)) if isinstance(action, CreateAction) else None
        if open_intent is not None and (not isinstance(error, Unavailable) or not error.sent):
            self.recorder.add(Outcome(intents=[open_intent]))

    def _fail(self, action: Action, error: Exception, *, certain: bool) -> None:
        side, entity = _subject(action)
        open_intent = self.intents.get(id(action))
        told = error if isinstance(error, ConnectorError) else f"{type(error).__name__}: {error}"
        outcome = self._failed(side, entity.ref, _word(action), told, entity.url)
        if open_intent is not None and certain:
            outcome.intents = [open_intent]
        if isinstance(action, UpdateAction):
            outcome.link = replace(action.pair.link, state=LinkState.FAILED)
        self.recorder.add(outcome)

    def _failed(self, side: Side, ref: EntityRef, action: str, error: Exception | str, url: str | None) -> Outcome:
        before = self.job.failures.get((side, ref))
        entry = failure(self.job, side, ref, action, error, url=url, before=before)
        told = self.job.audit("failed", entity=self.job.label(side, entry.entity), reason=entry.error)
        return Outcome(failure=entry, audit=[told])

    # -- create ----------------------------------------------------------------------------------------------

    async def _create(self, action: CreateAction) -> Outcome:
        job, to = self.job, action.to
        end, covered = job.ends[to], self.intents.cover(id(action))
        seen = end.clock()
        create, twin = await self._called(action, covered.marker if covered else None)
        end.heard(twin.modified)
        states = agreed_at_create(self.rules, create, twin)
        source_end = job.ends[to.other].link_end(
            action.source, seen=action.seen, touched=True, settled=not action.comments
        )
        ends = {to: end.link_end(twin, seen=seen, touched=False), to.other: source_end}
        link = Link(
            0, job.name, job.target.name, job.row.key, ends[Side.LEFT], ends[Side.RIGHT], states,
            mapping=job.version, born=to.other, checked=datetime.now(UTC),
        )  # fmt: skip
        job.report.counters.count("created", to)
        told = job.audit(
            "create",
            entity=job.label(to, twin.ref),
            after={n: encode(v) for n, v in create.fields.items()},
            reason=f"twin of {job.label(to.other, action.source.ref)}",
        )
        pair = Pair(link)
        pair.put(to, twin, seen)
        pair.put(to.other, action.source, action.seen)
        intents = [covered] if covered else []
        try:
            outcome = await self._back(pair, [told])
        except Exception:
            # The twin exists: whatever went wrong afterwards, it is linked and looked at again, never made again.
            self.recorder.add(Outcome(unsettled(pair.link), intents=intents, audit=[told]))
            raise
        outcome.intents = intents
        outcome.healed = [(to.other, action.source.ref)]
        if action.comments:
            self.talks.append(Talk(outcome, pair, {to.other: action.comments}, fresh=True))
        return outcome

    async def _called(self, action: CreateAction, marker: str | None) -> tuple[Create, Entity]:
        """Create; values that are refused by name are held, and the rest is created without them."""
        create, end = action.create, self.job.ends[action.to]
        made = self.made.pop(id(action), None)
        try:
            if isinstance(made, Exception):
                raise made
            return create, made or await end.writer.create(end.scope, end.type, create.fields, marker=marker)
        except Rejected as error:
            refused = {
                n for n in error.fields if n in create.fields and not self.rules.schemas[create.to].fields[n].required
            }
            if not refused:
                raise
            rows = {row.key: row for row in self.rules.rows if row.config.name(create.to) in refused}
            held = {
                key: replace(
                    ignored(row, create.to, row.value(create.to.other, create.source.fields), None, None),
                    code="rejected",
                    reason=error.fields[row.config.name(create.to) or ""],
                )
                for key, row in rows.items()
            }
            less = replace(
                create,
                fields={n: v for n, v in create.fields.items() if n not in refused},
                sent={k: v for k, v in create.sent.items() if k not in rows},
                held={**create.held, **held},
            )
            return less, await end.writer.create(end.scope, end.type, less.fields, marker=marker)

    async def _back(self, pair: Pair, audit: list[AuditEntry]) -> Outcome:
        """After a create: rows that only flow back, and fields that the create moved elsewhere, are settled at once."""
        if nothing_left(self.rules, pair.link.rows):
            return Outcome(pair.link, audit=audit)
        left, right = pair.entity(Side.LEFT), pair.entity(Side.RIGHT)
        assert left is not None
        assert right is not None
        twin = pair.link.born.other if pair.link.born else None
        plan = plan_pair(self.rules, left, right, pair.link.rows, self.job.users, restorable=twin)
        writes = any(decision.writes for decision in plan.decisions.values())
        new = {key: d.after for key, d in plan.decisions.items() if key not in pair.link.rows and not d.writes}
        if not writes or plan.halted:
            pair.link = replace(pair.link, rows={**pair.link.rows, **new})
            pair.link = replace(pair.link, state=state_of(pair.link, halted=False))
            return Outcome(pair.link, audit=audit)
        outcome = await carry_out(self.job, self.rules, pair, plan)
        outcome.audit = [*audit, *outcome.audit]
        return outcome

    # -- pairs -----------------------------------------------------------------------------------------------

    async def _adopt(self, action: AdoptAction) -> Outcome:
        job = self.job
        entities = {Side.LEFT: action.left, Side.RIGHT: action.right}
        ends = {
            side: job.ends[side].link_end(entity, seen=action.seen[side], touched=True, settled=False)
            for side, entity in entities.items()
        }
        link = Link(0, job.name, job.target.name, job.row.key, ends[Side.LEFT], ends[Side.RIGHT], mapping=job.version)
        pair = Pair(link, action.left, action.right, dict(action.comments), dict(action.seen))
        job.report.counters.count("adopted")
        outcome = await self._update(pair, action.plan)
        told = job.audit(
            "adopt",
            entity=job.label(Side.LEFT, action.left.ref),
            reason=action.reason,
            after=job.label(Side.RIGHT, action.right.ref),
        )
        outcome.audit = [told, *outcome.audit]
        outcome.healed = [(Side.LEFT, action.left.ref), (Side.RIGHT, action.right.ref)]
        return outcome

    async def _update(self, pair: Pair, plan: PairPlan, key: int | None = None) -> Outcome:
        """Carry out the decisions; when somebody was faster, read again and merge again."""
        intents = [covered] if (covered := self.intents.cover(key)) else []
        for _ in range(TRIES):
            if plan.fatal:
                told = "; ".join(f"{key}: {decision.detail}" for key, decision in plan.fatal.items())
                raise Rejected(f"the mapping says fail: {told}", ref=plan.left.ref)
            if plan.halted:
                return replace(await halt(self.job, self.rules, pair, plan), intents=intents)
            try:
                outcome = await carry_out(self.job, self.rules, pair, plan, settled=self.settled)
            except Changed:
                if self.settled:
                    raise
                found = await self._again(pair)
                if not found:
                    return Outcome(intents=intents)
                plan = plan_pair(self.rules, *found, pair.link.rows, self.job.users, adapt=self.job.adapt)
                if again := update_intent(self.job, pair, plan):
                    self.intents.record({key: again})
                    intents += [covered] if (covered := self.intents.cover(key)) else []
                continue
            outcome.intents = intents
            # The pair as it stands now, so that its comments meet the versions that were just written.
            if pair.comments and outcome.link is not None:
                self.talks.append(Talk(outcome, pair, dict(pair.comments), fresh=not pair.link.id))
            return outcome
        raise Changed("it changed again and again while it was being merged", ref=plan.left.ref)

    async def _again(self, pair: Pair) -> tuple[Entity, Entity] | None:
        for side, end in self.job.ends.items():
            clock = end.clock()
            ref = pair.link.end(side).ref
            pair.put(side, (await read(end, [ref]))[ref], clock)
        left, right = pair.entity(Side.LEFT), pair.entity(Side.RIGHT)
        return (left, right) if left is not None and right is not None else None

    def _touch(self, pair: Pair) -> Outcome:
        """Nothing differs: remember what was seen."""
        link = pair.link
        for side, end in self.job.ends.items():
            link = touched_end(end, pair, link, side)
        if pair.whole:
            link = replace(link, checked=datetime.now(UTC), agrees=True)
        pair.link = link
        outcome = Outcome(link, healed=[(side, link.end(side).ref) for side in Side])
        if pair.comments:
            self.talks.append(Talk(outcome, pair, dict(pair.comments)))
        return outcome


def _refused(error: EntityError) -> bool:
    """Whether the system certainly created nothing."""
    return isinstance(error, EntityError)


def _subject(action: Action) -> tuple[Side, Entity]:
    match action:
        case CreateAction():
            return action.to.other, action.source
        case AdoptAction():
            return Side.LEFT, action.left
        case UpdateAction():
            side = action.pair.link.born or Side.LEFT
            return side, action.plan.entity(side)
        case DeleteAction(pair=pair, gone=gone):
            entity = pair.entity(gone.other)
            assert entity is not None
            return gone.other, entity
    raise TypeError(type(action).__name__)


def _word(action: Action) -> str:
    return {CreateAction: "create", AdoptAction: "adopt", UpdateAction: "update", DeleteAction: "delete"}[type(action)]
