"""What `syncline values …` shows to people.

Rule of this file: it is fed with the JSON that `--json` prints, so that both can never tell different things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from console.tables import Json, table, text, when

MOST_ROWS = 200
"""Rows of a table or a list of differences that are shown; `--json` has all."""


def result(told: Json, file: str) -> RenderableType:
    """What came of a workbook: findings, differences, coverage, and what happens next."""
    findings = [(one["severity"], _place(one), one["problem"] + ".", one["remedy"]) for one in told["findings"]]
    parts: list[RenderableType] = []
    if findings:
        parts.append(table(("severity", "cell", "problem", "what to do"), findings, ""))
    if told["diff"]:
        parts.append(differences(told["diff"]))
    if told["coverage"]["after"]:
        parts.append(_coverage(told["coverage"]))
    return Group(*parts, Text(_verdict(told, file)))


def _place(finding: Json) -> str:
    return "!".join(part for part in (finding["sheet"], finding["cell"]) if part)


def _verdict(told: Json, file: str) -> str:
    if told["version"] is not None:
        return f"{file} is version {told['version']}, in force from the next refresh on."
    counts = f"{told['errors']} errors, {told['warnings']} warnings"
    if told["errors"]:
        return f"{file} cannot be used ({counts}). What is in force stays so."
    if told["warnings"]:
        return f"{file} can be uploaded with --confirm-warnings ({counts}). Nothing was stored."
    return f"{file} is clean. Nothing was stored."


def _coverage(told: Json) -> RenderableType:
    before = {(one["sheet"], one["side"]): one["mapped"] for one in told["before"]}
    rows = [
        (one["sheet"], f"{one['system']}: {one['field']}",
         f"{before.get((one['sheet'], one['side']), 0)} → {one['mapped']} of {one['offered']}", one["unmapped"])
        for one in told["after"]
    ]  # fmt: skip
    return table(("sheet", "values of", "mapped", "without a row"), rows, "")


def differences(rows: Sequence[Json]) -> RenderableType:
    """What changed from one version to another."""
    shown = [
        (one["sheet"], one["change"], _value(one["value"]), "→" if one["side"] == "right" else "←",
         _value(one["before"]), _value(one["after"]))
        for one in rows[:MOST_ROWS]
    ]  # fmt: skip
    made = table(("sheet", "change", "value", "", "before", "after"), shown, "The two are equal.")
    return Group(made, Text(f"… and {len(rows) - MOST_ROWS} more")) if len(rows) > MOST_ROWS else made


def _value(value: str | None) -> Text:
    return Text("–", "dim") if value is None else text(value or "(empty)")


def versions(rows: Sequence[Json]) -> RenderableType:
    """The history, oldest first."""
    shown = [
        (f"{one['version']}{' (in force)' if one['in_force'] else ''}", when(one["at"]), one["who"],
         f"back to {one['copy_of']}" if one["copy_of"] else one["origin"], one["file"], one["hash"][:12])
        for one in rows
    ]  # fmt: skip
    return table(("version", "at (UTC)", "who", "how", "file", "hash"), shown, "There is no version yet.")


def content(told: Json) -> RenderableType:
    """The tables of one version."""
    parts: list[RenderableType] = [Text(f"Version {told['version']}, {told['file']}")]
    for name, rows in told["tables"].items():
        back: dict[str, Any] = rows["back"]
        shown = [(_value(left), _value(right), "x" if back.get(right) == left else "") for left, right in rows["pairs"]]
        parts += [Text(f"\n{name}", "bold"), table(("left", "right", "way back"), shown[:MOST_ROWS], "No rows.")]
        only_back = [
            (_value(left), _value(right)) for right, left in back.items() if [left, right] not in rows["pairs"]
        ]
        if only_back:
            parts.append(table(("left", "comes back from"), only_back[:MOST_ROWS], ""))
        if len(shown) > MOST_ROWS:
            parts.append(Text(f"… and {len(shown) - MOST_ROWS} more"))
    return Group(*parts)
