"""One refresh of one integration connector: lease, targets, entity rows, the four stages for each batch.

Rule of this file: a refresh is fetch -> map -> filter -> write, batch by batch, and every batch is recorded before its
cursor moves. Two refreshes of one connector never overlap: the lease sees to it, whoever starts them.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from connectors.errors import ConfigurationError, ConnectorError, Unavailable
from flows import examine
from flows.actions import Action, Batch
from flows.feeds import Feeds
from flows.fetch import look, next_batch, read
from flows.filters import filter_actions, fuse
from flows.job import Job
from flows.jobs import jobs_of
from flows.mapping import Settlement, plan_batch
from flows.planned import plan_rows
from flows.recover import pause, recover
from flows.report import PlanRow, RefreshOptions, Report, TargetReport
from flows.runtime import Runtime
from flows.tables import InForce, tables_in_force
from flows.write import Stopping, write_actions
from ledger.errors import LeaseLost, LedgerError, LedgerUnavailable
from ledger.lease import this_owner
from ledger.model import AuditEntry, Cursor, Feed, Lease, LinkState
from mappings.config import Side
from mappings.load import ConnectorEntry

LEASE_SECONDS = 60.0
"""How long a lease lasts at least; renewed four times as often. No call is begun that could outlast it."""
RUNS_KEPT = 500
"""Reports of a connector that the ledger keeps."""
T = TypeVar("T")
log = logging.getLogger("syncline")


class Step(Protocol):
    """Runs one stage of one batch. Prefect's runs it as a task of that name; `plain` just runs it."""

    async def __call__(self, name: str, work: Callable[[], Awaitable[T]], /) -> T: ...


async def plain(_name: str, work: Callable[[], Awaitable[T]]) -> T:
    """A stage without Prefect (`--local`)."""
    return await work()


Progress = Callable[[str, int], None]


async def refresh_connector(
    runtime: Runtime,
    name: str,
    options: RefreshOptions,
    *,
    step: Step = plain,
    run_id: str | None = None,
    requested: bool = True,
    progress: Progress | None = None,
    settle: Settlement | None = None,
    retry: bool = False,
) -> Report:
    """Refresh one connector and answer the report.

    `requested`: somebody asked for it; if another refresh runs, the request stays and is served by that one (SPEC A3).
    `settle`: a steward's choice for the one entity of `options`; `retry`: held values are tried again.
    Raises ConfigurationError for an unknown name or a configuration with errors, LeaseLost if the lease is taken away.
    """
    entry = runtime.entry(name)
    report = Report(name, run_id or str(uuid.uuid4()), datetime.now(UTC), dry_run=options.dry_run)
    if options.dry_run:
        await _round(runtime, entry, options, report, None, step, progress, settle, retry)
        return report
    if entry.config.was:
        with runtime.ledger.begin() as tx:
            tx.rename_connector(entry.config.was, name)
    seconds = max([LEASE_SECONDS, *(2 * runtime.end(entry, side).config.timeout + 30 for side in Side)])
    lease = runtime.ledger.acquire(name, this_owner(), seconds)
    if lease is None:
        return _busy(runtime, report, options, requested=requested and settle is None)
    async with _kept(runtime, lease, seconds) as keep:
        await _round(runtime, entry, options, report, keep, step, progress, settle, retry)
        while (asked := runtime.ledger.requests(name)) and not runtime.stopping.is_set() and report.outcome == "done":
            with runtime.ledger.begin(keep.lease) as tx:
                tx.take_requests([request.id for request in asked])
            for request in asked:
                again = RefreshOptions.from_json(dict(request.options))
                await _round(runtime, entry, again, report, keep, step, progress, None, False)
    return report


def _busy(runtime: Runtime, report: Report, options: RefreshOptions, *, requested: bool) -> Report:
    """Another refresh of this connector runs."""
    report.outcome, report.message = "skipped", "refresh in progress"
    if requested:
        with runtime.ledger.begin() as tx:
            tx.add_request(report.connector, options.as_json(), "request")
        report.outcome = "coalesced"
        report.message = "refresh in progress: it goes round once more for this request"
    return report


