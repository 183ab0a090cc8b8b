"""The ledger knows what was agreed."""
