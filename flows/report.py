"""What a refresh was asked for, and what it did: the words of INTERFACE.md ("Report of a refresh")."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mappings.config import Side


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """The options of a refresh (SPEC A4). Two requests are merged only if their options are equal.

    `entities`: `left:ID` or `right:ID`. `full`: read everything again, find deletes too. `since`: changes since then.
    """

    targets: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    full: bool = False
    since: datetime | None = None
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        """JSON that `from_json` reads back."""
        return {
            "targets": list(self.targets),
            "entities": list(self.entities),
            "full": self.full,
            "since": self.since.astimezone(UTC).isoformat() if self.since else None,
            "dry_run": self.dry_run,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RefreshOptions:
        """Raises ValueError for a `since` that is no date."""
        since = datetime.fromisoformat(data["since"]) if data.get("since") else None
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        return cls(
            tuple(data.get("targets") or ()),
            tuple(data.get("entities") or ()),
            bool(data.get("full")),
            since,
            bool(data.get("dry_run")),
        )


_SIDED = ("created", "updated", "deleted", "comments", "attachments", "links", "requests")
_PLAIN = ("adopted", "halted", "held", "failed", "waiting")


@dataclass(slots=True)
class Counters:
    """The counters of one target. `left` means written on the left."""

    sided: dict[str, Counter[Side]] = field(default_factory=lambda: {name: Counter() for name in _SIDED})
    plain: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, side: Side | None = None, n: int = 1) -> None:
        """Count `n` of `name` (a key of the report), written on `side` where the key has sides."""
        if side is None:
            self.plain[name] += n
        else:
            self.sided[name][side] += n

    def skip(self, reason: str, n: int = 1) -> None:
        self.skipped[reason] += n

    def add(self, other: Counters) -> None:
        for name, counter in other.sided.items():
            self.sided[name] += counter
        self.plain += other.plain
        self.skipped += other.skipped

    @property
    def writes(self) -> int:
        """Everything written to a system."""
        return sum(sum(c.values()) for name, c in self.sided.items() if name != "requests")

    def as_json(self) -> dict[str, Any]:
        sided = {name: {str(side): counter[side] for side in Side} for name, counter in self.sided.items()}
        plain = {name: self.plain[name] for name in _PLAIN}
        return {**sided, **plain, "skipped": dict(sorted(self.skipped.items()))}


@dataclass(slots=True)
class TargetReport:
    """One target's part. `error` says why the target as a whole could not be refreshed."""

    name: str
    counters: Counters = field(default_factory=Counters)
    error: str | None = None
    unreachable: bool = False

    def as_json(self) -> dict[str, Any]:
        told = {"error": self.error, "unreachable": self.unreachable}
        return {"name": self.name, **self.counters.as_json(), **told}


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One row of the plan. `action` and `reason` are published words (docs/words.md)."""

    action: str
    side: str
    entity: str
    fields: dict[str, Any]
    reason: str
    target: str = ""
    url: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "side": self.side,
            "entity": self.entity,
            "fields": self.fields,
            "reason": self.reason,
            "target": self.target,
            "url": self.url,
        }


@dataclass(slots=True)
class Report:
    """What one refresh did."""

    connector: str
    run: str
    started: datetime
    outcome: str = "done"
    seconds: float = 0.0
    mapping: str = ""
    values: str = ""
    dry_run: bool = False
    targets: list[TargetReport] = field(default_factory=list)
    plan: list[PlanRow] = field(default_factory=list)
    message: str = ""

    @property
    def total(self) -> Counters:
        total = Counters()
        for target in self.targets:
            total.add(target.counters)
        return total

    def as_json(self) -> dict[str, Any]:
        return {
            "connector": self.connector,
            "run": self.run,
            "outcome": self.outcome,
            "started": self.started.astimezone(UTC).isoformat(),
            "seconds": round(self.seconds, 3),
            "mapping": self.mapping,
            "values": self.values,
            "dry_run": self.dry_run,
            "message": self.message,
            **self.total.as_json(),
            "targets": [target.as_json() for target in self.targets],
        }
