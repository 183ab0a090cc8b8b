"""From the configuration to jobs: one for every row of `entities` of a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flows.guard import Writer
from flows.job import End, Job
from flows.report import RefreshOptions, TargetReport
from flows.runtime import Runtime
from flows.tables import FieldTable
from ledger.model import AuditEntry, Lease
from mappings.config import EntityRow, Side, Target, permitted
from mappings.load import ConnectorEntry
from mappings.services import permitted_by_service
from mappings.translate import Directory


def jobs_of(
    runtime: Runtime,
    entry: ConnectorEntry,
    target: Target,
    options: RefreshOptions,
    report: TargetReport,
    run: str,
    lease: Lease | None,
    table: FieldTable,
    progress: Callable[[str, int], None] | None = None,
) -> Iterator[Job]:
    """The jobs of one target, in the order of its rows: the first row that matches an entity wins (rule 8).

    `table` answers the value table of a field row, as in force for this refresh.
    """
    sides = permitted(entry.config, target, permitted_by_service(entry.config.service))
    directories = {side: Directory() for side in Side}
    for row in entry.config.entities:
        ends = {side: _end(runtime, entry, target, row, side, sides, directories[side], run) for side in Side}
        open_failures = runtime.ledger.failures(entry.name, state="open")
        yield Job(
            entry.config,
            target,
            row,
            ends,
            sides,
            runtime.ledger,
            lease,
            options,
            report,
            run,
            runtime.stopping.is_set,
            table,
            progress=progress or (lambda _what, _n: None),
            failures={(failure.side, failure.entity): failure for failure in open_failures},
        )


def _end(
    runtime: Runtime,
    entry: ConnectorEntry,
    target: Target,
    row: EntityRow,
    side: Side,
    sides: frozenset[Side],
    users: Directory,
    run: str,
) -> End:
    system = runtime.end(entry, side)

    def refused(what: str) -> None:
        told = AuditEntry.now(
            "refused", entry.name, run, reason=f"permitted synchronization: {what} on the {side} side"
        )
        with runtime.ledger.begin() as tx:
            tx.audit([told])

    return End(
        side,
        system.connector,
        system.config.identity(),
        target.scope(side),
        row.type(side),
        system.config.timeout,
        users,
        Writer(system.connector, side, sides, refused),
    )
