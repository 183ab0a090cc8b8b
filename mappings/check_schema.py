"""What of a mapping does not fit the two systems as they are today (SPEC B1, B17). Pure: the schemas are handed in.

Rule of this file: an error is what makes the row useless (a field that does not exist, types that never meet): a
refresh refuses to start with it. What only some entities will meet (a value without a row) is a warning: the others
flow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from connectors.schema import EntitySchema, FieldSchema, FieldType
from mappings.check_rows import Complaint, feeds, inline_table, lossy
from mappings.config import Condition, EntityRow, FieldRow, IntegrationConnector, Side, Target, permitted
from mappings.criteria import ConditionError, parse
from mappings.findings import CODES, Finding, nearest, path_text
from mappings.services import permitted_by_service
from mappings.values import ValueTable

Schemas = Mapping[Side, EntitySchema]

_TEXTS = frozenset({FieldType.TEXT, FieldType.RICH_TEXT})
_NOT_BY_VALUE = frozenset({FieldType.LINK, FieldType.FILE})
_CONVERTS: Mapping[FieldType, frozenset[FieldType]] = {
    FieldType.TEXT: frozenset(FieldType) - _NOT_BY_VALUE,
    FieldType.RICH_TEXT: _TEXTS | {FieldType.CHOICE, FieldType.URL},
    FieldType.NUMBER: _TEXTS | {FieldType.CHOICE},
    FieldType.BOOLEAN: _TEXTS | {FieldType.CHOICE},
    FieldType.DATE: _TEXTS | {FieldType.DATETIME, FieldType.CHOICE},
    FieldType.DATETIME: _TEXTS | {FieldType.DATE, FieldType.CHOICE},
    FieldType.CHOICE: _TEXTS | {FieldType.NUMBER, FieldType.BOOLEAN, FieldType.DATE},
    FieldType.USER: _TEXTS | {FieldType.CHOICE},
    FieldType.URL: _TEXTS,
    FieldType.LINK: frozenset(),
    FieldType.FILE: frozenset(),
}
"""Source type -> the other types that its values can be put into without a value table (SPEC B8)."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """A field row, both its schemas (None: no field there, or an unknown one), and the sides that may be written."""

    row: FieldRow
    fields: Mapping[Side, FieldSchema | None]
    table: ValueTable | None
    permitted: frozenset[Side]

    def flows(self) -> Iterator[tuple[Side, FieldSchema, FieldSchema]]:
        """(target side, source, target) of every direction in which values of this row may flow."""
        for side in Side:
            source, target = self.fields[side.other], self.fields[side]
            if source and target and side in self.permitted and self.row.direction.writes(side):
                yield side, source, target


def check_schema(
    connector: IntegrationConnector,
    row: EntityRow,
    target: Target,
    schemas: Schemas,
    tables: Callable[[FieldRow], ValueTable | None] = inline_table,
) -> list[Finding]:
    """The findings for one row of `entities` and one target.

    `tables` answers the value table of a field row; by default those of a workbook are not known. The findings have no
    file and line: their `path` starts at the connector, and `ConnectorEntry.placed` adds the rest.
    """
    sides = permitted(connector, target, permitted_by_service(connector.service))
    start = ("entities", connector.entities.index(row) if row in connector.entities else 0)
    return [
        Finding(
            "", 0, path_text((*start, *one.below)), one.severity, one.code, one.problem, one.remedy or CODES[one.code]
        )
        for one in _complaints(row, schemas, sides, tables)
    ]


def _complaints(
    row: EntityRow, schemas: Schemas, sides: frozenset[Side], tables: Callable[[FieldRow], ValueTable | None]
) -> Iterator[Complaint]:
    for j, field in enumerate(row.fields):
        named = {side: name for side in Side if (name := field.name(side)) is not None}
        unknown = [side for side, name in named.items() if name not in schemas[side].fields]
        for side in unknown:
            yield _unknown(schemas[side], named[side], ("fields", j, side.value), side)
        found = {side: schemas[side].fields.get(named.get(side, "")) for side in Side}
        types = {f"{side}_type": schema.type for side, schema in found.items() if schema}
        table = tables(field)
        fit = _Fit(field, found, table.typed(**types) if table else None, sides)
        for one in (*_writable(fit), *_types(fit), *_table(fit), *_values(fit), *_coverage(fit)):
            yield Complaint(("fields", j, *one.below), one.code, one.problem, one.remedy, one.severity)
        for side in Side:
            given = field.if_.of(side) if field.if_ else None
            yield from _condition(schemas[side], given, ("fields", j, "if", side.value), side)
    yield from _entity(row, schemas)
    yield from _unfed(row, schemas, sides)


def _unknown(schema: EntitySchema, name: str, where: tuple[str | int, ...], side: Side) -> Complaint:
    by_label = {field.label.casefold(): field.name for field in schema.fields.values() if field.label}
    named = by_label.get(name.casefold())
    remedy = f"Did you mean {named}?" if named else nearest(name, schema.fields, "Fields")
    return Complaint(where, "unknown_field", f"{schema.type} on the {side} has no field {name!r}", remedy)


def _condition(
    schema: EntitySchema, condition: Condition | None, where: tuple[str | int, ...], side: Side
) -> Iterator[Complaint]:
    try:
        names = parse(condition).fields if condition else frozenset()
    except ConditionError:
        return
    for name in sorted(names - schema.fields.keys()):
        yield _unknown(schema, name, where, side)


def _entity(row: EntityRow, schemas: Schemas) -> Iterator[Complaint]:
    """Fields that are named outside the field rows."""
    for side in Side:
        given = row.criteria.of(side)
        yield from _condition(schemas[side], given.if_ if given else None, ("criteria", side.value, "if"), side)
        name = (row.look_up.left if side is Side.LEFT else row.look_up.right) if row.look_up else None
        if name is not None and name not in schemas[side].fields:
            yield _unknown(schemas[side], name, ("look_up", side.value), side)


def _writable(fit: _Fit) -> Iterator[Complaint]:
    """A field that cannot be written is an error where the row then writes nothing, else worth knowing."""
    wanted = [side for side in Side if side in fit.permitted and feeds(fit.row, side) and fit.fields[side]]
    closed = [side for side in wanted if (schema := fit.fields[side]) and schema.read_only]
    for side in closed:
        useless = len(closed) == len(wanted)
        problem = f"{fit.row.name(side)!r} on the {side} cannot be written"
        yield Complaint((side.value,), "read_only", problem, severity="error" if useless else "warning")


def _types(fit: _Fit) -> Iterator[Complaint]:
    for side, source, target in fit.flows():
        if target.read_only:
            continue
        by_value = not {source.type, target.type} & _NOT_BY_VALUE
        fits = source.type == target.type or target.type in _CONVERTS[source.type]
        if not by_value or not (fits or fit.table):
            problem = (
                f"values of {source.name!r} ({source.type}) cannot become values of {target.name!r} ({target.type})"
            )
            yield Complaint((side.value,), "unconvertible", problem)
        if source.multiple and not target.multiple:
            problem = f"{source.name!r} may have several values, {target.name!r} takes one"
            yield Complaint((side.value,), "too_many_values", problem, severity="warning")
    if fit.row.overwrite and len(both := list(fit.flows())) == 2 and not all(t.multiple for _, _, t in both):
        problem = f"overwrite would undo what people write to {fit.row.right!r}, which flows both ways"
        yield Complaint(("overwrite",), "overwrites_edits", problem, severity="warning")


def _table(fit: _Fit) -> Iterator[Complaint]:
    """What only the types bring to light (1 and 1.0 are one number), and what is wrong with a workbook's table."""
    if fit.table is None:
        return
    written = inline_table(fit.row)
    for side, _, _ in fit.flows():
        if side is Side.LEFT and fit.row.values_from is not None:
            yield from _lossy_sheet(fit.table, fit.row.values_from.sheet)
        elif side is Side.LEFT and not (written and any(lossy(written))):
            yield from lossy(fit.table)
        if side is Side.RIGHT:
            for left, rights in fit.table.lossy(Side.LEFT).items():
                problem = f"{left!r} would become {' and '.join(map(repr, rights))}"
                yield Complaint((_place(fit.row),), "ambiguous_values", problem)


