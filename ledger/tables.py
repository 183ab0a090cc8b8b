"""The tables of the ledger.

Rule of this file: it is the schema that `migrations/` leads to, and nothing else (a test compares them).
Connector names, targets and row keys are plain text: the configuration owns them, the ledger only remembers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, UniqueConstraint, text

from ledger.columns import Id, Moment, Words, json_column

HEAD = "0002"
"""The revision that these tables are. A ledger at this revision opens without Alembic being loaded."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[Any]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _words(name: str, *, primary_key: bool = False) -> Column[Any]:
    return Column(name, Words, nullable=False, primary_key=primary_key)


def _maybe(name: str) -> Column[Any]:
    return Column(name, Words)


def _at(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, Moment, nullable=nullable)


def _json(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, json_column(), nullable=nullable)


def _end(side: str) -> list[Column[Any]]:
    """The columns of one `End`."""
    return [
        *(_words(f"{side}_{name}") for name in ("system", "ident", "scope", "type", "id")),
        *(_maybe(f"{side}_{name}") for name in ("url", "key")),
        _words(f"{side}_version"),
        _at(f"{side}_modified"),
        _at(f"{side}_seen"),
        Column(f"{side}_touched", Boolean, nullable=False),
    ]


links = Table(
    "links",
    metadata,
    _id(),
    *(_words(name) for name in ("connector", "target", "entity_row")),
    *_end("left"),
    *_end("right"),
    _json("rows", nullable=False),
    _words("state"),
    _words("mapping"),
    _maybe("born"),
    _at("checked"),
    Column("agrees", Boolean, nullable=False),
    # The ident stands first, so that one index serves "this connector's" and "any connector's" links of an entity.
    UniqueConstraint("left_ident", "connector", "left_system", name="uq_links_left"),
    UniqueConstraint("right_ident", "connector", "right_system", name="uq_links_right"),
    Index("ix_links_page", "connector", "id"),
    Index("ix_links_due", "connector", "target", "checked"),
    Index("ix_links_outdated", "connector", "target", "entity_row", "mapping"),
    Index("ix_links_state", "connector", "state", "target"),
    sqlite_autoincrement=True,
)

comment_links = Table(
    "comment_links",
    metadata,
    Column("link", Id, ForeignKey("links.id"), primary_key=True),
    _words("left_id", primary_key=True),
    *(_words(name) for name in ("right_id", "left_hash", "right_hash", "born", "author")),
    _at("created"),
    UniqueConstraint("link", "right_id", name="uq_comment_links_right"),
)

intents = Table(
    "intents",
    metadata,
    _id(),
    *(_words(name) for name in ("connector", "target", "entity_row", "kind", "side")),
    _json("source"),
    Column("link", Id),
    _words("marker"),
    _json("payload", nullable=False),
    _at("at", nullable=False),
    _at("expires", nullable=False),
    Index("ix_intents_connector", "connector"),
    sqlite_autoincrement=True,
)

cursors = Table(
    "cursors",
    metadata,
    *(_words(name, primary_key=True) for name in ("connector", "target", "entity_row", "side", "feed")),
    _words("fingerprint"),
    _at("since"),
    _at("scanned"),
)

polling_starts = Table(
    "polling_starts",
    metadata,
    *(_words(name, primary_key=True) for name in ("connector", "target", "entity_row", "side")),
    _at("moment"),
)

mapping_versions = Table(
    "mapping_versions",
    metadata,
    *(_words(name, primary_key=True) for name in ("connector", "version")),
    _json("fingerprints", nullable=False),
)

value_versions = Table(
    "value_versions",
    metadata,
    _words("connector", primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _at("at", nullable=False),
    *(_words(name) for name in ("who", "origin", "file_name", "file_hash")),
    Column("copy_of", Integer),
    _json("tables", nullable=False),
    Column("file", LargeBinary, nullable=False),
)

conflicts = Table(
    "conflicts",
    metadata,
    _id(),
    _words("connector"),
    Column("link", Id, nullable=False),
    _words("field"),
    *(_json(name) for name in ("base_left", "base_right", "left_value", "right_value")),
    *(_words(name) for name in ("left_version", "right_version", "by_left", "by_right")),
    _at("at"),
    _words("state"),
    Index("ix_conflicts_state", "connector", "state"),
    Index("ix_conflicts_link", "link"),
    sqlite_autoincrement=True,
)
Index(
    "uq_conflicts_open",
    conflicts.c.link,
    conflicts.c.field,
    unique=True,
    sqlite_where=text("state = 'open'"),
    postgresql_where=text("state = 'open'"),
)

failures = Table(
    "failures",
    metadata,
    _id(),
    *(_words(name) for name in ("connector", "target", "entity_row", "side")),
    *(_words(name) for name in ("entity_scope", "entity_type", "entity_id")),
    *(_words(name) for name in ("action", "error")),
    Column("attempts", Integer, nullable=False),
    _at("at", nullable=False),
    _at("next"),
    _words("state"),
    _maybe("url"),
    Index("ix_failures_state", "connector", "state"),
    sqlite_autoincrement=True,
)
Index(
    "uq_failures_open",
    *(failures.c[name] for name in ("connector", "target", "side", "entity_type", "entity_id")),
    unique=True,
    sqlite_where=text("state = 'open'"),
    postgresql_where=text("state = 'open'"),
)

requests = Table(
    "requests",
    metadata,
    _id(),
    _words("connector"),
    _json("options", nullable=False),
    _words("options_key"),
    _at("at", nullable=False),
    _words("requested_by"),
    UniqueConstraint("connector", "options_key", name="uq_requests_options"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    _words("connector", primary_key=True),
    Column("epoch", Integer, nullable=False),
    _words("owner"),
    _at("until", nullable=False),
)

states = Table(
    "states",
    metadata,
    # The connector's own state has the empty target.
    *(_words(name, primary_key=True) for name in ("connector", "target")),
    Column("active", Boolean),
    *(_words(name) for name in ("state", "message")),
    *(_at(name) for name in ("since", "last_refresh", "next_refresh")),
    Column("attempts", Integer, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    _words("id", primary_key=True),
    _words("connector"),
    _at("started", nullable=False),
    _json("report", nullable=False),
    _json("plan", nullable=False),
    Index("ix_runs_started", "started"),
    Index("ix_runs_connector", "connector", "started"),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    _at("at", nullable=False),
    *(_words(name) for name in ("who", "what", "connector", "run", "entity", "field")),
    _json("before"),
    _json("after"),
    _words("reason"),
    Index("ix_audit_connector", "connector", "id"),
    Index("ix_audit_entity", "entity", "id"),
    Index("ix_audit_run", "run", "id"),
    sqlite_autoincrement=True,
)

RENAMED = (links, intents, conflicts, failures, runs)
REPLACED = (cursors, polling_starts, mapping_versions, value_versions, states)
"""What moves along when a connector is renamed; REPLACED has one row (or history) per name and gives way to the older.
The audit log keeps the name of its day; leases and requests are made anew."""
