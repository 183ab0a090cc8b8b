"""What is kept of a workbook: its tables as texts. And what can be said of two of them: coverage, differences.

Rule of this file: no workbook is needed here; a version in the ledger answers everything by what was read once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.schema import FieldType
from mappings.config import Side, ValuesFrom
from mappings.values import ValueTable


@dataclass(frozen=True, slots=True)
class SideFacts:
    """What is known of one side of a table. `choices`: the live values, None where none are listed or none was asked.

    `system`, `field`: names for people. `asked`: the system could be asked. `users`: who may be offered in a field of
    users; others may be known too.
    """

    system: str
    field: str
    type: FieldType | None = None
    choices: tuple[str, ...] | None = None
    asked: bool = True
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """A table as the mapping uses it. `to`: the sides that its values flow to. `holds`: values without a row wait."""

    source: ValuesFrom
    sides: Mapping[Side, SideFacts]
    to: frozenset[Side]
    holds: bool = True

    @property
    def key(self) -> str:
        return source_key(self.source)

    @property
    def types(self) -> dict[str, FieldType | None]:
        """Keyword arguments of a `ValueTable`."""
        return {f"{side}_type": facts.type for side, facts in self.sides.items()}


def source_key(source: ValuesFrom) -> str:
    """Names a table within a workbook: its sheet and columns. The bare sheet where that says it all."""
    columns = source.model_dump(mode="json", exclude_none=True, exclude={"sheet"})
    return f"{source.sheet} {json.dumps(columns, sort_keys=True, ensure_ascii=False)}" if columns else source.sheet


@dataclass(frozen=True, slots=True)
class TableRows:
    """A value table as read: (left, right) pairs, and right -> left where a way back was chosen."""

    pairs: tuple[tuple[str, str], ...] = ()
    back: Mapping[str, str] = field(default_factory=dict)

    def table(self, use: Use | None = None) -> ValueTable:
        """The look-up, for fields of the types that `use` knows."""
        return ValueTable(self.pairs, self.back, **(use.types if use else {}))

    def as_json(self) -> dict[str, Any]:
        """JSON that `from_json` reads back."""
        return {"pairs": [list(pair) for pair in self.pairs], "back": dict(self.back)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableRows:
        return cls(tuple((left, right) for left, right in data["pairs"]), dict(data["back"]))


Tables = Mapping[str, TableRows]
"""`source_key` -> table."""


def tables_json(tables: Tables) -> dict[str, Any]:
    return {key: rows.as_json() for key, rows in tables.items()}


def tables_from(data: Mapping[str, Any]) -> dict[str, TableRows]:
    return {key: TableRows.from_json(rows) for key, rows in data.items()}


def coverage(uses: Iterable[Use], tables: Tables) -> list[dict[str, Any]]:
    """How well each table covers what its two systems offer; sides that list no values are left out."""
    told = []
    for use in uses:
        table = tables.get(use.key, TableRows()).table(use)
        for side, facts in use.sides.items():
            if facts.choices is None or side.other not in use.to:
                continue
            found = table.coverage(side, facts.choices)
            told.append(
                {
                    "sheet": use.source.sheet,
                    "side": str(side),
                    "system": facts.system,
                    "field": facts.field,
                    "mapped": len(found.mapped),
                    "offered": len(found.mapped) + len(found.unmapped),
                    "unmapped": list(found.unmapped),
                    "unknown": list(found.unknown),
                }
            )
    return told


def differences(before: Tables, after: Tables) -> list[dict[str, Any]]:
    """What changed from one version to another: `{sheet, change: added|removed|changed, side, value, before, after}`.

    `side` is where the value flows to: `right` for rows, `left` for the way back. Sorted by sheet and value.
    """
    told = []
    for key in sorted({*before, *after}):
        old, new = before.get(key, TableRows()), after.get(key, TableRows())
        sheet = key.partition(" {")[0]
        for side, olds, news in ((Side.RIGHT, _grouped(old), _grouped(new)), (Side.LEFT, _back(old), _back(new))):
            for value in sorted({*olds, *news}):
                was, now = olds.get(value), news.get(value)
                if was != now:
                    change = "added" if was is None else "removed" if now is None else "changed"
                    told.append({"sheet": sheet, "change": change, "side": str(side), "value": value,
                                 "before": was, "after": now})  # fmt: skip
    return told


def _grouped(rows: TableRows) -> dict[str, str]:
    grouped: dict[str, list[str]] = {}
    for left, right in rows.pairs:
        grouped.setdefault(left, []).append(right)
    return {left: ", ".join(rights) for left, rights in grouped.items()}


def _back(rows: TableRows) -> dict[str, str]:
    return dict(rows.back)
