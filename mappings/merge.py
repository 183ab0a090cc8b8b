"""The merge of one field row: what each side says now, against what both last agreed on.

The rules (DESIGN.md, "Merge and plan"), on one screen. `L`, `R` = that side changed since its own base.

    base  L  R      flows            decision
    ----------------------------------------------------------------------------------------------
    known -  -      any              keep; after a change of the mapping: adopt, fill, translate again from the origin
    known x  x      any, and equal   agree: a false conflict, nothing is written
    known x  -      to right         write right                       (the mirror image holds for R and left)
    known x  -      not to right     keep; put back where left is not its owner (one way, or `overwrite`)
    known x  x      one way          write the owner's value
    known x  x      both ways        sets: both edits; else `on_conflict`
    none  .  .      any              equal: agree; one way: write; one side empty: fill; else `on_adopt`
    any   .  .      cannot be told   hold: the base of that side does not advance

`merge` is a function of values. It does not know which side it plays: swapping the sides swaps the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from connectors.entity import Scalar, Value, empty, members, same
from mappings.config import Direction, OnAdopt, OnConflict, Side
from mappings.translate import Directory, Row, Translated, Untranslated, translate, translate_members


@dataclass(frozen=True, slots=True)
class Held:
    """A value that could not be written to `side`: it waits, visibly (rule 3).

    `code` says why: unmapped, unknown_user, ambiguous_user, unconvertible, empty, rejected or ignored.
    """

    side: Side
    value: Value
    code: str
    reason: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class RowState:
    """What both sides last agreed on for one field row, each side in its own terms.

    `origin` is the side whose value won last. `known` is False before they ever agreed on anything.
    `fingerprint` is that of the row when it was last merged; `bounces`: reactions of a system that came back
    although they were put back (rule 6).
    """

    left: Value = None
    right: Value = None
    origin: Side = Side.LEFT
    held: Held | None = None
    known: bool = True
    fingerprint: str = ""
    bounces: int = 0

    def base(self, side: Side) -> Value:
        return self.left if side is Side.LEFT else self.right

    def with_base(self, side: Side, value: Value) -> RowState:
        return replace(self, left=value) if side is Side.LEFT else replace(self, right=value)


class Kind(StrEnum):
    KEEP = "keep"
    AGREE = "agree"
    WRITE = "write"
    HOLD = "hold"
    CONFLICT = "conflict"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to happen to one row. `after` is its state once `writes` are done; `reason` a published word."""

    kind: Kind
    reason: str
    after: RowState
    writes: Mapping[Side, Value] = field(default_factory=dict)
    detail: str = ""
    whole: bool = False
    """A conflict halts the whole element, not the field alone."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the merge of a row must know beyond the values.

    `flows`: the sides that may be written now. `owner`: the side that owns everything under one-way permitted
    synchronization. `newer`: which side was edited later beyond doubt (for `latest`). `restorable`: the side that
    nobody but us has ever written to: a row without base may be translated to it again. `retry`: held values are
    tried again. `adapt`: values are brought in line with a changed mapping (False: they stay as they are, and only
    edits from now on flow). `settle`: the steward's choice, a side or (side, value in that side's terms).
    """

    flows: frozenset[Side]
    users: Mapping[Side, Directory]
    on_conflict: OnConflict = "halt"
    on_adopt: OnAdopt = "fill"
    owner: Side | None = None
    newer: Side | None = None
    restorable: Side | None = None
    retry: bool = False
    adapt: bool = True
    settle: Side | tuple[Side, Value] | None = None


def merge(row: Row, left: Value, right: Value, state: RowState | None, context: Context) -> Decision:
    """Decide one row. `left` and `right` are the values now; `state` is None for a row that was never merged."""
    return _Merge(row, {Side.LEFT: left, Side.RIGHT: right}, state, context).decide()


def equal(row: Row, left: Value, right: Value, context: Context) -> bool:
    """`to_right(left) = right` or `to_left(right) = left`, in permitted directions only (rule 1)."""
    return _Merge(row, {Side.LEFT: left, Side.RIGHT: right}, None, context).equal


