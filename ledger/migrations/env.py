"""Runs the migrations on the connection, and in the transaction, that `ledger.database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from ledger.tables import metadata

# SQLite can change a table only by copying it: `render_as_batch` writes new revisions so that they do.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
