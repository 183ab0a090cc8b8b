"""What is to be done with an entity or a linked pair: an action, with a reason for each. Pure.

Rule of this file: every entity that a refresh looks at ends in exactly one action, and every action says why.
Whether an action is carried out is decided in one place (flows/filters.py), how in another (flows/write.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from connectors.entity import Entity, EntityRef, Fields, Value, empty, members, same
from connectors.schema import EntitySchema
from mappings.config import EntityRow, FieldRow, Side
from mappings.criteria import Criterion, parse
from mappings.merge import Context, Decision, Held, Kind, RowState, merge, still_held
from mappings.translate import Directory, Row, Translated, Untranslated, translate, translate_members
from mappings.values import ValueTable

Adapt = Literal["apply", "new_only", "ask"]
Normaliser = Callable[[str, Value], Value]
"""(field name, value) -> the value as its system would show it."""


@dataclass(frozen=True)
class Rules:
    """One row of `entities`, ready to work: what `compile_rules` made of it.

    `permitted`: the sides that may be written at all.
    """

    key: str
    config: EntityRow
    rows: tuple[Row, ...]
    permitted: frozenset[Side]
    criteria: Mapping[Side, Criterion]
    schemas: Mapping[Side, EntitySchema]

    @property
    def owner(self) -> Side | None:
        """The side that owns everything, under one-way permitted synchronization (SPEC A6)."""
        return next(iter(self.permitted)).other if len(self.permitted) == 1 else None

    @property
    def fingerprints(self) -> dict[str, str]:
        return {row.key: row.fingerprint for row in self.rows}

    @cached_property
    def created(self) -> Mapping[Side, Sequence[Row]]:
        """The rows that may give a new twin on a side its values, as far as the mapping goes."""
        return {to: [row for row in self.rows if _creates(row, to)] for to in Side}

    def flows(self, row: Row, left: Fields, right: Fields) -> frozenset[Side]:
        """The sides that this row may write at an update of this pair."""
        if not row.applies(left, right):
            return frozenset()
        if row.config.direction.value == "none":
            return frozenset(
                s for s in self.permitted if row.fields[s] is not None and row.config.default.of(s) is not None
            )
        return frozenset(side for side in self.permitted if row.writes(side, creating=False))


def compile_rules(
    config: EntityRow,
    schemas: Mapping[Side, EntitySchema],
    permitted: frozenset[Side],
    tables: Callable[[FieldRow], ValueTable | None],
    normalise: Mapping[Side, Normaliser] | None = None,
) -> Rules:
    """Make one row of `entities` ready to work. Raises KeyError for a field that a schema lacks: run `check` before."""
    rows = tuple(_compile_row(row, schemas, tables(row), normalise or {}) for row in config.fields)
    criteria = {side: parse(given.if_) for side in Side if (given := config.criteria.of(side)) and given.if_}
    return Rules(config.key, config, rows, permitted, criteria, schemas)


def _compile_row(
    row: FieldRow,
    schemas: Mapping[Side, EntitySchema],
    table: ValueTable | None,
    normalise: Mapping[Side, Normaliser],
) -> Row:
    fields = {side: schemas[side].fields[name] if (name := row.name(side)) else None for side in Side}
    if table is not None:
        types = {f"{side}_type": schema.type for side, schema in fields.items() if schema is not None}
        table = table.typed(**types)
    conditions = {side: parse(given) for side in Side if row.if_ and (given := row.if_.of(side))}
    return Row(
        row.key,
        row,
        fields,
        table,
        conditions,
        fingerprint_of(row, table),
        {side: _bound(normalise[side], schema.name) for side, schema in fields.items() if schema and side in normalise},
    )


def fingerprint_of(row: FieldRow, table: ValueTable | None) -> str:
    """Changes with everything in a row that could change a translation; needs no schema (rule 7)."""
    told = row.model_dump(mode="json", by_alias=True, exclude={"values", "back", "values_from", "on_conflict"})
    return _hash([told, table.fingerprint if table else None])


def fingerprints(config: EntityRow, tables: Callable[[FieldRow], ValueTable | None]) -> dict[str, str]:
    """Row key -> fingerprint, for every field row."""
    return {row.key: fingerprint_of(row, tables(row)) for row in config.fields}


def mapping_version(fingerprints: Mapping[str, str]) -> str:
    """Names this state of the mapping: the same rows and tables give the same text."""
    return _hash(fingerprints)


def _bound(normaliser: Normaliser, name: str) -> Callable[[Value], Value]:
    return lambda value: normaliser(name, value)


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


# -- a linked pair ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PairPlan:
    """The decisions for every row of one pair."""

    left: Entity
    right: Entity
    decisions: Mapping[str, Decision]

    @cached_property
    def conflicts(self) -> dict[str, Decision]:
        return {key: d for key, d in self.decisions.items() if d.kind is Kind.CONFLICT}

    @cached_property
    def fatal(self) -> dict[str, Decision]:
        return {key: d for key, d in self.decisions.items() if d.kind is Kind.FAIL}

    @property
    def halted(self) -> bool:
        """A conflict halts the whole element, whatever its other fields say (rule 2)."""
        return any(decision.whole for decision in self.conflicts.values())

    def entity(self, side: Side) -> Entity:
        return self.left if side is Side.LEFT else self.right


def plan_pair(
    rules: Rules,
    left: Entity,
    right: Entity,
    states: Mapping[str, RowState],
    users: Mapping[Side, Directory],
    *,
    newer: Mapping[str, Side] | None = None,
    restorable: Side | None = None,
    retry: bool = False,
    settle: Mapping[str, Side | tuple[Side, Value]] | None = None,
    adopted: bool = False,
    adapt: Adapt = "apply",
) -> PairPlan:
    """Merge every row of a pair. `states` holds what was agreed, per row key; a row without is met for the first time.

    `adopted`: the pair was just found to belong together, so `on_adopt` decides. `adapt` is what becomes of rows whose
    mapping changed since: they are brought in line, left as they are, or left alone until somebody consents (SPEC B20).
    See `Context` for the rest.
    """
    decisions: dict[str, Decision] = {}
    for row in rules.rows:
        flows = rules.flows(row, left.fields, right.fields)
        if not flows and not row.applies(left.fields, right.fields):
            continue
        if adapt == "ask" and not adopted and _remapped(row, states.get(row.key)):
            continue
        context = Context(
            flows,
            users,
            rules.config.on_conflict,
            rules.config.on_adopt,
            rules.owner,
            (newer or {}).get(row.key),
            None if adopted else restorable,
            retry,
            adapt != "new_only" or adopted,
            (settle or {}).get(row.key),
        )
        now = pair_values(row, left.fields, right.fields)
        decisions[row.key] = merge(row, now[Side.LEFT], now[Side.RIGHT], states.get(row.key), context)
    return PairPlan(left, right, decisions)


def _remapped(row: Row, state: RowState | None) -> bool:
    return state is None or not state.known or state.fingerprint != row.fingerprint


def pair_values(row: Row, left: Fields, right: Fields) -> dict[Side, Value]:
    return {Side.LEFT: row.value(Side.LEFT, left), Side.RIGHT: row.value(Side.RIGHT, right)}


def moved(rules: Rules, side: Side, entity: Entity, states: Mapping[str, RowState]) -> bool:
    """Whether a mapped value of `side` differs from what was last agreed, or a row was never agreed on."""
    for row in rules.rows:
        state = states.get(row.key)
        if state is None or not state.known:
            return True
        if row.config.direction.value == "none":
            continue
        now = row.value(side, entity.fields)
        if not same(now, state.base(side)) and not _waits(state, side, now):
            return True
        if state.held is not None and state.held.side is side.other and not still_held(state, {side: now}):
            return True
    return False


def _waits(state: RowState, side: Side, now: Value) -> bool:
    """Whether all that differs from the base is the value that is known to wait."""
    held = state.held
    if held is None or held.side is not side.other:
        return False
    return same(now, held.value) or (isinstance(now, tuple) and same(_without(now, held), state.base(side)))


# -- a new entity ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Create:
    """Create the twin of `source` on side `to` with `fields`. `held`: rows whose value waits."""

    to: Side
    source: Entity
    fields: Mapping[str, Value]
    sent: Mapping[str, Value]
    """Row key -> the value that is written for this row."""
    held: Mapping[str, Held]
    fatal: Mapping[str, str] = field(default_factory=dict)


def plan_create(rules: Rules, to: Side, source: Entity, users: Mapping[Side, Directory]) -> Create:
    """What a new twin on side `to` is made of. Rows that only flow back are settled after it exists."""
    sent: dict[str, Value] = {}
    held: dict[str, Held] = {}
    fatal: dict[str, str] = {}
    fields: dict[str, Value] = {}
    left, right = (None, source.fields) if to is Side.LEFT else (source.fields, None)
    for row in rules.created[to]:
        schema = row.fields[to]
        if schema is None or not row.applies(left, right):
            continue
        value, problem = _creating_value(row, to, source, users)
        if problem is not None:
            if problem.code == "fatal":
                fatal[row.key] = problem.reason
            else:
                held[row.key] = problem
        if not empty(value):
            sent[row.key] = fields[schema.name] = value
    return Create(to, source, fields, sent, held, fatal)


def _creates(row: Row, to: Side) -> bool:
    return row.writes(to, creating=True) or _default_only(row, to)


def _default_only(row: Row, to: Side) -> bool:
    schema = row.fields[to]
    return (
        row.config.direction.value == "none"
        and row.config.default.of(to) is not None
        and schema is not None
        and schema.on_create
        and row.config.sync_to(to) in ("both", "create")
    )


def _creating_value(row: Row, to: Side, source: Entity, users: Mapping[Side, Directory]) -> tuple[Value, Held | None]:
    """The value for a new twin: the translation of its source. Of a set, single members flow (rule 4)."""
    value = row.value(to.other, source.fields)
    if row.is_set and not (row.config.overwrite or empty(value)):
        done, left_over = translate_members(row, to, members(value), users[to])
        wait = next((left for left in left_over if left[1].fatal), left_over[0] if left_over else None)
        return tuple(done), _held(row, to, *wait) if wait else None
    translation = translate(row, to, value, users[to])
    if isinstance(translation, Translated):
        return translation.value, None
    return None, _held(row, to, value, translation)


def _held(row: Row, to: Side, value: Value, problem: Untranslated) -> Held:
    return Held(to, value, "fatal" if problem.fatal else problem.code, problem.reason, row.fingerprint)


def agreed_at_create(rules: Rules, create: Create, twin: Entity) -> dict[str, RowState]:
    """The row states of a pair whose twin was just created, from what its system now holds.

    A value that was sent and is not there is held as ignored (SPEC D5). Rows that are settled after the create are
    left out: the next merge meets them for the first time.
    """
    states: dict[str, RowState] = {}
    to, source = create.to, create.to.other
    for row in rules.rows:
        now = {source: row.value(source, create.source.fields), to: row.value(to, twin.fields)}
        held = create.held.get(row.key)
        if row.key in create.sent and not same(now[to], create.sent[row.key]):
            held = held or ignored(row, to, now[source], create.sent[row.key], now[to])
        if held is None and row.key not in create.sent and _settled_later(rules, row, to, now[source]):
            continue
        # What could not be written counts as changed on its source until it could; a set's other members count not.
        base = _without(now[source], held) if held else now[source]
        state = RowState(origin=source, held=held, fingerprint=row.fingerprint)
        states[row.key] = state.with_base(source, base).with_base(to, now[to])
    return states


def nothing_left(rules: Rules, states: Mapping[str, RowState]) -> bool:
    """Whether a merge right after the create would find nothing: each row is agreed as it is, and none waits."""
    return all(
        (state := states.get(row.key)) is not None and state.held is None and row.config.direction.value != "none"
        for row in rules.rows
    )


def _without(value: Value, held: Held) -> Value:
    if isinstance(value, tuple) and not isinstance(held.value, tuple):
        return tuple(member for member in value if member != held.value)
    return None


def _settled_later(rules: Rules, row: Row, to: Side, source: Value) -> bool:
    """Whether the first merge of the new pair has something to do for a row that the create did not write.

    Its system takes the field only once the entity exists; or the row flows back only, and there is something to fill:
    a blank twin has nothing to say against what stands in its source.
    """
    schema, back = row.fields[to], to.other
    if row.writes(to, creating=True):
        return False
    if row.writes(to, creating=False):
        return schema is not None and not schema.on_create and row.config.sync_to(to) == "both"
    standing = schema is not None and not empty(source) and not row.config.overwrite
    return back in rules.permitted and row.writes(back, creating=False) and not standing


def ignored(row: Row, to: Side, source: Value, sent: Value, got: Value) -> Held:
    """A value that the target answered with success and does not hold (SPEC D5)."""
    reason = f"the system accepted {_short(sent)} and holds {_short(got)}"
    return Held(to, source, "ignored", reason, row.fingerprint)


def _short(value: Value) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value if value is not None else "nothing")
    return repr(text if len(text) <= 80 else text[:77] + "…")


# -- words -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Skip:
    """Nothing is done with this entity. `reason` is a published word."""

    ref: EntityRef
    side: Side
    reason: str
