"""What is told to people: the audit log, the reports of the runs, the state of each connector.

Rule of this file: the audit log only grows. The database itself refuses to change or delete a line of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select

from ledger import codec, tables
from ledger.access import Reader, Writer
from ledger.codec import Columns
from ledger.model import AuditEntry, ConnectorState, TargetState

_audit = tables.audit.c
_runs = tables.runs.c
_states = tables.states.c


class AuditReader(Reader):
    """Apart from the others, because `audit` of a transaction appends."""

    def audit(
        self,
        connector: str | None = None,
        *,
        entity: str | None = None,
        run: str | None = None,
        what: str | None = None,
        after: int = 0,
        limit: int | None = 1000,
        newest: bool = False,
    ) -> list[AuditEntry]:
        """Lines of the audit log, oldest first; page with `after`, the last id seen.

        `newest`: the last `limit` lines instead of the first.
        """
        given = ((_audit.connector, connector), (_audit.entity, entity), (_audit.run, run), (_audit.what, what))
        where = [column == value for column, value in given if value is not None]
        statement = select(tables.audit).where(*where, _audit.id > after).limit(limit)
        rows = self._all(statement.order_by(_audit.id.desc() if newest else _audit.id))
        return [codec.audit_from(row) for row in (reversed(rows) if newest else rows)]


class JournalReader(Reader):
    def runs(self, connector: str | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
        """The reports of the last refreshes, newest first, without their plans."""
        statement = select(_runs.report).order_by(_runs.started.desc(), _runs.id).limit(limit)
        if connector is not None:
            statement = statement.where(_runs.connector == connector)
        return [row.report for row in self._all(statement)]

    def run(self, id: str) -> dict[str, Any] | None:
        """The report of one refresh, its plan rows under `plan`."""
        row = self._first(select(tables.runs).where(_runs.id == id))
        return {**row.report, "plan": row.plan} if row else None

    def states(self) -> dict[str, ConnectorState]:
        """How every connector that ever said so is doing, with its targets."""
        own: dict[str, dict[str, Any]] = {}
        targets: dict[str, dict[str, TargetState]] = {}
        for row in self._all(select(tables.states).order_by(_states.connector, _states.target)):
            told = {"state": row.state, "message": row.message, "since": row.since, "last_refresh": row.last_refresh}
            if row.target:
                targets.setdefault(row.connector, {})[row.target] = TargetState(**told)
            else:
                more = {"active": row.active, "next_refresh": row.next_refresh, "attempts": row.attempts}
                own[row.connector] = {**told, **more}
        return {
            name: ConnectorState(name, **own.get(name, {}), targets=targets.get(name, {}))
            for name in sorted({*own, *targets})
        }


class JournalWriter(JournalReader, Writer):
    def audit(self, entries: Sequence[AuditEntry]) -> None:
        """Append lines to the audit log."""
        if entries:
            self._connection.execute(insert(tables.audit), [codec.audit_row(entry) for entry in entries])

    def save_run(self, id: str, report: Mapping[str, Any], plan: Sequence[Mapping[str, Any]] = ()) -> None:
        """Keep the report of a refresh: the JSON of INTERFACE.md, with `connector` and `started` (ISO 8601)."""
        row = {
            "id": id,
            "connector": report["connector"],
            "started": datetime.fromisoformat(report["started"]),
            "report": dict(report),
            "plan": [dict(plan_row) for plan_row in plan],
        }
        self._put(tables.runs, [row])

    def prune_runs(self, connector: str, keep: int) -> int:
        """Forget all reports of a connector but its last `keep`, and say how many. The audit log stays whole."""
        oldest = select(_runs.started).where(_runs.connector == connector).order_by(_runs.started.desc())
        row = self._first(oldest.offset(keep).limit(1))
        if row is None:
            return 0
        return self._run(delete(tables.runs).where(_runs.connector == connector, _runs.started <= row.started))

    def save_state(
        self,
        connector: str,
        *,
        target: str | None = None,
        state: str | None = None,
        message: str | None = None,
        last_refresh: datetime | None = None,
        next_refresh: datetime | None = None,
        attempts: int | None = None,
    ) -> None:
        """Remember how a connector (or one target of it) is doing. What is not given stays as it was.

        `since` moves only when `state` becomes another word.
        """
        given = {
            "state": state,
            "message": message,
            "last_refresh": last_refresh,
            "next_refresh": next_refresh,
            "attempts": attempts,
        }
        self._change(connector, target or "", {key: value for key, value in given.items() if value is not None})

    def set_active(self, connector: str, active: bool | None) -> None:
        """The operator's word: activated, deactivated, or (None) as configured."""
        self._change(connector, "", {"active": active})

    def _change(self, connector: str, target: str, changes: Columns) -> None:
        where = (_states.connector == connector, _states.target == target)
        row = self._first(select(tables.states).where(*where).with_for_update())
        before = row._asdict() if row else {**_INITIAL, "connector": connector, "target": target}
        after = {**before, **changes}
        if row is None or after["state"] != before["state"]:
            after["since"] = datetime.now(UTC)
        self._put(tables.states, [after])


_INITIAL: Columns = {
    "active": None,
    "state": "INITIALIZED",
    "message": "",
    "since": None,
    "last_refresh": None,
    "next_refresh": None,
    "attempts": 0,
}
