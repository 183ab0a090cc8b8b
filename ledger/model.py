"""What the ledger remembers, as values. No SQL here; `store.py` keeps them.

`RowState` and `PairState` belong to the merge (mappings/merge.py): what both sides of one linked pair last agreed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from connectors.entity import EntityRef, Value
from mappings.config import Side
from mappings.merge import RowState


class LinkState(StrEnum):
    """The words of `links[].state` (INTERFACE.md)."""

    AGREED = "agreed"
    HELD = "held"
    HALTED = "halted"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link.

    `system` is the system's identity; `ident` is what is unique in it: the id, or `type/id` where ids are unique per
    type only. `version`/`modified` are as last seen, `seen` is the system's clock at that read;
    `touched`: somebody else than us has written to it since we created it (or we did not create it).
    """

    system: str
    ident: str
    ref: EntityRef
    url: str | None = None
    key: str | None = None
    version: str = ""
    modified: datetime | None = None
    seen: datetime | None = None
    touched: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """Which left entity is which right entity, and per field row what both last agreed on.

    `id` is 0 before it is stored. `row` is the key of its entity row, `mapping` the version of the mapping that it was
    last merged under. `born` is the side it came from (None: both existed, it was adopted). `checked`: when both sides
    were last compared whole; `agrees`: what that comparison said.
    """

    id: int
    connector: str
    target: str
    row: str
    left: End
    right: End
    rows: Mapping[str, RowState] = field(default_factory=dict)
    state: LinkState = LinkState.AGREED
    mapping: str = ""
    born: Side | None = None
    checked: datetime | None = None
    agrees: bool = True

    def end(self, side: Side) -> End:
        return self.left if side is Side.LEFT else self.right


@dataclass(frozen=True, slots=True)
class CommentLink:
    """Which comment is which: ids on both sides, a hash of each side's text as last agreed, author and time."""

    link: int
    left: str
    right: str
    left_hash: str
    right_hash: str
    born: Side
    author: str = ""
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be written, recorded before the call (SPEC D4). `payload` is JSON: the values that are sent.

    `kind`: create, update, delete, comment, edit_comment, delete_comment. `expires`: when the call can no longer be
    under way at the system (request time-out + search lag); only then may *absent* be concluded.
    """

    id: int
    connector: str
    target: str
    row: str
    kind: str
    side: Side
    source: EntityRef | None
    link: int | None
    marker: str
    payload: Mapping[str, Any]
    at: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """Names one cursor: what is polled. `fingerprint` is of scope, query and criteria: a new one scans again."""

    connector: str
    target: str
    row: str
    side: Side
    feed: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a feed stands. `since`: poll from here (None: from the start); `known`: ids already handled at the edge."""

    since: datetime | None = None
    scanned: datetime | None = None


@dataclass(frozen=True, slots=True)
class ValueVersion:
    """One version of a connector's value tables (SPEC C4); the last one is in force.

    `origin`: disk, upload or rollback; then `copy_of` is the version that was taken back. `version` is 0 before it is
    stored. `tables` is JSON: what was read of each table; empty where only the list was asked for.
    """

    connector: str
    version: int
    at: datetime
    who: str
    origin: str
    file_name: str
    file_hash: str
    copy_of: int | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field of a linked pair that both sides changed differently (SPEC A7). `state`: open, resolved, agreed."""

    id: int
    connector: str
    link: int
    field: str
    base_left: Value
    base_right: Value
    left: Value
    right: Value
    left_version: str
    right_version: str
    by_left: str = ""
    by_right: str = ""
    at: datetime | None = None
    state: str = "open"


@dataclass(frozen=True, slots=True)
class Failure:
    """An entity that failed alone (SPEC D6). `state`: open, ignored, done. `next`: when it is tried again by itself."""

    id: int
    connector: str
    target: str
    row: str
    side: Side
    entity: EntityRef
    action: str
    error: str
    attempts: int
    at: datetime
    next: datetime | None
    state: str = "open"
    url: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """A request to refresh (SPEC A3): kept as a row, merged with another only if the options are equal."""

    id: int
    connector: str
    options: Mapping[str, Any]
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to refresh one connector. Every transaction checks `epoch`: who lost the lease writes nothing."""

    connector: str
    epoch: int
    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the append-only audit log (SPEC A19). Values are JSON. `id` is 0 before it is stored."""

    at: datetime
    who: str
    what: str
    connector: str = ""
    run: str = ""
    entity: str = ""
    field: str = ""
    before: Any = None
    after: Any = None
    reason: str = ""
    id: int = 0

    @classmethod
    def now(cls, what: str, connector: str = "", run: str = "", *, who: str = "syncline", **more: Any) -> AuditEntry:
        """A line about something that just happened."""
        return cls(datetime.now(UTC), who, what, connector, run, **more)


@dataclass(frozen=True, slots=True)
class TargetState:
    """How one target of a connector is doing (SPEC A15). `since`: when `state` became what it is."""

    state: str = "INITIALIZED"
    message: str = ""
    since: datetime | None = None
    last_refresh: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """How a connector is doing (SPEC A15), and what its operator said.

    `active`: the operator's word (activate, deactivate); None = as configured. `attempts`: failed refreshes in a row,
    from which the growing pauses are reckoned. `next_refresh`: when it is tried again by itself.
    """

    name: str
    active: bool | None = None
    state: str = "INITIALIZED"
    message: str = ""
    since: datetime | None = None
    last_refresh: datetime | None = None
    next_refresh: datetime | None = None
    attempts: int = 0
    targets: Mapping[str, TargetState] = field(default_factory=dict)
