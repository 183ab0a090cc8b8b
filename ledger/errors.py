"""What can go wrong with the ledger, by what the caller should do."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger did not take or give something. Nothing of the transaction was written."""


class LeaseLost(LedgerError):
    """Another run took the connector over. This run must end; the other one goes on from the ledger."""


class LedgerUnavailable(LedgerError):
    """The database cannot be reached or stayed locked. Trying again later is safe."""


class NewerLedger(LedgerError):
    """The ledger was written by a newer Syncline. This one must not touch it."""