class Keep:
    """The lease of a running refresh, renewed while it runs."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease


@asynccontextmanager
async def _kept(runtime: Runtime, lease: Lease, seconds: float) -> AsyncIterator[Keep]:
    keep = Keep(lease)

    async def renew() -> None:
        while True:
            await asyncio.sleep(seconds / 4)
            with suppress(LedgerUnavailable):  # until the lease is over there is time to try again
                keep.lease = runtime.ledger.renew(keep.lease, seconds)

    task = asyncio.create_task(renew())
    try:
        yield keep
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, LeaseLost):
            await task
        with suppress(LeaseLost):
            runtime.ledger.release(keep.lease)


# -- one round ----------------------------------------------------------------------------------------------------


async def _round(
    runtime: Runtime,
    entry: ConnectorEntry,
    options: RefreshOptions,
    report: Report,
    keep: Keep | None,
    step: Step,
    progress: Progress | None,
    settle: Settlement | None,
    retry: bool,
) -> None:
    """Refresh every target once; one that fails never stops the others."""
    began = time.monotonic()
    lease = keep.lease if keep else None
    _state(runtime, lease, entry.name, "REFRESHING", "")
    unknown = set(options.targets) - {target.name for target in entry.config.each_target()}
    if unknown:
        raise ConfigurationError(f"{entry.name} has no target {', '.join(sorted(unknown))}")
    values: InForce | None = None
    for target in entry.config.each_target():
        if not target.active or (options.targets and target.name not in options.targets):
            continue
        told = next((t for t in report.targets if t.name == target.name), None)
        if told is None:
            told = TargetReport(target.name)
            report.targets.append(told)
        try:
            if values is None:
                values = await asyncio.to_thread(tables_in_force, runtime, entry, record=lease is not None)
            report.values = values.version
            for job in jobs_of(runtime, entry, target, options, told, report.run, lease, values.table, progress):
                report.mapping = job.version
                await _Refresh(job, step, settle, retry).run()
                report.plan += job.plan
        except Stopping:
            report.message = "stopped: the rest is left for the next refresh"
            break
        except LedgerError:
            raise
        except ConnectorError as error:
            told.error, told.unreachable = str(error), isinstance(error, Unavailable)
        except Exception as error:  # a connector of somebody else may raise anything: the other targets go on
            log.debug("%s: target %s", entry.name, target.name, exc_info=True)
            told.error = f"{type(error).__name__}: {error}. This is a mistake in a connector, or in Syncline."
        _standing(runtime, entry.name, told)
    report.message = report.message or (values.told if values else "")
    report.seconds += time.monotonic() - began
    failed = [target for target in report.targets if target.error]
    if failed:
        report.outcome, report.message = "failed", "; ".join(f"{t.name}: {t.error}" for t in failed)
    _record(runtime, lease, report, "FAILED" if failed else "WAITING")


def _standing(runtime: Runtime, name: str, told: TargetReport) -> None:
    """How things stand after the refresh: halted, held, failed and waiting count what there is, not what is new."""
    plain = told.counters.plain
    for word, state in (("halted", LinkState.HALTED), ("held", LinkState.HELD)):
        plain[word] = max(plain[word], runtime.ledger.count_links(name, told.name, state=state))
    plain["failed"] = sum(f.target == told.name for f in runtime.ledger.failures(name, state="open"))
    plain["waiting"] = sum(i.target == told.name for i in runtime.ledger.intents(name))


def _state(runtime: Runtime, lease: Lease | None, name: str, state: str, message: str) -> None:
    if lease is not None:
        with runtime.ledger.begin(lease) as tx:
            tx.save_state(name, state=state, message=message)


def _record(runtime: Runtime, lease: Lease | None, report: Report, state: str) -> None:
    """Keep the report, and what the refresh means for the connector's state."""
    if lease is None:
        return
    now = datetime.now(UTC)
    with runtime.ledger.begin(lease) as tx:
        tx.save_run(report.run, report.as_json(), [row.as_json() for row in report.plan])
        if now.microsecond % 20 == 0:  # now and then is enough
            tx.prune_runs(report.connector, RUNS_KEPT)
        tx.save_state(report.connector, state=state, message=report.message, last_refresh=now)
        for target in report.targets:
            word = "FAILED" if target.error else "WAITING"
            tx.save_state(
                report.connector, target=target.name, state=word, message=target.error or "", last_refresh=now
            )
        if report.total.writes or report.outcome != "done":
            told = {key: value for key, value in report.as_json().items() if key != "targets"}
            tx.audit([AuditEntry(now, "syncline", "refresh", report.connector, report.run, after=told,
                                 reason=report.outcome)])  # fmt: skip


# -- one target and one row of entities -----------------------------------------------------------------------------


