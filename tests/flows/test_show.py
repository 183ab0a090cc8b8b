"""How a report looks to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flows.report import PlanRow, Report, TargetReport
from flows.show import MOST_ROWS, changed, failed, halted, one_line, plan_table, report_markdown
from mappings.config import Side


def row(action: str = "update", entity: str = "7", **more: Any) -> PlanRow:
    return PlanRow(**{"action": action, "side": "right", "entity": entity, "fields": {}, "reason": "changed"} | more)


def report(*plan: PlanRow, **more: Any) -> Report:
    return Report("bugs", "run-1", datetime(2026, 11, 21, 8, tzinfo=UTC), plan=list(plan), **more)


def counted(**counts: int) -> Report:
    target = TargetReport("falcon")
    for name, n in counts.items():
        target.counters.count(name, Side.RIGHT if name in ("created", "updated") else None, n)
    return report(targets=[target])


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (counted(), "bugs: nothing changed"),
        (counted(created=3, halted=1), "bugs: created 3 right, halted 1"),
        (report(outcome="skipped", message="refresh in progress"), "bugs: refresh in progress"),
        (report(dry_run=True), "bugs: nothing would have changed"),
        (
            report(
                outcome="failed", message="x", targets=[TargetReport("falcon", error="no answer", unreachable=True)]
            ),
            "bugs: falcon: no answer",
        ),
    ],
)
def test_one_line_says_what_a_refresh_did(told: Report, line: str) -> None:
    assert one_line(told) == line


def test_what_stands_since_an_earlier_refresh_is_not_news() -> None:
    assert not changed(counted(halted=2, held=5))
    assert changed(counted(updated=1))
    assert changed(report(row("halt")))


def test_a_conflict_and_a_failure_are_told_apart() -> None:
    assert halted(report(row("halt")))
    assert not halted(report(row("update")))
    assert failed(report(row("fail")))
    assert failed(report(outcome="failed"))
    assert not failed(report(row("halt")))


def test_the_report_names_what_wants_a_person_first_with_link_and_both_values() -> None:
    fields = {"title": {"left": "tea", "right": "coffee"}}
    text = report_markdown(
        report(row(), row("halt", "8", fields=fields, reason="conflict", url="https://x.example/8", target="falcon"))
    )
    assert "| halt right | [falcon 8](https://x.example/8) | title: left tea, right coffee | conflict |" in text
    assert text.index("## Wants a person") < text.index("## What was done")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a | b", r"a \| b"),
        ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert\(1\)\>"),
        ("one\n\n# two", r"one \# two"),
        ("[click](http://evil)", r"\[click\]\(http://evil\)"),
    ],
)
def test_values_of_systems_are_shown_and_never_obeyed(value: str, shown: str) -> None:
    assert f"title: {shown} |" in report_markdown(report(row(fields={"title": value})))


def test_an_address_that_is_none_is_no_link() -> None:
    assert "](" not in report_markdown(report(row(url="javascript:alert(1)")))


def test_long_lists_are_cut_and_say_so() -> None:
    many = report(*(row(entity=str(n)) for n in range(MOST_ROWS + 3)))
    assert "… and 3 more" in report_markdown(many)
    assert plan_table(many)[-1]["reason"].startswith("and 3 more")
    assert len(plan_table(many)) == MOST_ROWS + 1


def test_an_empty_plan_says_that_both_sides_agree() -> None:
    assert plan_table(report()) == [{"action": "nothing", "reason": "both sides agree"}]
