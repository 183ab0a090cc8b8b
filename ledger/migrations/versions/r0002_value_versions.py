"""The versions of value tables (SPEC C4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "value_versions",
        sa.Column("connector", sa.Text(), nullable=False, primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("who", "origin", "file_name", "file_hash")),
        sa.Column("copy_of", sa.Integer()),
        sa.Column("tables", sa.JSON(), nullable=False),
        sa.Column("file", sa.LargeBinary(), nullable=False),
    )