class _Refresh:
    """The stages for one job."""

    def __init__(self, job: Job, step: Step, settle: Settlement | None, retry: bool) -> None:
        self.job, self.step, self.settle = job, step, settle
        self.retry = retry or job.options.full
        self.began = datetime.now(UTC)

    async def run(self) -> None:
        before = self.job.requests()
        try:
            await self._run()
        finally:
            for side, count in self.job.requests().items():
                self.job.report.counters.count("requests", side, count - before[side])

    async def _run(self) -> None:
        job = self.job
        waiting = await self._recover()
        if job.options.entities:
            await self._asked()
        else:
            await self._changes()
            await self._failures()
            if job.options.full:
                async for batch in examine.full(job, self.began):
                    await self._work(batch)
            else:
                await self._scrub()
            await self._remapped()
        while waiting and not job.stopping():
            await asyncio.sleep(min(pause(waiting) + 0.05, 1.0))
            waiting = await self._recover()
            await self._failures()
        deletes: list[Action] = list(fuse(job, job.deletes))
        if deletes:
            await self._write(deletes)
            await self._failures()

    async def _changes(self) -> None:
        """What changed on both sides since the cursors."""
        feeds = Feeds(self.job)
        try:
            while (batch := await self.step("fetch", lambda: next_batch(self.job, feeds))) is not None:
                await self._work(batch)
            self._save(feeds.cursors())
        finally:
            await feeds.close()

    async def _work(self, batch: Batch) -> None:
        """map -> filter -> write for one batch."""
        if batch.nothing:
            self._save(batch.cursors)
            return
        job = self.job
        planned = await self.step("map", lambda: plan_batch(job, batch, retry=self.retry, settle=self.settle))
        kept = await self.step("filter", lambda: filter_actions(job, planned))
        await self._write(kept, batch.cursors)

    async def _write(self, actions: Sequence[Action], cursors: Sequence[tuple[Feed, Cursor]] = ()) -> None:
        job = self.job
        rows = [row for action in actions for row in plan_rows(job.target.name, action)]
        job.plan_rows(rows)
        if job.lease is None:
            self._forecast(rows)
            return
        await self.step("write", lambda: write_actions(job, actions, cursors, settled=self.settle is not None))
        job.progress("written", len(actions))

    def _forecast(self, rows: Sequence[PlanRow]) -> None:
        """A dry run counts what it would do."""
        counters = self.job.report.counters
        for row in rows:
            match row.action:
                case "create":
                    counters.count("created", Side(row.side))
                case "update":
                    counters.count("updated", Side(row.side))
                case "adopt":
                    counters.count("adopted")
                case "halt":
                    counters.count("halted")
                case "wait":
                    counters.count("held")
                case "delete" | "archive" | "mark":
                    counters.count("deleted", Side(row.side))

    def _save(self, cursors: Sequence[tuple[Feed, Cursor]]) -> None:
        if self.job.lease is not None and cursors:
            with self.job.ledger.begin(self.job.lease) as tx:
                for feed, cursor in cursors:
                    tx.save_cursor(feed, cursor)

    async def _recover(self) -> list[Any]:
        """Settle what an earlier refresh left open; answers what must still wait."""
        if self.job.lease is None:
            return []
        intents = self.job.ledger.intents(self.job.name)
        return list(await recover(self.job, intents)) if intents else []

    async def _look(self, refs: Sequence[tuple[Side, Any]]) -> None:
        job = self.job
        entities: dict[Side, list[Any]] = {}
        for side, end in job.ends.items():
            found = await read(end, [ref for s, ref in refs if s is side])
            entities[side] = [entity for entity in found.values() if hasattr(entity, "fields")]
        waiting = {(i.side.other, i.source) for i in job.ledger.intents(job.name)} if job.lease else set()
        for side in Side:
            entities[side] = [e for e in entities[side] if (side, e.ref) not in waiting]
        batch = await self.step("fetch", lambda: look(job, entities, every=True))
        await self._work(batch)

    async def _asked(self) -> None:
        """The entities that the options name, as `left:ID` or `right:ID`."""
        job = self.job
        refs = []
        for asked in job.options.entities:
            side, _, id = asked.partition(":")
            if side not in ("left", "right") or not id:
                raise ConfigurationError(f"{asked!r} names no entity", remedy="Write left:ID or right:ID.")
            refs.append((Side(side), job.ends[Side(side)].ref(id)))
        await self._look(refs)

    async def _failures(self) -> None:
        """Entities that failed before, or were interrupted, and whose pause is over."""
        job, now = self.job, datetime.now(UTC)
        due = [f for f in job.failures.values() if f.next is not None and f.next <= now]
        mine = [f for f in due if (f.target, f.row) == (job.target.name, job.row.key)]
        if not mine or job.lease is None:
            return
        await self._look([(f.side, f.entity) for f in mine])
        # Neither failed again nor was anything done: it is gone, or takes no part any more.
        over = [f for f in mine if job.failures.get((f.side, f.entity)) is f and not job.stopping()]
        if over:
            with job.ledger.begin(job.lease) as tx:
                tx.close_failures(job.name, ids=[f.id for f in over], state="done")
            for f in over:
                del job.failures[f.side, f.entity]

    async def _scrub(self) -> None:
        links, cursors = examine.due_for_scrub(self.job)
        for i in range(0, len(links), examine.SLICE):
            part = links[i : i + examine.SLICE]
            await self._work(await self.step("fetch", partial(examine.compare, self.job, part)))
            examine.looked_at(self.job, part)
        self._save(cursors)

    async def _remapped(self) -> None:
        """The mapping changed: the pairs that it affects are merged again (SPEC B20)."""
        job = self.job
        if job.adapt == "ask":
            waiting = len(examine.outdated(job))
            if job.lease is not None and not job.ledger.count_links(job.name, job.target.name):
                with job.ledger.begin(job.lease) as tx:
                    tx.save_mapping_version(job.name, job.version, job.fingerprints)
            elif waiting:
                job.report.counters.skip("mapping_unconfirmed", waiting)
            return
        async for batch in examine.remapped(self.job):
            await self._work(batch)
