"""How a report looks to people: Markdown and table rows for Prefect artifacts, one line for logs and states.

Pure. Values come from the systems, so nothing in them may act as Markdown or HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flows.report import Counters, PlanRow, Report

NAMELESS = "default"
"""The target of a connector that lists none (`IntegrationConnector.each_target`)."""

MOST_ROWS = 500
"""An artifact is read by people and stored by Prefect for each run: longer lists are cut, and say so."""

_WANTS_A_PERSON = frozenset({"halt", "wait", "fail"})


def plain(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&])", r"\\\1", one_line)


def _count(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{n} {plain(where)}" for where, n in value.items() if n)
    return str(value) if value else ""


def changed(report: Report) -> bool:
    """Whether this refresh did, or met, anything new. What stands since an earlier one is not news."""
    return bool(report.plan or report.total.writes or report.total.plain["adopted"])


def halted(report: Report) -> bool:
    """Whether this refresh met a conflict."""
    return any(row.action == "halt" for row in report.plan)


def failed(report: Report) -> bool:
    """Whether this refresh failed as a whole, for a target or for an entity."""
    return report.outcome == "failed" or any(row.action == "fail" for row in report.plan)


def errors(report: Report) -> list[str]:
    """Why targets could not be refreshed: `target: reason`."""
    return [f"{target.name}: {target.error}" for target in report.targets if target.error]


def one_line(report: Report) -> str:
    """`name: created 3 right, halted 1`, or why there was nothing to do."""
    if report.outcome in ("skipped", "coalesced"):
        return f"{report.connector}: {report.message or report.outcome}"
    counters = {name: value for name, value in _counters(report.total).items() if name != "skipped"}
    parts = [f"{name} {shown}" for name, value in counters.items() if (shown := _count(value))]
    parts += errors(report) or ([report.message] if report.message else [])
    done = "would have changed" if report.dry_run else "changed"
    return f"{report.connector}: {', '.join(parts) or f'nothing {done}'}"


def _counters(counters: Counters) -> dict[str, Any]:
    return {name: value for name, value in counters.as_json().items() if name != "requests"}


def report_markdown(report: Report) -> str:
    """What was created, updated, halted, held and failed, with reasons and links (SPEC A18)."""
    began = f"Started {report.started:%Y-%m-%d %H:%M:%S} UTC, took {report.seconds:.1f} s."
    versions = {"Mapping": report.mapping, "Values": report.values}
    in_force = [f"{word} `{version}`." for word, version in versions.items() if version]
    lines = [f"# {plain(report.connector)}: {report.outcome}", "", " ".join([began, *in_force]), ""]
    if report.message:
        lines += [f"**{plain(report.message)}**", ""]
    lines += _counter_table(report)
    lines += [f"- **{plain(error)}**" for error in errors(report)]
    lines += _section("Wants a person", [row for row in report.plan if row.action in _WANTS_A_PERSON])
    lines += _section("What was done", [row for row in report.plan if row.action not in _WANTS_A_PERSON])
    return "\n".join(lines) + "\n"


def _counter_table(report: Report) -> list[str]:
    names = [target.name for target in report.targets]
    columns = {"all": _counters(report.total)}
    if len(names) > 1:
        columns |= {target.name: _counters(target.counters) for target in report.targets}
    lines = [f"| | {' | '.join(plain(name) for name in columns)} |", "|---|" + "---|" * len(columns)]
    for name, value in columns["all"].items():
        if _count(value):
            lines.append(f"| {name} | {' | '.join(_count(column[name]) or '0' for column in columns.values())} |")
    return [*lines, ""] if len(lines) > 2 else ["Nothing had changed.", ""]


def _section(title: str, rows: list[PlanRow]) -> list[str]:
    if not rows:
        return []
    lines = ["", f"## {title}", "", "| action | entity | fields | reason |", "|---|---|---|---|"]
    for row in rows[:MOST_ROWS]:
        cells = (f"{row.action} {row.side}", _entity(row), plain(_fields(row.fields)), plain(row.reason))
        lines.append(f"| {' | '.join(cells)} |")
    return lines + _cut(len(rows))


def _entity(row: PlanRow) -> str:
    name = plain(row.entity if row.target in ("", NAMELESS) else f"{row.target} {row.entity}")
    safe = row.url is not None and re.fullmatch(r"https?://[^\s()<>|\"]+", row.url)
    return f"[{name}]({row.url})" if safe else name


def _fields(fields: Mapping[str, Any]) -> str:
    shown = (f"{name}: {_short(value)}" for name, value in fields.items())
    return "; ".join(shown)


def _short(value: Any, most: int = 80) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{side} {_short(one)}" for side, one in value.items())
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= most else text[: most - 1] + "…"


def _cut(count: int) -> list[str]:
    return ["", f"… and {count - MOST_ROWS} more; `syncline audit` has them all."] if count > MOST_ROWS else []


def plan_table(report: Report) -> list[dict[str, str]]:
    """The plan of a dry run, one row per action with its reason (SPEC B18)."""
    rows = [
        {
            "action": row.action,
            "side": row.side,
            "target": row.target,
            "entity": row.entity,
            "fields": _fields(row.fields),
            "reason": row.reason,
        }
        for row in report.plan[:MOST_ROWS]
    ]
    if len(report.plan) > MOST_ROWS:
        rows.append({"action": "…", "reason": f"and {len(report.plan) - MOST_ROWS} more: syncline plan has them all"})
    return rows or [{"action": "nothing", "reason": "both sides agree"}]
