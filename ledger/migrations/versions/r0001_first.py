"""The first schema.

Written out, not made from `tables.py`: that file is the newest schema, this one stays as it was released.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = {
    "sqlite": [
        f"""CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"""
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        """CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
        """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        EXECUTE FUNCTION refuse_audit_change()""",
    ],
}
_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    _links()
    _under_way()
    _inbox()
    _leases_and_states()
    _journal()


def _id() -> sa.Column[Any]:
    return sa.Column("id", _id_type(), primary_key=True, autoincrement=True)


def _id_type() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _words(*names: str, null: bool = False, key: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=null, primary_key=key) for name in names]


def _at(*names: str, null: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=null) for name in names]


def _json(*names: str, null: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.JSON(), nullable=null) for name in names]


def _truth(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=null)


def _end(side: str) -> list[sa.Column[Any]]:
    return [
        *_words(*(f"{side}_{name}" for name in ("system", "ident", "scope", "type", "id"))),
        *_words(f"{side}_url", f"{side}_key", null=True),
        *_words(f"{side}_version"),
        *_at(f"{side}_modified", f"{side}_seen"),
        _truth(f"{side}_touched"),
    ]


def _links() -> None:
    op.create_table(
        "links",
        _id(),
        *_words("connector", "target", "entity_row"),
        *_end("left"),
        *_end("right"),
        *_json("rows", null=False),
        *_words("state", "mapping"),
        *_words("born", null=True),
        *_at("checked"),
        _truth("agrees"),
        sa.UniqueConstraint("left_ident", "connector", "left_system", name="uq_links_left"),
        sa.UniqueConstraint("right_ident", "connector", "right_system", name="uq_links_right"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_links_page", "links", ["connector", "id"])
    op.create_index("ix_links_due", "links", ["connector", "target", "checked"])
    op.create_index("ix_links_outdated", "links", ["connector", "target", "entity_row", "mapping"])
    op.create_index("ix_links_state", "links", ["connector", "state", "target"])
    op.create_table(
        "comment_links",
        sa.Column("link", _id_type(), sa.ForeignKey("links.id", name="fk_comment_links_link"), primary_key=True),
        *_words("left_id", key=True),
        *_words("right_id", "left_hash", "right_hash", "born", "author"),
        *_at("created"),
        sa.UniqueConstraint("link", "right_id", name="uq_comment_links_right"),
    )


def _under_way() -> None:
    op.create_table(
        "intents",
        _id(),
        *_words("connector", "target", "entity_row", "kind", "side"),
        *_json("source"),
        sa.Column("link", _id_type()),
        *_words("marker"),
        *_json("payload", null=False),
        *_at("at", "expires", null=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_intents_connector", "intents", ["connector"])
    op.create_table(
        "cursors",
        *_words("connector", "target", "entity_row", "side", "feed", key=True),
        *_words("fingerprint"),
        *_at("since", "scanned"),
    )
    op.create_table("polling_starts", *_words("connector", "target", "entity_row", "side", key=True), *_at("moment"))
    op.create_table("mapping_versions", *_words("connector", "version", key=True), *_json("fingerprints", null=False))


def _inbox() -> None:
    op.create_table(
        "conflicts",
        _id(),
        *_words("connector"),
        sa.Column("link", _id_type(), nullable=False),
        *_words("field"),
        *_json("base_left", "base_right", "left_value", "right_value"),
        *_words("left_version", "right_version", "by_left", "by_right"),
        *_at("at"),
        *_words("state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_conflicts_state", "conflicts", ["connector", "state"])
    op.create_index("ix_conflicts_link", "conflicts", ["link"])
    _unique_while_open("uq_conflicts_open", "conflicts", ["link", "field"])
    op.create_table(
        "failures",
        _id(),
        *_words("connector", "target", "entity_row", "side", "entity_scope", "entity_type", "entity_id"),
        *_words("action", "error"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_at("at", null=False),
        *_at("next"),
        *_words("state"),
        *_words("url", null=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_failures_state", "failures", ["connector", "state"])
    _unique_while_open("uq_failures_open", "failures", ["connector", "target", "side", "entity_type", "entity_id"])
    op.create_table(
        "requests",
        _id(),
        *_words("connector"),
        *_json("options", null=False),
        *_words("options_key"),
        *_at("at", null=False),
        *_words("requested_by"),
        sa.UniqueConstraint("connector", "options_key", name="uq_requests_options"),
        sqlite_autoincrement=True,
    )


def _unique_while_open(name: str, table: str, columns: list[str]) -> None:
    op.create_index(name, table, columns, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)


def _leases_and_states() -> None:
    op.create_table(
        "leases",
        *_words("connector", key=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        *_words("owner"),
        *_at("until", null=False),
    )
    op.create_table(
        "states",
        *_words("connector", "target", key=True),
        _truth("active", null=True),
        *_words("state", "message"),
        *_at("since", "last_refresh", "next_refresh"),
        sa.Column("attempts", sa.Integer(), nullable=False),
    )


def _journal() -> None:
    op.create_table(
        "runs",
        *_words("id", key=True),
        *_words("connector"),
        *_at("started", null=False),
        *_json("report", "plan", null=False),
    )
    op.create_index("ix_runs_started", "runs", ["started"])
    op.create_index("ix_runs_connector", "runs", ["connector", "started"])
    op.create_table(
        "audit",
        _id(),
        *_at("at", null=False),
        *_words("who", "what", "connector", "run", "entity", "field"),
        *_json("before", "after"),
        *_words("reason"),
        sqlite_autoincrement=True,
    )
    for name in ("connector", "entity", "run"):
        op.create_index(f"ix_audit_{name}", "audit", [name, "id"])
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
