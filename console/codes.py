"""The exit codes of the command line (INTERFACE.md).

Rule of this file: scripts decide by the code alone, so what went wrong most severely decides the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from connectors.errors import AuthenticationError, ConfigurationError, EntityError, Unavailable
from ledger.errors import LeaseLost, LedgerError, LedgerUnavailable
from mappings.findings import ConfigurationErrors, Finding


class Code(IntEnum):
    """What a command ends with."""

    DONE = 0
    FAILED = 1
    """Refused, or some entity failed."""
    USAGE = 2
    """Usage or configuration."""
    WANTS_A_PERSON = 3
    """Done, but something is halted or held, or there are warnings."""
    UNREACHABLE = 4
    """A system, the ledger or the Prefect server cannot be reached."""
    BUSY = 5
    """Another refresh holds the lease."""


_ERRORS: tuple[tuple[type[Exception], Code], ...] = (
    (LeaseLost, Code.BUSY),
    (LedgerUnavailable, Code.UNREACHABLE),
    (LedgerError, Code.USAGE),
    (Unavailable, Code.UNREACHABLE),
    (ConfigurationError, Code.USAGE),
    (AuthenticationError, Code.USAGE),
    (ConfigurationErrors, Code.USAGE),
    (EntityError, Code.FAILED),
)


def of_error(error: Exception) -> Code:
    """The code of an error that ended a command; the first that fits, else FAILED."""
    return next((code for kind, code in _ERRORS if isinstance(error, kind)), Code.FAILED)


def of_findings(findings: Iterable[Finding]) -> Code:
    """The code of `check`: UNREACHABLE only where nothing else is wrong."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        return Code.UNREACHABLE if all(error.code == "unreachable" for error in errors) else Code.USAGE
    return Code.WANTS_A_PERSON if findings else Code.DONE


def of_reports(reports: Iterable[Mapping[str, Any]]) -> Code:
    """The code of refreshes: that of the worst."""
    found = {of_report(report) for report in reports}
    order = (Code.UNREACHABLE, Code.USAGE, Code.FAILED, Code.BUSY, Code.WANTS_A_PERSON)
    return next((code for code in order if code in found), Code.DONE)


def of_report(report: Mapping[str, Any]) -> Code:
    """The code of one refresh, by its report (INTERFACE.md)."""
    if report["outcome"] in ("skipped", "coalesced"):
        return Code.BUSY
    broken = [target for target in report["targets"] if target["error"]]
    if broken:
        return Code.UNREACHABLE if any(target["unreachable"] for target in broken) else Code.USAGE
    if report["outcome"] == "failed" or report["failed"]:
        return Code.FAILED
    return Code.WANTS_A_PERSON if report["halted"] or report["held"] else Code.DONE