def _place(row: FieldRow) -> str:
    return "values" if row.values_from is None else "values_from"


def _lossy_sheet(table: ValueTable, sheet: str) -> Iterator[Complaint]:
    for one in lossy(table):
        remedy = f"Mark the way back in the sheet {sheet!r}, or let the row flow to the right only."
        yield Complaint(("values_from",), one.code, one.problem, remedy)


def _values(fit: _Fit) -> Iterator[Complaint]:
    """Values written in the YAML that a field does not have."""
    for side in Side:
        schema = fit.fields[side]
        if schema is None or schema.choices is None:
            continue
        names = {choice.name for choice in schema.choices}
        default = fit.row.default.of(side)
        if default is not None and str(default) not in names:
            yield _no_such_value(("default", side.value), schema, str(default), side)
        if fit.row.constant is not None and str(fit.row.constant) not in names:
            yield _no_such_value(("constant",), schema, str(fit.row.constant), side)
        for text in fit.table.values(side) if fit.table else ():
            if text and text not in names:
                where = ("values", text) if side is Side.LEFT and fit.row.values else (_place(fit.row),)
                yield _no_such_value(where, schema, text, side)


def _no_such_value(where: tuple[str | int, ...], schema: FieldSchema, text: str, side: Side) -> Complaint:
    names = [choice.name for choice in schema.choices or ()]
    problem = f"{schema.name!r} on the {side} has no value {text!r}"
    return Complaint(where, "unknown_value", problem, nearest(text, names, "Values"), "warning")


def _coverage(fit: _Fit) -> Iterator[Complaint]:
    """Values of the source that would be held because nothing says what they become."""
    if fit.row.on_unmapped != "hold":
        return
    for side, source, target in fit.flows():
        if source.choices is None or (fit.table is None and target.choices is None):
            continue
        offered = [choice.name for choice in source.choices]
        if fit.table is not None:
            lacking: Iterable[str] = fit.table.coverage(side.other, offered).unmapped
        else:
            lacking = [name for name in offered if name not in {choice.name for choice in target.choices or ()}]
        if lacking:
            problem = f"nothing says what {', '.join(map(repr, lacking))} of {source.name!r} become on the {side}"
            remedy = "Add rows to `values:`, or say on_unmapped. Until then such values are held."
            yield Complaint((side.other.value,), "unmapped_value", problem, remedy, "warning")


def _unfed(row: EntityRow, schemas: Schemas, sides: frozenset[Side]) -> Iterator[Complaint]:
    """Required fields of a side where entities are created, to which no row writes at a create."""
    for side in sorted(sides):
        fed = {
            field.name(side)
            for field in row.fields
            if (feeds(field, side) and field.sync_to(side) != "update") or field.default.of(side) is not None
        }
        for schema in schemas[side].fields.values():
            if schema.required and schema.on_create and schema.name not in fed:
                problem = f"{row.type(side)} on the {side} requires {schema.name!r}, and no row writes it"
                yield Complaint(("fields",), "unfed_required", problem, severity="warning")
