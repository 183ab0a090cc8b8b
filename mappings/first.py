"""A first mapping of two systems: which types and fields go together by their names. Pure: the schemas are handed in.

Rule of this file: a pair of fields stands only where `check` has nothing to say against it. Every other pair, and every
field without a twin, is told, so that a person can go on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.schema import EntitySchema, FieldSchema, FieldType
from mappings.check_schema import check_schema
from mappings.config import EntityRow, FieldRow, IntegrationConnector, Side, Target
from mappings.values import auto

T = TypeVar("T")
Both = Mapping[Side, EntitySchema]

_TEXTS = frozenset({FieldType.TEXT, FieldType.RICH_TEXT})


@dataclass(frozen=True, slots=True)
class FieldPair:
    """Two fields of equal name. `values`: the table, where names alone do not do. `against`: why it is no row yet."""

    left: FieldSchema
    right: FieldSchema
    values: tuple[tuple[str, str], ...] = ()
    against: str = ""

    def field(self, side: Side) -> FieldSchema:
        return self.left if side is Side.LEFT else self.right

    def lacking(self, side: Side) -> tuple[str, ...]:
        """Values of this side that have no equal on the other."""
        met = {pair[0 if side is Side.LEFT else 1] for pair in self.values}
        return tuple(name for name in _names(self.field(side)) if name not in met)

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"left": self.left.name, "right": self.right.name}
        return told | ({"reason": self.against} if self.against else {"values": dict(self.values)})


@dataclass(frozen=True, slots=True)
class TypePair:
    """Two entity types, the pairs of fields that stand, those that do not yet, and the fields left over."""

    left: str
    right: str
    rows: tuple[FieldPair, ...]
    not_yet: tuple[FieldPair, ...]
    left_only: tuple[FieldSchema, ...]
    right_only: tuple[FieldSchema, ...]
    comments: bool = False

    def only(self, side: Side) -> tuple[FieldSchema, ...]:
        return self.left_only if side is Side.LEFT else self.right_only

    def as_json(self) -> dict[str, Any]:
        return {
            "left": self.left,
            "right": self.right,
            "fields": [pair.as_json() for pair in self.rows],
            "not_yet": [pair.as_json() for pair in self.not_yet],
            "left_only": [field.name for field in self.left_only],
            "right_only": [field.name for field in self.right_only],
            "comments": self.comments,
        }


@dataclass(frozen=True, slots=True)
class FirstMapping:
    """What was found. `alone`: side -> what -> names without a twin (`projects`, `entity types`)."""

    systems: Mapping[Side, str]
    targets: tuple[tuple[str, str], ...]
    entities: tuple[TypePair, ...]
    alone: Mapping[Side, Mapping[str, tuple[str, ...]]]

    def as_json(self) -> dict[str, Any]:
        return {
            "systems": {str(side): name for side, name in self.systems.items()},
            "targets": [{"left": left, "right": right} for left, right in self.targets],
            "entities": [pair.as_json() for pair in self.entities],
            "alone": {
                str(side): {what: list(names) for what, names in own.items()} for side, own in self.alone.items()
            },
        }


def spelled(text: str) -> str:
    """The letters and digits of a name, in one case: `assigned_to`, `Assigned to` and `assignedto` are one spelling."""
    return "".join(filter(str.isalnum, text.casefold()))


def equal(
    left: Iterable[T], right: Iterable[T], names: Callable[[T], Sequence[str]] = lambda one: (str(one),)
) -> list[tuple[T, T]]:
    """Pairs of equal name: first those that are written alike, then those that any name spells alike, if unique."""
    lefts, rights = list(left), list(right)
    first = _alike(lefts, rights, lambda one: {names(one)[0]})
    rest = [one for one in lefts if one not in [pair[0] for pair in first]]
    others = [one for one in rights if one not in [pair[1] for pair in first]]
    return first + _alike(rest, others, lambda one: {spelled(name) for name in names(one)} - {""})


def _alike(lefts: list[T], rights: list[T], keys: Callable[[T], set[str]]) -> list[tuple[T, T]]:
    """Those that share a key with one of the other side, and that one with them alone."""
    pairs = [(one, other) for one in lefts for other in rights if keys(one) & keys(other)]
    alone = [[pair[side] for pair in pairs] for side in (0, 1)]
    return [(one, other) for one, other in pairs if alone[0].count(one) == alone[1].count(other) == 1]


def pair_fields(types: tuple[str, str], schemas: Sequence[Both], *, comments: bool) -> TypePair:
    """The fields of two entity types, as they are in every target (`schemas` has one entry for each)."""
    first = schemas[0]
    left, right = (list(first[side].fields.values()) for side in Side)
    both = equal(left, right, lambda field: (field.name, field.label))
    pairs = [_judged(one, other, schemas) for one, other in both]
    taken = {side: {pair.field(side).name for pair in pairs} for side in Side}
    left_only, right_only = (
        tuple(field for field in first[side].fields.values() if field.name not in taken[side]) for side in Side
    )
    return TypePair(
        *types,
        tuple(pair for pair in pairs if not pair.against),
        tuple(pair for pair in pairs if pair.against),
        left_only,
        right_only,
        comments,
    )


def _judged(left: FieldSchema, right: FieldSchema, schemas: Sequence[Both]) -> FieldPair:
    values = auto(_names(left), _names(right))
    pair = FieldPair(left, right, values, _against(left, right, values, schemas))
    needless = not pair.against and all(one == other for one, other in values)
    return FieldPair(left, right) if needless else pair


def _against(
    left: FieldSchema, right: FieldSchema, values: tuple[tuple[str, str], ...], schemas: Sequence[Both]
) -> str:
    """Why these two are no row: types that differ although they might be converted, and what `check` would say."""
    if left.read_only and right.read_only:
        return "neither side can be written"
    if left.type is not right.type and not {left.type, right.type} <= _TEXTS:
        return f"{left.type} on the left, {right.type} on the right"
    row = FieldRow(left=left.name, right=right.name, values=dict(values) or None)
    types = {side: schemas[0][side].type for side in Side}
    entity = EntityRow(left=types[Side.LEFT], right=types[Side.RIGHT], fields=(row,))
    connector = IntegrationConnector(name="first", left="left", right="right", entities=(entity,))
    found = [
        one.problem
        for both in schemas
        for one in check_schema(connector, entity, Target(name="first"), both)
        if one.path.startswith("entities[0].fields[")
    ]
    return "; ".join(dict.fromkeys(found))


def _names(field: FieldSchema) -> list[str]:
    return [choice.name for choice in field.choices or ()]
