"""A value table answers what its rows say, or nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entity import Choice, Ref, RichText, Scalar, Url, UserRef
from connectors.schema import FieldType
from mappings.config import Side
from mappings.values import ValueTable, auto, key_of, text_of, user_texts

PRIORITIES = [("Highest", "1"), ("High", "1"), ("Medium", "2"), ("", "none")]
TEXTS = st.text(min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("  as\r\nwritten ", "as\nwritten"),
        (RichText("**b**"), "**b**"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (Decimal("1.0"), "1"),
        (Decimal("1.50"), "1.5"),
        (Decimal("-0.0"), "0"),
        (Decimal("1E+3"), "1000"),
        (100, "100"),
        (date(2026, 11, 21), "2026-11-21"),
        (datetime(2026, 11, 21, 9, tzinfo=timezone(timedelta(hours=1))), "2026-11-21T08:00:00+00:00"),
        (Choice("In Progress", "3"), "In Progress"),
        (UserRef("7", "jane", "Jane@Example.org", "Jane"), "jane@example.org"),
        (UserRef("7", "jane"), "jane"),
        (UserRef("7"), "7"),
        (Ref("Bug", "12", "FAL-12"), "FAL-12"),
        (Url("https://x", "label"), "https://x"),
    ],
)
def test_every_value_has_one_text(value: Scalar, text: str) -> None:
    assert text_of(value) == text


def test_a_row_may_name_a_user_by_email_user_name_id_or_displayed_name() -> None:
    jane = UserRef("7", "jane", "Jane@Example.org", "Jane Doe")
    assert user_texts(jane) == ("jane@example.org", "jane", "7", "Jane Doe")
    for name in ("JANE@example.org", "jane", "7", "Jane Doe"):
        table = ValueTable([(name, "j.doe")], left_type=FieldType.USER)
        assert table.find(Side.RIGHT, jane) == "j.doe"
    assert ValueTable([("JANE", "x")], left_type=FieldType.USER).find(Side.RIGHT, jane) is None


def test_the_surest_text_of_a_user_wins() -> None:
    table = ValueTable([("Jane Doe", "by-name"), ("jane@example.org", "by-email")])
    assert table.find(Side.RIGHT, UserRef("7", email="jane@example.org", name="Jane Doe")) == "by-email"


def test_a_table_works_both_ways() -> None:
    table = ValueTable(PRIORITIES)
    assert table.to(Side.RIGHT, "Highest") == "1"
    assert table.to(Side.LEFT, "2") == "Medium"
    assert table.to(Side.RIGHT, "Unheard of") is None


def test_empty_is_a_value_that_can_be_mapped_both_ways() -> None:
    table = ValueTable(PRIORITIES)
    assert table.find(Side.RIGHT, None) == "none"
    assert table.to(Side.LEFT, "none") == ""
    assert ValueTable([("a", "b")]).find(Side.RIGHT, None) is None


def test_where_several_become_one_nothing_is_guessed_on_the_way_back() -> None:
    assert ValueTable(PRIORITIES).to(Side.LEFT, "1") is None
    assert ValueTable(PRIORITIES, {"1": "High"}).to(Side.LEFT, "1") == "High"


def test_two_rows_for_one_value_contradict_each_other() -> None:
    table = ValueTable([("High", "1"), ("High", "2")])
    assert table.to(Side.RIGHT, "High") is None
    assert table.to(Side.LEFT, "1") == "High"
    assert table.lossy(Side.LEFT) == {"High": ("1", "2")}


def test_lossy_values_are_those_without_a_chosen_way_back() -> None:
    assert ValueTable(PRIORITIES).lossy(Side.RIGHT) == {"1": ("Highest", "High")}
    assert ValueTable(PRIORITIES, {"1": "High"}).lossy(Side.RIGHT) == {}
    assert ValueTable(PRIORITIES).lossy(Side.LEFT) == {}


def test_the_same_row_twice_is_a_duplicate_and_no_contradiction() -> None:
    table = ValueTable([("a", "b"), ("a", "b"), ("c", "d")])
    assert table.duplicates == (("a", "b"),)
    assert table.to(Side.RIGHT, "a") == "b"


def test_a_way_back_that_the_rows_contradict_is_named() -> None:
    table = ValueTable(PRIORITIES, {"1": "Medium", "9": "High", "2": "Medium"})
    assert table.stray_back == ("1", "9")


@pytest.mark.parametrize(
    ("type", "written", "value", "meet"),
    [
        (FieldType.NUMBER, "1.0", 1, True),
        (FieldType.NUMBER, "01", Decimal("1.00"), True),
        (FieldType.NUMBER, "high", 1, False),
        (FieldType.TEXT, "01", "1", False),
        (FieldType.CHOICE, "1.0", Choice("1"), False),
        (FieldType.BOOLEAN, "Yes", True, True),
        (FieldType.BOOLEAN, "off", False, True),
        (None, "Yes", True, False),
    ],
)
def test_the_schema_says_whether_texts_meet_as_numbers(
    type: FieldType | None, written: str, value: Scalar, meet: bool
) -> None:
    table = ValueTable([(written, "x")], left_type=type)
    assert table.find(Side.RIGHT, value) == ("x" if meet else None)


def test_coverage_says_which_offered_values_can_flow() -> None:
    covered = ValueTable(PRIORITIES).coverage(Side.LEFT, ["High", "Low", "Medium", "High"])
    assert (covered.mapped, covered.unmapped, covered.unknown) == (("High", "Medium"), ("Low",), ("Highest",))
    assert covered.share == pytest.approx(2 / 3)
    assert ValueTable(PRIORITIES).coverage(Side.RIGHT, ["1"]).unmapped == ("1",), "no way back is no coverage"
    assert ValueTable([]).coverage(Side.LEFT, []).share == 1


def test_auto_pairs_equal_names_and_then_those_that_differ_in_case_alone() -> None:
    assert auto(["Open", "done", "New"], ["Done", "Open", "Closed"]) == (("Open", "Open"), ("done", "Done"))


def test_auto_pairs_nothing_that_is_not_unique() -> None:
    assert auto(["done"], ["Done", "DONE"]) == ()
    assert auto(["done", "Done"], ["DONE"]) == ()


def test_the_fingerprint_ignores_the_order_of_rows_and_nothing_else() -> None:
    table = ValueTable(PRIORITIES, {"1": "High"})
    assert table.fingerprint == ValueTable(PRIORITIES[::-1], {"1": "High"}).fingerprint
    assert table.fingerprint != ValueTable(PRIORITIES).fingerprint
    assert table.fingerprint != ValueTable(PRIORITIES[1:], {"1": "High"}).fingerprint


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_a_mirrored_table_gives_mirrored_answers(pairs: list[tuple[str, str]]) -> None:
    table, mirror = ValueTable(pairs), ValueTable([(right, left) for left, right in pairs])
    for left, right in pairs:
        assert table.to(Side.RIGHT, left) == mirror.to(Side.LEFT, left)
        assert table.to(Side.LEFT, right) == mirror.to(Side.RIGHT, right)
    assert table.lossy(Side.LEFT) == mirror.lossy(Side.RIGHT)


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_without_lossy_and_ambiguous_values_every_value_comes_back(pairs: list[tuple[str, str]]) -> None:
    table = ValueTable(pairs)
    for left, _ in pairs:
        there = table.to(Side.RIGHT, left)
        if there is not None and there not in table.lossy(Side.RIGHT):
            assert table.to(Side.LEFT, there) == left


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_has_one_key_however_it_is_written(number: Decimal) -> None:
    assert key_of(f"{number:f}", FieldType.NUMBER) == key_of(f" {number:f}00", FieldType.NUMBER) == text_of(number)


@given(st.lists(TEXTS), st.lists(TEXTS))
def test_auto_never_pairs_a_value_twice(left: list[str], right: list[str]) -> None:
    pairs = auto(left, right)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert {text for text in left if text in right} <= {a for a, _ in pairs}
