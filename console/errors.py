"""Errors that end a command, in words for people: what happened, where, how to mend it.

Rule of this file: never a traceback unless somebody asked for one, and never a secret.
"""

from __future__ import annotations

import sys
import traceback

from connectors.errors import ConnectorError
from console.codes import Code, of_error
from ledger.errors import LedgerError
from mappings.findings import ConfigurationErrors


def tell(error: Exception, *, verbose: bool = False) -> Code:
    """Say on stderr what went wrong; answers the exit code."""
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, ConnectorError | LedgerError | ConfigurationErrors):
        text = str(error).rstrip()
    else:
        text = (
            f"Something went wrong that Syncline did not expect ({type(error).__name__}: {error}).\n"
            "What it had begun is in the ledger, and the next refresh goes on from there. "
            f"{'Please' if verbose else 'See where with -v, and please'} report it."
        )
    print(text if text.endswith((".", "?", "!")) else f"{text}.", file=sys.stderr)
    return of_error(error)