class _Merge:
    def __init__(self, row: Row, now: Mapping[Side, Value], state: RowState | None, context: Context) -> None:
        self.row, self.now, self.context = row, now, context
        self.state = state or RowState(known=False)
        self.remapped = self.state.known and self.state.fingerprint != row.fingerprint
        self.changed = frozenset(
            side for side in Side if self.state.known and not same(self.state.base(side), now[side])
        )

    # -- answers ---------------------------------------------------------------------------------------------

    def keep(self, reason: str = "unchanged") -> Decision:
        after = replace(self.state, bounces=0) if not self.changed else self.state
        if not still_held(after, self.now):
            after = replace(after, held=None)
        if self.remapped and not after.held:
            after = replace(after, fingerprint=self.row.fingerprint)
        return Decision(Kind.KEEP, reason, after)

    def agree(self, reason: str, origin: Side | None = None, writes: Mapping[Side, Value] | None = None) -> Decision:
        now = {**self.now, **(writes or {})}
        after = RowState(now[Side.LEFT], now[Side.RIGHT], origin or self.state.origin, fingerprint=self.row.fingerprint)
        return Decision(Kind.WRITE if writes else Kind.AGREE, reason, after, writes or {})

    def conflict(self, reason: str, policy: OnConflict | OnAdopt) -> Decision:
        return Decision(Kind.CONFLICT, reason, self.state, whole=policy != "halt_field")

    def hold(self, to: Side, problem: Untranslated) -> Decision:
        if problem.fatal:
            return Decision(Kind.FAIL, problem.code, self.state, detail=problem.reason)
        held = Held(to, self.now[to.other], problem.code, problem.reason, self.row.fingerprint)
        state = self.state if self.state.known else self._nothing_agreed(to.other)
        # `same` and not `==`: a value that is told in other words is still the value that waits.
        waits = self.state.held is not None and _same_held(self.state.held, held)
        after = replace(state, held=self.state.held if waits else held, fingerprint=self.row.fingerprint)
        return Decision(Kind.HOLD, problem.code, after, detail=problem.reason)

    def write(self, to: Side, reason: str) -> Decision:
        """Write the translation of the other side's value to `to`; only what differs is written."""
        translation = translate(self.row, to, self.now[to.other], self.context.users[to])
        if isinstance(translation, Untranslated):
            return self.hold(to, translation)
        value = self._whole(to, translation.value)
        if same(value, self.now[to]):
            return self.agree(reason, to.other)
        if self._waits(to):
            return Decision(Kind.HOLD, self.state.held.code if self.state.held else "held", self.state)
        return self.agree(reason, to.other, {to: value})

    # -- questions -------------------------------------------------------------------------------------------

    @property
    def equal(self) -> bool:
        return any(self._becomes(to) for to in self.context.flows) or (
            not self.context.flows and any(self._becomes(to) for to in Side if self.row.fields[to] is not None)
        )

    def _becomes(self, to: Side) -> bool:
        translation = translate(self.row, to, self.now[to.other], self.context.users[to])
        return isinstance(translation, Translated) and same(translation.value, self.now[to])

    def _waits(self, to: Side) -> bool:
        """The target refused exactly this value before, and neither value nor mapping changed since."""
        held = self.state.held
        return (
            held is not None
            and not self.context.retry
            and held.code in ("rejected", "ignored")
            and held.side is to
            and held.fingerprint == self.row.fingerprint
            and same(held.value, self.now[to.other])
        )

    def _erases(self, to: Side) -> bool:
        """Nothing would be put in the place of something that nobody has cleared: only an owner may do that."""
        nothing = self.row.fields[to.other] is not None and empty(self.now[to.other])
        mastered = self.context.owner is not None or self.row.config.overwrite
        return nothing and not empty(self.now[to]) and not mastered

    @property
    def sets(self) -> bool:
        return self.row.is_set

    def _nothing_agreed(self, source: Side) -> RowState:
        """The state of a row whose source could never be written: the source counts as changed, the target not."""
        return RowState(origin=source).with_base(source.other, self.now[source.other])

    # -- the rules -------------------------------------------------------------------------------------------

    def decide(self) -> Decision:
        if self.context.settle is not None:
            return self.settle(self.context.settle)
        if self.row.config.direction is Direction.NONE:
            return self.default_where_empty()
        if not self.state.known:
            return self.first()
        if self.changed and self.state.bounces and not self.equal:
            return self.conflict("oscillating", "halt")
        if len(self.changed) == 2:
            if self.equal:
                return self.agree("false_conflict", self.state.origin)
            return self.one_way(*self.context.flows) if len(self.context.flows) == 1 else self.both_changed()
        if self.changed:
            (side,) = self.changed
            return self.one_changed(side)
        if self.state.held is not None and (self.context.retry or self.remapped):
            return self.write(self.state.held.side, "retried")
        return self.mapping_changed() if self.remapped else self.keep()

    def one_changed(self, side: Side) -> Decision:
        to = side.other
        if to in self.context.flows:
            if self.sets and not self.row.config.overwrite:
                return self.merge_sets()
            return self.write(to, "changed")
        if side in self.context.flows and (self.context.owner is not None or self.row.config.overwrite):
            return self.write(side, "drift")
        return self.keep("not_ours" if side in self.context.flows else "no_direction")

    def one_way(self, to: Side) -> Decision:
        """Both changed, and values flow to one side only: its source wins."""
        if self.sets and not self.row.config.overwrite and self.context.owner is None:
            return self.merge_sets()
        return self.write(to, "changed")

    def both_changed(self) -> Decision:
        if not self.context.flows:
            return self.keep("no_direction")
        if self.sets and not self.row.config.overwrite:
            return self.merge_sets()
        policy = self.row.config.on_conflict or self.context.on_conflict
        if policy == "latest" and self.context.newer is not None:
            return self.write(self.context.newer.other, "latest")
        if policy in ("left", "right"):
            return self.write(Side(policy).other, f"{policy}_wins")
        return self.conflict("conflict", policy)

    def first(self) -> Decision:
        """Both exist and never agreed on this row: an adopted pair, or a row that is new in the mapping."""
        flows = self.context.flows
        if not flows:
            return self.agree("no_direction")
        if self.equal:
            return self.agree("adopted")
        if not self.context.adapt:
            return self.agree("new_only")
        if len(flows) == 1:
            (to,) = flows
            return self.agree("adopted") if self._erases(to) else self.write(to, "adopted")
        if self.context.restorable is not None:
            return self.write(self.context.restorable, "mapping_changed")
        return self.fill_or(self.context.on_adopt)

    def fill_or(self, policy: OnAdopt) -> Decision:
        if policy in ("left", "right"):
            return self.write(Side(policy).other, "adopted")
        gaps = [side for side in Side if empty(self.now[side])]
        if policy == "fill" and len(gaps) == 1:
            return self.write(gaps[0], "filled")
        return self.conflict("differs_at_adoption", "halt")

    def mapping_changed(self) -> Decision:
        """Nobody edited, but the row or its table is another (rule 7)."""
        flows = self.context.flows
        if not flows or self.equal:
            return self.agree("mapping_changed") if flows else self.keep("no_direction")
        if not self.context.adapt:
            return self.agree("new_only")
        gaps = [side for side in flows if empty(self.now[side])]
        if len(gaps) == 1:
            return self.write(gaps[0], "filled")
        to = self.state.origin.other
        to = to if to in flows else to.other
        if self._erases(to) and empty(self.row.config.default.of(to)):
            return self.agree("mapping_changed")
        return self.write(to, "mapping_changed")

    def default_where_empty(self) -> Decision:
        """Flow None: a field without source, filled with its default only where it is empty (SPEC B4)."""
        for to in Side:
            schema, default = self.row.fields[to], self.row.config.default.of(to)
            if schema is not None and default is not None and to in self.context.flows and empty(self.now[to]):
                return self.write(to, "default")
        return self.keep()

    def merge_sets(self) -> Decision:
        """target' = target + (T(new) - T(base)) - (T(base) - T(new)); members without a row stay (rule 4)."""
        after = dict(self.now)
        held: Held | None = None
        waiting: dict[Side, list[Scalar]] = {side: [] for side in Side}
        for source in sorted(self.changed):
            to = source.other
            if to not in self.context.flows:
                continue
            after[to], left_over = self._with_edits(to)
            for member, problem in left_over:
                if problem.fatal:
                    return Decision(Kind.FAIL, problem.code, self.state, detail=problem.reason)
                # A member that could not be told stays out of the base: it is an edit that still waits.
                waiting[source].append(member)
                held = Held(to, waiting[source][0], problem.code, problem.reason, self.row.fingerprint)
        writes = {side: after[side] for side in Side if not same(after[side], self.now[side])}
        state = self.agree("changed", next(iter(self.changed)), writes).after
        for side in Side:
            if waiting[side]:
                state = state.with_base(side, tuple(m for m in members(after[side]) if m not in waiting[side]))
        if held is not None:
            before = self.state.held
            state = replace(state, held=before if before is not None and _same_held(before, held) else held)
        kind = Kind.WRITE if writes else Kind.HOLD if held else Kind.AGREE
        return Decision(
            kind, "changed" if writes or not held else held.code, state, writes, held.reason if held else ""
        )

    def _with_edits(self, to: Side) -> tuple[Value, list[tuple[Scalar, Untranslated]]]:
        """`to`'s members with the edits of the other side, and those of its new members that have no counterpart."""
        source, users = to.other, self.context.users[to]
        new, base = members(self.now[source]), members(self.state.base(source))
        told_new, left_over = translate_members(self.row, to, new, users)
        told_base, _ = translate_members(self.row, to, base, users)
        here = members(self.now[to])
        stay = [m for m in here if (m not in told_base or m in told_new) and not self._stood_for(to, m)]
        fresh = [m for m in told_new if m not in told_base and m not in stay]
        return (*stay, *fresh), [(m, problem) for m, problem in left_over if m not in base]

    def _stood_for(self, to: Side, member: Scalar) -> bool:
        """Whether `member` of `to` stands for members that were just removed: several may stand for one."""
        source = to.other
        if self.row.fields[source] is None:
            return False
        told, _ = translate_members(self.row, source, (member,), self.context.users[source])
        new, base = members(self.now[source]), members(self.state.base(source))
        return bool(told) and all(m in base and m not in new for m in told)

    def _whole(self, to: Side, value: Value) -> Value:
        """A set that replaces another keeps the members there that have no row (rule 4), unless `overwrite` is set."""
        if not self.sets or self.row.config.overwrite:
            return value
        foreign = [
            m
            for m in members(self.now[to])
            if m not in members(value)
            and not translate_members(self.row, to.other, (m,), self.context.users[to.other])[0]
        ]
        return (*members(value), *foreign)

    def settle(self, choice: Side | tuple[Side, Value]) -> Decision:
        """What the steward chose: one side's value, or a value of their own (in the terms of one side)."""
        if isinstance(choice, Side):
            return self.write(choice.other, "resolved") if self.row.fields[choice.other] else self.keep()
        side, value = choice
        translation = translate(self.row, side.other, value, self.context.users[side.other])
        if isinstance(translation, Untranslated):
            return Decision(Kind.FAIL, translation.code, self.state, detail=translation.reason)
        chosen = {side: value, side.other: translation.value}
        writes = {s: v for s, v in chosen.items() if not same(v, self.now[s])}
        return self.agree("resolved", side, writes)


def still_held(state: RowState, now: Mapping[Side, Value]) -> bool:
    """Whether the value that waits is still there to wait."""
    held = state.held
    if held is None:
        return False
    source = now[held.side.other]
    if isinstance(source, tuple) and not isinstance(held.value, tuple):
        return held.value in source
    return same(source, held.value)


def _same_held(a: Held, b: Held) -> bool:
    return (a.side, a.code, a.fingerprint) == (b.side, b.code, b.fingerprint) and same(a.value, b.value)
