"""Exit codes: what scripts decide by."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli import hoist
from connectors.errors import (
    AuthenticationError,
    Changed,
    ConfigurationError,
    DirectionNotPermitted,
    NotFound,
    Rejected,
    Unavailable,
)
from console.codes import Code, of_error, of_findings, of_report, of_reports
from flows.report import Report, TargetReport
from ledger.errors import LeaseLost, LedgerError, LedgerUnavailable, NewerLedger
from mappings.findings import ConfigurationErrors, Finding


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), 2),
        (ConfigurationErrors([]), 2),
        (AuthenticationError("x"), 2),
        (LedgerError("x"), 2),
        (NewerLedger("x"), 2),
        (Unavailable("x"), 4),
        (LedgerUnavailable("x"), 4),
        (LeaseLost("x"), 5),
        (Rejected("x"), 1),
        (Changed("x"), 1),
        (NotFound("x"), 1),
        (DirectionNotPermitted("x"), 1),
        (KeyError("a mistake of ours"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_says_by_its_kind_what_to_do(error: Exception, code: int) -> None:
    assert of_error(error) == code


def report(outcome: str = "done", error: str | None = None, unreachable: bool = False, **plain: int) -> Report:
    made = Report("tickets", "run", datetime.now(UTC), outcome=outcome)
    target = TargetReport("default", error=error, unreachable=unreachable)
    for word, n in plain.items():
        target.counters.count(word, n=n)
    made.targets.append(target)
    return made


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (report(), 0),
        (report(adopted=3, waiting=1), 0),
        (report(halted=1), 3),
        (report(held=1), 3),
        (report(halted=1, failed=1), 1),
        (report("skipped"), 5),
        (report("coalesced"), 5),
        (report("requested"), 0),
        (report("failed"), 1),
        (report("failed", error="no such field"), 2),
        (report("failed", error="no answer", unreachable=True), 4),
    ],
)
def test_a_report_ends_with_the_worst_that_it_tells(told: Report, code: int) -> None:
    assert of_report(told.as_json()) == code


def test_several_reports_end_with_the_worst_of_them() -> None:
    told = [report().as_json(), report(halted=1).as_json(), report(failed=1).as_json()]
    assert of_reports(told) == Code.FAILED
    assert of_reports([]) == Code.DONE


def finding(code: str, severity: str) -> Finding:
    return Finding("a.yaml", 1, "", severity, code, "problem", "remedy")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        ([finding("unfed_required", "warning")], 3),
        ([finding("unknown_field", "error")], 2),
        ([finding("unreachable", "error"), finding("unfed_required", "warning")], 4),
        ([finding("unreachable", "error"), finding("unknown_field", "error")], 2),
    ],
)
def test_a_check_is_unreachable_only_where_nothing_else_is_wrong(found: list[Finding], code: int) -> None:
    assert of_findings(found) == code


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("check NAME", "check NAME"),
        ("check --json NAME -v", "--json -v check NAME"),
        ("links --config a.yaml --ledger=sqlite:///x NAME", "--config a.yaml --ledger=sqlite:///x links NAME"),
        ("--config a links --config b", "--config a --config b links"),
        ("refresh --config", "--config refresh"),
        ("conflicts resolve 1 --value -- --json", "conflicts resolve 1 --value -- --json"),
    ],
)
def test_the_common_options_are_read_wherever_they_stand(typed: str, read: str) -> None:
    assert hoist(typed.split()) == read.split()
