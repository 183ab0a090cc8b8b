"""What is wrong with the rows of a mapping, as far as the YAML alone tells.

Rule of this file: each check is a function that yields (place below the row, code, problem, remedy) and knows one
thing that may be wrong. `check.py` puts file and line to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mappings.config import Condition, Direction, EntityRow, FieldRow, IntegrationConnector, Side
from mappings.criteria import ConditionError, parse
from mappings.findings import Severity, Where, nearest
from mappings.values import ValueTable

NOT_SUPPORTED = ("attachments", "links", "remote_id", "remote_link")
"""Keys of an entity row that are published and not built yet: asking for them is refused, not ignored."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A finding without file and line. `below`: place below the row. `remedy`: empty = the code's general one."""

    below: Where
    code: str
    problem: str
    remedy: str = ""
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Spot:
    """A field row with all that a check of it may want to know. `permitted`: the sides that any target may write."""

    row: FieldRow
    connector: IntegrationConnector
    permitted: frozenset[Side]

    def may_write(self, side: Side) -> bool:
        """Whether this row can ever write to this side."""
        return side in self.permitted and feeds(self.row, side)


def feeds(row: FieldRow, side: Side) -> bool:
    """Whether the row's direction lets values flow into its field on this side; one without source has only that."""
    if row.name(side) is None or row.direction is Direction.NONE:
        return False
    return row.direction.writes(side) or row.name(side.other) is None


def inline_table(row: FieldRow) -> ValueTable | None:
    """The value table that stands in the row itself."""
    return None if row.values is None else ValueTable(row.values.items(), row.back)


# ---- entity rows ----------------------------------------------------------------------------------------------------


def check_entity(row: EntityRow, earlier: tuple[EntityRow, ...]) -> Iterator[Complaint]:
    for key in NOT_SUPPORTED:
        if getattr(row, key) is not None:
            yield Complaint((key,), "not_supported", f"{key} cannot be synchronised yet")
    if row.look_up and not (row.look_up.left and row.look_up.right):
        yield Complaint(("look_up",), "look_up_without_fields", "the look-up does not say which fields it compares")
    if any(other.key == row.key and not _has_criteria(other) for other in earlier):
        yield Complaint((), "never_matches", f"an earlier row takes every {row.left} and {row.right} already")
    for side in Side:
        given = row.criteria.of(side)
        yield from _condition(given.if_ if given else None, ("criteria", side.value, "if"))
    yield from _same_pairs(row)
    yield from _two_writers(row)


def _has_criteria(row: EntityRow) -> bool:
    return any(given and (given.if_ or given.native) for given in (row.criteria.left, row.criteria.right))


def _condition(condition: Condition | None, where: Where, *, timeless: bool = False) -> Iterator[Complaint]:
    """`timeless`: the condition of a field row. It decides what two entities agree on, so it cannot speak of now."""
    if condition is None:
        return
    try:
        if parse(condition).relative and timeless:
            problem = "the condition of a field row cannot depend on the present moment"
            yield Complaint(
                where, "bad_operand", problem, "Compare with a fixed date, or use the entity's `criteria:`."
            )
    except ConditionError as error:
        for one in error.problems:
            yield Complaint((*where, *one.path), one.code, one.problem, one.remedy)


def _same_pairs(row: EntityRow) -> Iterator[Complaint]:
    first: dict[str, int] = {}
    for i, field in enumerate(row.fields):
        j = first.setdefault(field.key, i)
        if j != i:
            names = " = ".join(filter(None, (field.left, field.right)))
            yield Complaint(("fields", i), "duplicate_field_row", f"row {j + 1} maps {names} already")


def _two_writers(row: EntityRow) -> Iterator[Complaint]:
    """Two rows that write the same field. Rows with an `if` each are trusted to be meant for different entities."""
    for side in Side:
        writers = [(i, field) for i, field in enumerate(row.fields) if feeds(field, side)]
        for position, (i, field) in enumerate(writers):
            for j, other in writers[:position]:
                if other.name(side) == field.name(side) and other.key != field.key and _meet(field, other, side):
                    problem = f"row {j + 1} writes {field.name(side)!r} on the {side} already"
                    yield Complaint(("fields", i), "two_writers", problem)


def _meet(a: FieldRow, b: FieldRow, side: Side) -> bool:
    moments = {a.sync_to(side), b.sync_to(side)}
    return moments != {"create", "update"} and not (a.if_ and b.if_)


