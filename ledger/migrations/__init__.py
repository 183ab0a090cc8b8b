"""How a ledger of an earlier schema becomes one of this. Alembic's; run by `ledger.database` when a ledger opens."""
