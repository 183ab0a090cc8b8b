"""The merge of one field row: the rules of DESIGN.md ("Merge and plan") as examples, its laws as properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entity import Choice, UserRef, Value, members, same
from connectors.schema import FieldSchema, FieldType
from mappings.config import Direction, FieldRow, Side
from mappings.merge import Context, Decision, Held, Kind, RowState, equal, merge
from mappings.translate import Directory, Row
from mappings.values import ValueTable

L, R = Side.LEFT, Side.RIGHT
BOTH = frozenset(Side)
PRIORITIES = [("Highest", "1"), ("High", "1"), ("Medium", "2"), ("Low", "3")]
BACK = {"1": "High"}


def row(
    *,
    type: FieldType = FieldType.TEXT,
    multiple: bool = False,
    pairs: Sequence[tuple[str, str]] | None = None,
    back: Mapping[str, str] | None = None,
    fingerprint: str = "f1",
    **config: Any,
) -> Row:
    """A row `a = b` of this type on both sides."""
    fields = {side: FieldSchema(name, type, multiple=multiple) for side, name in ((L, "a"), (R, "b"))}
    table = ValueTable(pairs, back) if pairs is not None else None
    return Row("a=b", FieldRow(left="a", right="b", **config), fields, table, {}, fingerprint)


def context(flows: frozenset[Side] = BOTH, **more: Any) -> Context:
    return Context(flows, {L: Directory(), R: Directory()}, **more)


def agreed(left: Value, right: Value, **more: Any) -> RowState:
    return RowState(left, right, fingerprint=more.pop("fingerprint", "f1"), **more)


def choices(*names: str) -> tuple[Choice, ...]:
    return tuple(Choice(name) for name in names)


# -- rule 1: per field, each side against its own base ---


@pytest.mark.parametrize(
    ("base", "left", "right", "kind", "writes"),
    [
        (("x", "x"), "x", "x", Kind.KEEP, {}),
        (("x", "x"), "y", "x", Kind.WRITE, {R: "y"}),
        (("x", "x"), "x", "y", Kind.WRITE, {L: "y"}),
        (("x", "x"), "y", "y", Kind.AGREE, {}),
        (("x", "x"), "y", "z", Kind.CONFLICT, {}),
        # Bases of their own: what differs between the sides is no change.
        (("x", "other words"), "x", "other words", Kind.KEEP, {}),
        # Empty is a value, and all empties are one.
        (("x", "x"), None, "x", Kind.WRITE, {R: None}),
        ((None, ""), "", None, Kind.KEEP, {}),
    ],
)
def test_each_side_is_compared_with_its_own_base(
    base: tuple[Value, Value], left: Value, right: Value, kind: Kind, writes: dict[Side, Value]
) -> None:
    decision = merge(row(), left, right, agreed(*base), context())
    assert (decision.kind, dict(decision.writes)) == (kind, writes)


def test_the_side_whose_value_won_is_the_origin() -> None:
    assert merge(row(), "x", "y", agreed("x", "x"), context()).after.origin is R


def test_a_lossy_table_never_looks_like_a_change() -> None:
    priority = row(type=FieldType.CHOICE, pairs=PRIORITIES, back=BACK)
    state = agreed(Choice("Highest"), Choice("1"))
    assert merge(priority, Choice("Highest"), Choice("1"), state, context()).kind is Kind.KEEP
    assert merge(priority, Choice("High"), Choice("1"), state, context()).kind is Kind.AGREE


def test_both_changed_to_what_is_equal_in_one_direction_is_a_false_conflict() -> None:
    priority = row(type=FieldType.CHOICE, pairs=PRIORITIES, back=BACK)
    state = agreed(Choice("Medium"), Choice("2"))
    decision = merge(priority, Choice("Highest"), Choice("1"), state, context())
    assert (decision.kind, decision.reason) == (Kind.AGREE, "false_conflict")


# -- rule 2: conflicts ---


@pytest.mark.parametrize(
    ("policy", "kind", "writes", "whole"),
    [
        ("halt", Kind.CONFLICT, {}, True),
        ("halt_field", Kind.CONFLICT, {}, False),
        ("left", Kind.WRITE, {R: "l"}, False),
        ("right", Kind.WRITE, {L: "r"}, False),
        ("latest", Kind.CONFLICT, {}, True),
    ],
)
def test_both_changed_differently_is_settled_by_policy(
    policy: Any, kind: Kind, writes: dict[Side, Value], whole: bool
) -> None:
    decision = merge(row(), "l", "r", agreed("x", "x"), context(on_conflict=policy))
    assert (decision.kind, dict(decision.writes), decision.whole) == (kind, writes, whole)


def test_the_later_edit_wins_only_where_it_is_known() -> None:
    decision = merge(row(), "l", "r", agreed("x", "x"), context(on_conflict="latest", newer=R))
    assert (dict(decision.writes), decision.reason) == ({L: "r"}, "latest")


def test_a_field_overrides_the_policy_of_its_entity() -> None:
    decision = merge(row(on_conflict="left"), "l", "r", agreed("x", "x"), context(on_conflict="halt"))
    assert dict(decision.writes) == {R: "l"}


def test_bases_freeze_while_there_is_a_conflict() -> None:
    state = agreed("x", "x")
    assert merge(row(), "l", "r", state, context()).after == state


@pytest.mark.parametrize(
    ("choice", "writes"),
    [(L, {R: "l"}), (R, {L: "r"}), ((L, "v"), {L: "v", R: "v"}), ((R, "r"), {L: "r"})],
)
def test_a_steward_chooses_a_side_or_a_value(choice: Any, writes: dict[Side, Value]) -> None:
    decision = merge(row(), "l", "r", agreed("x", "x"), context(settle=choice))
    assert dict(decision.writes) == writes


# -- rule 3: held values ---


def test_a_value_without_a_row_is_held_and_its_base_stays() -> None:
    priority = row(type=FieldType.CHOICE, pairs=PRIORITIES, back=BACK)
    state = agreed(Choice("Low"), Choice("3"))
    decision = merge(priority, Choice("Trivial"), Choice("3"), state, context())
    assert (decision.kind, decision.reason) == (Kind.HOLD, "unmapped")
    assert (decision.after.left, decision.after.held and decision.after.held.value) == (
        Choice("Low"),
        Choice("Trivial"),
    )


def test_an_edit_on_the_other_side_of_a_held_value_is_a_conflict() -> None:
    priority = row(type=FieldType.CHOICE, pairs=PRIORITIES, back=BACK)
    held = merge(priority, Choice("Trivial"), Choice("3"), agreed(Choice("Low"), Choice("3")), context()).after
    assert merge(priority, Choice("Trivial"), Choice("2"), held, context()).kind is Kind.CONFLICT


def test_a_new_table_releases_what_it_now_maps() -> None:
    priority = row(type=FieldType.CHOICE, pairs=PRIORITIES, back=BACK)
    held = merge(priority, Choice("Trivial"), Choice("3"), agreed(Choice("Low"), Choice("3")), context()).after
    longer = row(type=FieldType.CHOICE, pairs=[*PRIORITIES, ("Trivial", "4")], back=BACK, fingerprint="f2")
    decision = merge(longer, Choice("Trivial"), Choice("3"), held, context())
    assert (dict(decision.writes), decision.after.held) == ({R: Choice("4")}, None)


def test_what_the_target_refused_is_not_sent_again_until_something_changes() -> None:
    first = merge(row(), "y", "x", agreed("x", "x"), context())
    refused = replace(agreed("x", "x"), held=Held(R, "y", "rejected", "too long", "f1"))
    assert first.kind is Kind.WRITE
    assert merge(row(), "y", "x", refused, context()).kind is Kind.HOLD
    assert merge(row(), "z", "x", refused, context()).kind is Kind.WRITE
    assert merge(row(fingerprint="f2"), "y", "x", refused, context()).kind is Kind.WRITE
    assert merge(row(), "y", "x", refused, context(retry=True)).kind is Kind.WRITE


# -- rule 4: sets ---


@pytest.mark.parametrize(
    ("base", "left", "right", "after"),
    [
        (("x",), ("x", "y"), ("x",), {R: ("x", "y")}),
        (("x", "y"), ("x",), ("x", "y"), {R: ("x",)}),
        (("x",), ("x", "y"), ("x", "z"), {L: ("x", "y", "z"), R: ("x", "y", "z")}),
        (("x", "y"), ("y",), ("x", "y", "z"), {L: ("y", "z"), R: ("y", "z")}),
        (("x",), (), (), {}),
    ],
)
def test_edits_of_different_members_both_survive(
    base: tuple[str, ...], left: tuple[str, ...], right: tuple[str, ...], after: dict[Side, tuple[str, ...]]
) -> None:
    labels = row(type=FieldType.CHOICE, multiple=True)
    decision = merge(labels, choices(*left), choices(*right), agreed(choices(*base), choices(*base)), context())
    assert {side: {str(m) for m in members(v)} for side, v in decision.writes.items()} == {
        side: set(names) for side, names in after.items()
    }


def test_members_without_a_row_are_never_removed() -> None:
    labels = row(type=FieldType.CHOICE, multiple=True, pairs=[("bug", "defect"), ("ui", "front")])
    state = agreed(choices("bug"), choices("defect"))
    decision = merge(labels, choices(), choices("defect", "theirs"), state, context())
    assert decision.writes[R] == choices("theirs")


def test_a_new_member_without_a_row_waits_and_the_others_flow() -> None:
    labels = row(type=FieldType.CHOICE, multiple=True, pairs=[("bug", "defect"), ("ui", "front")])
    state = agreed(choices("bug"), choices("defect"))
    decision = merge(labels, choices("bug", "ui", "odd"), choices("defect"), state, context())
    assert set(members(decision.writes[R])) == set(choices("defect", "front"))
    assert decision.after.held is not None
    assert decision.after.held.value == Choice("odd")
    assert Choice("odd") not in members(decision.after.left)


def test_overwrite_replaces_a_set() -> None:
    labels = row(type=FieldType.CHOICE, multiple=True, overwrite=True, direction=Direction.LEFT_TO_RIGHT)
    state = agreed(choices("x"), choices("x"))
    decision = merge(labels, choices("y"), choices("x", "theirs"), state, context(frozenset((R,))))
    assert decision.writes[R] == choices("y")


# -- rule 5: one way ---


@pytest.mark.parametrize(
    ("left", "right", "owner", "overwrite", "writes"),
    [
        ("y", "x", None, False, {R: "y"}),
        ("x", "theirs", None, False, {}),
        ("x", "theirs", None, True, {R: "x"}),
        ("x", "theirs", L, False, {R: "x"}),
        ("y", "theirs", None, False, {R: "y"}),
        ("y", "theirs", L, False, {R: "y"}),
    ],
)
def test_values_that_flow_right_only(
    left: str, right: str, owner: Side | None, overwrite: bool, writes: dict[Side, Value]
) -> None:
    one_way = row(direction=Direction.LEFT_TO_RIGHT, overwrite=overwrite)
    decision = merge(one_way, left, right, agreed("x", "x"), context(frozenset((R,)), owner=owner))
    assert dict(decision.writes) == writes


def test_flow_none_fills_a_field_only_where_it_is_empty() -> None:
    origin = row(direction=Direction.NONE, default={"right": "syncline"})
    flows = frozenset((R,))
    assert dict(merge(origin, None, "", agreed(None, ""), context(flows)).writes) == {R: "syncline"}
    assert dict(merge(origin, None, "theirs", agreed(None, ""), context(flows)).writes) == {}


# -- adoption and changed mappings (rule 7) ---


@pytest.mark.parametrize(
    ("left", "right", "policy", "kind", "writes"),
    [
        ("x", "x", "fill", Kind.AGREE, {}),
        ("x", None, "fill", Kind.WRITE, {R: "x"}),
        (None, "x", "fill", Kind.WRITE, {L: "x"}),
        ("x", "y", "fill", Kind.CONFLICT, {}),
        ("x", "y", "left", Kind.WRITE, {R: "x"}),
        ("x", "y", "right", Kind.WRITE, {L: "y"}),
        ("x", None, "halt", Kind.CONFLICT, {}),
    ],
)
def test_a_pair_that_was_just_found_is_settled_by_on_adopt(
    left: Value, right: Value, policy: Any, kind: Kind, writes: dict[Side, Value]
) -> None:
    decision = merge(row(), left, right, None, context(on_adopt=policy))
    assert (decision.kind, dict(decision.writes)) == (kind, writes)


def test_a_new_row_may_write_a_twin_that_nobody_but_us_has_touched() -> None:
    decision = merge(row(), "x", "y", None, context(restorable=R))
    assert (dict(decision.writes), decision.reason) == ({R: "x"}, "mapping_changed")


@pytest.mark.parametrize(
    ("left", "right", "origin", "writes"),
    [
        ("one", "uno", L, {}),
        ("one", "eins", L, {R: "uno"}),
        ("one", "eins", R, {L: "eins"}),
        ("one", None, R, {R: "uno"}),
    ],
)
def test_a_changed_table_is_applied_from_the_side_a_value_came_from(
    left: Value, right: Value, origin: Side, writes: dict[Side, Value]
) -> None:
    changed = row(pairs=[("one", "uno"), ("eins", "eins")], fingerprint="f2")
    decision = merge(changed, left, right, agreed(left, right, origin=origin), context())
    assert dict(decision.writes) == writes
    assert decision.after.fingerprint == "f2"


def test_new_only_leaves_linked_pairs_as_they_are() -> None:
    changed = row(pairs=[("one", "uno")], fingerprint="f2")
    decision = merge(changed, "one", "eins", agreed("one", "eins"), context(adapt=False))
    assert (dict(decision.writes), decision.after.fingerprint) == ({}, "f2")


def test_a_user_that_nobody_knows_there_is_held() -> None:
    assignee = row(type=FieldType.USER)
    state = agreed(None, None)
    ada = UserRef("7", email="ada@example.org")
    decision = merge(assignee, ada, None, state, context())
    assert (decision.kind, decision.reason) == (Kind.HOLD, "unknown_user")


# -- laws ---

values = st.sampled_from([None, "a", "b", "c"])
sets = st.lists(st.sampled_from("abcd"), unique=True, max_size=4).map(lambda names: choices(*names))
flows_of = st.sampled_from([BOTH, frozenset((L,)), frozenset((R,)), frozenset()])
policies = st.sampled_from(["halt", "halt_field", "left", "right"])


def mirrored(decision: Decision) -> dict[Side, Value]:
    return {side.other: value for side, value in decision.writes.items()}


@given(values, values, values, values, flows_of, st.sampled_from(["halt", "halt_field"]))
def test_the_core_does_not_know_which_side_it_plays(
    base_l: Value, base_r: Value, left: Value, right: Value, flows: frozenset[Side], policy: Any
) -> None:
    decision = merge(row(), left, right, agreed(base_l, base_r), context(flows, on_conflict=policy))
    swapped = frozenset(side.other for side in flows)
    mirror = merge(row(), right, left, agreed(base_r, base_l, origin=R), context(swapped, on_conflict=policy))
    assert (decision.kind, mirrored(decision)) == (mirror.kind, dict(mirror.writes))


@given(values, values, values, values, flows_of, policies)
def test_what_was_decided_and_done_is_decided_once(
    base_l: Value, base_r: Value, left: Value, right: Value, flows: frozenset[Side], policy: Any
) -> None:
    rules = context(flows, on_conflict=policy)
    decision = merge(row(), left, right, agreed(base_l, base_r), rules)
    assert set(decision.writes) <= flows
    now = {L: left, R: right, **decision.writes}
    again = merge(row(), now[L], now[R], decision.after, rules)
    assert not again.writes


@given(values, values, st.sampled_from([L, R]))
def test_an_edit_of_one_side_always_arrives(base: Value, edit: Value, side: Side) -> None:
    now = {L: base, R: base, side: edit}
    decision = merge(row(), now[L], now[R], agreed(base, base), context())
    arrived = decision.writes.get(side.other, now[side.other])
    assert same(arrived, edit)


@given(sets, sets, sets)
def test_no_edit_of_a_member_is_lost(base: Value, left: Value, right: Value) -> None:
    labels = row(type=FieldType.CHOICE, multiple=True)
    decision = merge(labels, left, right, agreed(base, base), context())
    assert decision.kind is not Kind.CONFLICT
    now = {side: set(members(decision.writes.get(side, value))) for side, value in ((L, left), (R, right))}
    added = (set(members(left)) | set(members(right))) - set(members(base))
    removed = set(members(base)) - (set(members(left)) & set(members(right)))
    assert now[L] == now[R] == (set(members(base)) - removed) | added


@given(st.lists(st.tuples(st.sampled_from([L, R]), st.integers(0, 3)), max_size=12))
def test_a_many_to_one_table_never_oscillates(edits: list[tuple[Side, int]]) -> None:
    priority = row(type=FieldType.CHOICE, pairs=PRIORITIES, back=BACK)
    names = {L: ["Highest", "High", "Medium", "Low"], R: ["1", "2", "3", "1"]}
    now: dict[Side, Value] = {L: Choice("Low"), R: Choice("3")}
    state = agreed(now[L], now[R])
    for side, index in edits:
        now[side] = Choice(names[side][index])
        decision = merge(priority, now[L], now[R], state, context())
        now, state = {**now, **decision.writes}, decision.after
        quiet = merge(priority, now[L], now[R], state, context())
        assert quiet.kind is Kind.KEEP
        assert equal(priority, now[L], now[R], context())