# ---- field rows -----------------------------------------------------------------------------------------------------


def check_field(spot: Spot) -> Iterator[Complaint]:
    for one in _FIELD_CHECKS:
        yield from one(spot)
    for side in Side:
        given = spot.row.if_.of(side) if spot.row.if_ else None
        yield from _condition(given, ("if", side.value), timeless=True)


def _direction(spot: Spot) -> Iterator[Complaint]:
    wanted = [side for side in Side if feeds(spot.row, side)]
    if wanted and not any(side in spot.permitted for side in wanted):
        problem = f"values of this row flow to the {' and '.join(wanted)}, which this connector may not write"
        yield Complaint(("direction",), "direction_clash", problem, severity="warning")


def _source(spot: Spot) -> Iterator[Complaint]:
    row = spot.row
    computed = [key for key in ("constant", "template") if getattr(row, key) is not None]
    if computed and (len(computed) == 2 or (row.left and row.right)):
        what = "a constant and a template" if len(computed) == 2 else f"a {computed[0]} and a source field"
        yield Complaint((computed[0],), "source_and_constant", f"the row has {what}")
    alone = row.left is None or row.right is None
    if alone and not computed and row.default.left is None and row.default.right is None:
        yield Complaint((), "no_default", "nothing says what is written to this field")
    elif row.direction is Direction.NONE and all(row.default.of(s) is None for s in Side if row.name(s)):
        yield Complaint(("direction",), "no_default", "direction none fills an empty field, and no default is given")


def _defaults(spot: Spot) -> Iterator[Complaint]:
    row = spot.row
    for side in Side:
        if row.default.of(side) is not None and not feeds(row, side) and row.direction is not Direction.NONE:
            problem = f"no value ever flows to the {side}, so its default is never written"
            yield Complaint(("default", side.value), "idle_default", problem, severity="warning")
    for policy in ("on_unmapped", "on_unknown_user"):
        written = [side for side in Side if spot.may_write(side)]
        if getattr(row, policy) == "default" and all(row.default.of(side) is None for side in written):
            yield Complaint((policy,), "no_default", f"{policy} says default, and none is given")


def _tables(spot: Spot) -> Iterator[Complaint]:
    row = spot.row
    if row.values is not None and row.values_from is not None:
        yield Complaint(("values_from",), "two_tables", "the row has values and values_from")
    if row.values_from is not None and spot.connector.workbook is None:
        yield Complaint(("values_from",), "no_workbook", "values_from names a sheet, and the connector no workbook")
    if row.back is not None and row.values is None:
        yield Complaint(("back",), "unknown_back", "back stands here without values", "Leave it out, or add `values:`.")


def _lossy(spot: Spot) -> Iterator[Complaint]:
    table = inline_table(spot.row)
    if table is not None and spot.may_write(Side.LEFT):
        yield from lossy(table)


def lossy(table: ValueTable) -> Iterator[Complaint]:
    """Right values that several left values become, without a chosen way back."""
    for right, lefts in table.lossy(Side.RIGHT).items():
        problem = f"{_list(lefts)} all become {right!r}, and nothing says what {right!r} becomes"
        way = f"back: {{{right!r}: {'|'.join(lefts)}}}" if right == "" else f"back: {{{right}: {'|'.join(lefts)}}}"
        remedy = f"Add {way} with one of them, or let the row flow to the right only."
        yield Complaint(("values",), "lossy_values", problem, remedy)


def _back(spot: Spot) -> Iterator[Complaint]:
    table = inline_table(spot.row)
    if table is None:
        return
    for right in table.stray_back:
        left = table.back[right]
        lefts = table.values_of_pairs(Side.LEFT)
        if right not in table.values_of_pairs(Side.RIGHT) and left in lefts:
            continue  # a right value of its own: it only comes back
        if right not in table.values_of_pairs(Side.RIGHT):
            problem, remedy = f"neither {right!r} nor {left!r} stands in the table", nearest(left, lefts)
        else:
            allowed = [a for a, b in table.pairs if b == right]
            problem, remedy = f"{left!r} does not become {right!r}", nearest(left, allowed)
        yield Complaint(("back", right), "unknown_back", problem, remedy)


def _list(texts: tuple[str, ...]) -> str:
    return " and ".join(repr(text) for text in texts)


_FIELD_CHECKS: tuple[Callable[[Spot], Iterator[Complaint]], ...] = (
    _direction,
    _source,
    _defaults,
    _tables,
    _lossy,
    _back,
)
