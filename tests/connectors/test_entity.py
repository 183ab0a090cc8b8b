"""Values compare by meaning, and survive being stored."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entity import (
    Choice,
    EntityRef,
    Ref,
    RichText,
    Scalar,
    Url,
    UserRef,
    Value,
    decode,
    empty,
    encode,
    members,
    normal_text,
    same,
    utc,
)

words = st.text(max_size=20)
maybe = st.none() | words
scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.none(),
    words,
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0)),
    st.builds(RichText, words, maybe),
    st.builds(Choice, words, maybe),
    st.builds(UserRef, words, maybe, maybe, maybe),
    st.builds(Ref, words, words, maybe),
    st.builds(Url, words, maybe),
)
values: st.SearchStrategy[Value] = scalars | st.lists(scalars, max_size=4).map(tuple)


@given(values)
def test_every_value_survives_json(value: Value) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)  # the labels too, which take no part in comparison


@given(values)
def test_same_is_reflexive(value: Value) -> None:
    assert same(value, value)


@given(values, values)
def test_same_is_symmetric(a: Value, b: Value) -> None:
    assert same(a, b) == same(b, a)


@given(values, values, values)
def test_same_is_transitive(a: Value, b: Value, c: Value) -> None:
    assert not (same(a, b) and same(b, c)) or same(a, c)


@given(st.lists(scalars, max_size=4), st.randoms(use_true_random=False))
def test_several_values_have_no_order(several: list[Scalar], random: object) -> None:
    shuffled = list(several)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same(tuple(several), tuple(shuffled))


@given(st.text())
def test_normal_text_is_normal(text: str) -> None:
    assert normal_text(normal_text(text)) == normal_text(text)
    assert "\r" not in normal_text(text)


SAME: list[tuple[Value, Value]] = [
    (None, ""),
    (None, "  \n"),
    (RichText(" "), ()),
    ("a\r\nb", "a\nb "),
    (RichText("a\r\nb"), RichText("a\nb\n")),
    (RichText("a", "<p>a</p>"), RichText("a")),
    (Choice("Open", "1"), Choice("Open", "2")),
    (UserRef("1", "ann"), UserRef("1", "anna", "a@example.org")),
    ((Choice("a"), Choice("b")), (Choice("b"), Choice("a"))),
    ((Choice("a"),), Choice("a")),
    ("a", RichText("a")),
    (("a\r\nb",), (RichText("a\nb"),)),
    (1, Decimal("1.0")),
    (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))),
]
DIFFERENT: list[tuple[Value, Value]] = [
    ("a", "b"),
    ("a", None),
    ("a b", "a  b"),
    ("Open", "open"),
    (True, 1),
    (False, 0),
    (False, None),
    (0, None),
    ("1", 1),
    (Choice("a"), "a"),
    ((True,), (1,)),
    (UserRef("1", "ann"), UserRef("2", "ann")),
    ((Choice("a"),), (Choice("a"), Choice("b"))),
    (date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_values_that_mean_the_same(a: Value, b: Value) -> None:
    assert same(a, b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_values_that_mean_something_else(a: Value, b: Value) -> None:
    assert not same(a, b)
    assert not same(b, a)


@pytest.mark.parametrize(
    ("value", "expected"), [(None, ()), ("", ()), ((), ()), ("a", ("a",)), (("a", "b"), ("a", "b")), (0, (0,))]
)
def test_members_of_a_value(value: Value, expected: tuple[Scalar, ...]) -> None:
    assert members(value) == expected
    assert empty(value) == (expected == ())


def test_a_ref_is_type_and_id_and_its_scope_a_label() -> None:
    assert EntityRef("A", "bug", "1") == EntityRef("B", "bug", "1")
    assert EntityRef("A", "bug", "1") != EntityRef("A", "task", "1")
    assert len({EntityRef("A", "bug", "1"), EntityRef("B", "bug", "1")}) == 1


def test_a_time_without_zone_is_a_guess_and_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        utc(datetime(2026, 1, 1))  # noqa: DTZ001
    assert utc(datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))) == datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("foreign", [1.5, b"x", {"a": 1}, {1, 2}])
def test_what_is_no_value_is_not_stored(foreign: object) -> None:
    with pytest.raises(TypeError, match="not a canonical value"):
        encode(foreign)  # type: ignore[arg-type]


def test_a_stored_value_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        decode({"colour": "red"})
