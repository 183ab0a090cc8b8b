"""Conditions answer yes or no about an entity's fields, and every mistake in one is named at once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entity import Choice, Ref, RichText, Url, UserRef, Value
from mappings.criteria import ConditionError, parse
from mappings.operators import OPERATORS

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
JANE = UserRef("7", "jane", "Jane@Example.org", "Jane Doe")
LABELS = (Choice("sync"), Choice("urgent"))


@pytest.mark.parametrize(
    ("value", "condition", "holds"),
    [
        # texts, exactly
        ("Open", {"equals": "Open"}, True),
        ("Open", {"equals": "open"}, False),
        ("two\r\nlines ", {"equals": "two\nlines"}, True),
        (RichText("**b**", "original"), {"equals": "**b**"}, True),
        (Choice("Done", "5"), {"equals": "Done"}, True),
        (Choice("Done", "5"), {"equals": "5"}, False),
        (Choice("true"), {"equals": True}, True),
        ("1.0", {"equals": 1}, False),
        (Url("https://x/1"), {"starts_with": "https://x/"}, True),
        (Ref("Bug", "12", "FAL-12"), {"in": ["12"]}, True),
        ("FAL-12", {"starts_with": "FAL"}, True),
        ("FAL-12", {"ends_with": "2"}, True),
        ("FAL-12", {"matches": r"^[A-Z]+-\d+$"}, True),
        ("a FAL-12 b", {"matches": r"FAL-\d"}, True),
        ("a whole sentence", {"contains": "whole"}, True),
        # several values
        (LABELS, {"contains": "sync"}, True),
        (LABELS, {"contains": "syn"}, False),
        (LABELS, {"not_contains": "other"}, True),
        (LABELS, {"in": ["urgent", "x"]}, True),
        (LABELS, {"equals": ["urgent", "sync"]}, True),
        (LABELS, {"equals": "sync"}, False),
        (LABELS, {"starts_with": "urg"}, True),
        # numbers and booleans
        (3, {"equals": "3.0"}, True),
        (Decimal("2.5"), {"greater_than": 2}, True),
        (3, {"at_least": 3, "at_most": 3}, True),
        (3, {"less_than": 3}, False),
        ("10", {"greater_than": 9}, True),
        (Choice("2"), {"at_most": 2.5}, True),
        ("high", {"greater_than": 1}, False),
        (True, {"equals": "yes"}, True),
        (True, {"equals": 1}, True),
        (True, {"greater_than": 0}, False),
        (1, {"equals": True}, False),
        # moments
        (date(2026, 11, 21), {"equals": "2026-11-21"}, True),
        (NOW, {"equals": "2026-11-21"}, True),
        (NOW, {"greater_than": "2026-11-21"}, False),
        (NOW, {"at_least": "2026-11-21"}, True),
        (NOW, {"greater_than": "2026-11-21T12:59:59+01:00"}, True),
        (NOW, {"equals": "2026-11-21T13:00+01:00"}, True),
        (NOW, {"at_most": "now"}, True),
        (date(2026, 11, 14), {"less_than": "now - 7d"}, False),
        (date(2026, 11, 13), {"less_than": "now - 7d"}, True),
        (datetime(2026, 11, 21, 13, tzinfo=UTC), {"greater_than": "now + 30m"}, True),
        ("2026-11-01", {"less_than": "2026-11-02"}, True),
        (NOW, {"greater_than": 5}, False),
        # users
        (JANE, {"equals": "jane@EXAMPLE.org"}, True),
        (JANE, {"equals": "Jane Doe"}, True),
        (JANE, {"in": ["7"]}, True),
        (JANE, {"equals": "JANE"}, False),
        # empties
        (None, {"empty": True}, True),
        ("  ", {"empty": "true"}, True),
        ((), {"empty": True}, True),
        (RichText(""), {"equals": None}, True),
        (0, {"empty": False}, True),
        (None, {"not_equals": "x"}, True),
        (None, {"in": ["x", None]}, True),
        (None, {"contains": "x"}, False),
        (None, {"less_than": 1}, False),
        # several operators: all of them
        (3, {"greater_than": 1, "less_than": 3}, False),
        # short forms
        ("Open", "Open", True),
        ("Open", ["Closed", "Open"], True),
        (None, None, True),
    ],
)
def test_operators(value: Value, condition: Any, holds: bool) -> None:
    assert parse({"field": condition}).holds({"field": value}, NOW) is holds


def test_several_fields_must_all_hold() -> None:
    condition = parse({"status": "Open", "labels": {"contains": "sync"}})
    assert condition.holds({"status": "Open", "labels": LABELS})
    assert not condition.holds({"status": "Open"})


def test_conditions_combine() -> None:
    condition = parse({"any": [{"a": 1}, {"not": {"b": 2}}], "all": [{"c": 3}]})
    assert condition.fields == {"a", "b", "c"}
    assert condition.holds({"a": 1, "b": 2, "c": 3})
    assert not condition.holds({"a": 0, "b": 2, "c": 3})
    assert not condition.holds({"a": 1, "b": 0})


def test_a_condition_reads_as_a_sentence() -> None:
    condition = parse({"labels": {"contains": "sync"}, "any": [{"a": {"empty": False}}, {"not": {"b": [1, "x"]}}]})
    assert condition.describe() == 'labels contains "sync" and (a is not empty or not (b in [1, "x"]))'


def test_only_a_condition_that_speaks_of_now_needs_the_present_moment() -> None:
    assert not parse({"due": {"less_than": "2026-11-21"}}).relative
    condition = parse({"not": {"due": {"less_than": "now - 1h"}}})
    assert condition.relative
    with pytest.raises(ValueError, match="nobody says when now is"):
        condition.holds({"due": NOW})


def test_every_mistake_is_named_with_its_place_and_remedy() -> None:
    wrong = {
        "a": {"contain": "x"},
        "b": {"at_least": "soon"},
        "c": {"in": "x"},
        "d": {"matches": "("},
        "e": {"empty": "perhaps"},
        "f": {"equals": {"g": 1}},
        "any": {"h": 1},
        "not": ["x"],
    }
    with pytest.raises(ConditionError) as raised:
        parse(wrong)
    assert {problem.path: problem.code for problem in raised.value.problems} == {
        ("a", "contain"): "unknown_operator",
        ("b", "at_least"): "bad_operand",
        ("c", "in"): "bad_operand",
        ("d", "matches"): "bad_operand",
        ("e", "empty"): "bad_operand",
        ("f", "equals"): "bad_operand",
        ("any",): "bad_condition",
        ("not",): "bad_condition",
    }
    assert "contains" in raised.value.problems[0].remedy
    assert all(problem.remedy for problem in raised.value.problems)


def test_a_condition_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(ConditionError):
        parse(["status"])  # type: ignore[arg-type]


# ---- laws -----------------------------------------------------------------------------------------------------------

OPERANDS = {"in": ["a", "1"], "not_in": ["a", "1"], "empty": True, "matches": "a"}
LEAVES = st.builds(
    lambda field, name: {field: {name: OPERANDS.get(name, "1")}},
    st.sampled_from("abc"),
    st.sampled_from(list(OPERATORS)),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda c: {"not": c}, inner),
        st.builds(lambda cs: {"any": cs}, st.lists(inner, max_size=3)),
        st.builds(lambda cs: {"all": cs}, st.lists(inner, max_size=3)),
    ),
    max_leaves=6,
)
SCALARS = st.sampled_from([None, "", "a", "1", 1, 2, True, Choice("a"), RichText("a1"), NOW, JANE])
FIELDS = st.dictionaries(st.sampled_from("abc"), st.one_of(SCALARS, st.lists(SCALARS, max_size=2).map(tuple)))


@given(CONDITIONS, FIELDS)
def test_not_is_the_opposite(condition: dict[str, Any], fields: dict[str, Value]) -> None:
    assert parse({"not": condition}).holds(fields) is not parse(condition).holds(fields)


@given(st.lists(CONDITIONS, max_size=3), FIELDS)
def test_all_and_any_are_and_and_or(conditions: list[dict[str, Any]], fields: dict[str, Value]) -> None:
    answers = [parse(condition).holds(fields) for condition in conditions]
    assert parse({"all": conditions}).holds(fields) is all(answers)
    assert parse({"any": conditions}).holds(fields) is any(answers)


@given(st.lists(CONDITIONS, max_size=3), FIELDS)
def test_not_any_is_all_not(conditions: list[dict[str, Any]], fields: dict[str, Value]) -> None:
    all_not = {"all": [{"not": condition} for condition in conditions]}
    assert parse({"not": {"any": conditions}}).holds(fields) is parse(all_not).holds(fields)


@given(FIELDS)
@pytest.mark.parametrize("name", [name for name in OPERATORS if f"not_{name}" in OPERATORS])
def test_a_not_operator_is_the_opposite_of_its_twin(name: str, fields: dict[str, Value]) -> None:
    operand = OPERANDS.get(name, "a")
    assert parse({"a": {f"not_{name}": operand}}).holds(fields) is not parse({"a": {name: operand}}).holds(fields)


@given(CONDITIONS, FIELDS)
def test_only_the_named_fields_matter(condition: dict[str, Any], fields: dict[str, Value]) -> None:
    criterion = parse(condition)
    named = {name: value for name, value in fields.items() if name in criterion.fields}
    assert criterion.holds(named) is criterion.holds(fields)
