"""Translation: every policy of SPEC B4, users of B5, conversions of B8."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.entity import Choice, RichText, Url, UserRef, Value
from connectors.schema import FieldSchema, FieldType
from mappings.config import FieldRow, Side
from mappings.translate import Directory, Row, Translated, Translation, Untranslated, render, translate
from mappings.values import ValueTable

L, R = Side.LEFT, Side.RIGHT
ADA = UserRef("7", "ada", "Ada@example.org", "Ada Lovelace")
ADA_THERE = UserRef("u-1", "al", "ada@example.org", "A. L.")
STATES = (Choice("open", "1"), Choice("closed", "2"))


def directory(**users: tuple[UserRef, ...]) -> Directory:
    known = Directory()
    known.learn("ada@example.org", (ADA_THERE,))
    known.learn("nobody@example.org", ())
    known.learn("twins@example.org", (ADA_THERE, UserRef("u-2")))
    known.learn("fallback", (UserRef("u-9", "fallback"),))
    for text, found in users.items():
        known.learn(text, found)
    return known


def to_right(
    value: Value,
    source: FieldSchema,
    target: FieldSchema,
    *,
    pairs: list[tuple[str, str]] | None = None,
    **config: Any,
) -> Translation:
    row = Row(
        "a=b",
        FieldRow(left="a", right="b", **config),
        {L: source, R: target},
        ValueTable(pairs) if pairs is not None else None,
        {},
        "f",
    )
    return translate(row, R, value, directory())


def field(type: FieldType, **more: Any) -> FieldSchema:
    return FieldSchema("b", type, **more)


TEXT, STATE, USER = field(FieldType.TEXT), field(FieldType.CHOICE, choices=STATES), field(FieldType.USER)
DEFAULT = {"right": "open"}


# -- on_empty ---


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, Translated(None)),
        ({"default": DEFAULT}, Translated(Choice("open"))),
        ({"default": DEFAULT, "on_empty": "write_empty"}, Translated(None)),
        ({"on_empty": "hold"}, "empty"),
        ({"on_empty": "fail"}, "empty!"),
        ({"default": {"left": "x"}}, Translated(None)),
    ],
)
@pytest.mark.parametrize("empty", [None, "", "  ", RichText(" ")])
def test_nothing_comes_from_the_source(config: dict[str, Any], expected: object, empty: Value) -> None:
    assert told(to_right(empty, TEXT, STATE, **config)) == expected


def test_empty_is_a_value_that_a_table_can_map() -> None:
    assert to_right(None, STATE, STATE, pairs=[("", "closed")], default=DEFAULT) == Translated(Choice("closed"))
    assert to_right(Choice("open"), STATE, STATE, pairs=[("open", "")]) == Translated(None)


# -- on_unmapped ---


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "unmapped"),
        ({"on_unmapped": "hold"}, "unmapped"),
        ({"on_unmapped": "default", "default": DEFAULT}, Translated(Choice("open"))),
        ({"on_unmapped": "default"}, "unmapped"),
        ({"on_unmapped": "keep"}, Translated(Choice("odd"))),
        ({"on_unmapped": "fail"}, "unmapped!"),
    ],
)
def test_a_value_that_the_table_lacks(config: dict[str, Any], expected: object) -> None:
    assert told(to_right(Choice("odd"), STATE, STATE, pairs=[("new", "open")], **config)) == expected


def test_without_a_table_choices_meet_by_equal_name_alone() -> None:
    assert to_right(Choice("open", "77"), STATE, STATE) == Translated(Choice("open", "1"))
    assert told(to_right(Choice("Open"), STATE, STATE)) == "unmapped"


# -- on_unknown_user ---


@pytest.mark.parametrize(
    ("email", "config", "expected"),
    [
        ("ADA@example.org", {}, Translated(ADA_THERE)),
        ("nobody@example.org", {}, "unknown_user"),
        ("twins@example.org", {}, "ambiguous_user"),
        (None, {}, "unknown_user"),
        ("nobody@example.org", {"on_unknown_user": "default", "default": {"right": "fallback"}},
         Translated(UserRef("u-9"))),
        ("nobody@example.org", {"on_unknown_user": "fail"}, "unknown_user!"),
        ("nobody@example.org", {"on_unknown_user": "keep"}, "unknown_user"),
        ("twins@example.org", {"on_unknown_user": "default", "default": {"right": "fallback"}},
         Translated(UserRef("u-9"))),
    ],
)  # fmt: skip
def test_users_meet_by_email_and_are_never_guessed(email: str | None, config: Any, expected: object) -> None:
    # The user name and the name that people see are those of somebody over there: they do not count.
    assert told(to_right(UserRef("1", "al", email, "A. L."), USER, USER, **config)) == expected


def test_an_explicit_row_goes_before_the_email() -> None:
    assert to_right(ADA, USER, USER, pairs=[("ada@example.org", "fallback")]) == Translated(UserRef("u-9"))
    assert to_right(ADA, USER, USER, pairs=[("somebody", "fallback")]) == Translated(ADA_THERE)


def test_a_user_that_was_not_looked_up_yet_is_asked_for() -> None:
    users = Directory()
    row = Row("a=b", FieldRow(left="a", right="b"), {L: USER, R: USER}, None, {}, "f")
    translate(row, R, ADA, users)
    assert users.missing == {"Ada@example.org"}


# -- conversions ---


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [
        ("text", TEXT, "text"),
        (RichText("**bold**"), field(FieldType.RICH_TEXT), RichText("**bold**")),
        (RichText("body"), TEXT, "body"),
        ("body", field(FieldType.RICH_TEXT), RichText("body")),
        (5, TEXT, "5"),
        (Decimal("1.50"), TEXT, "1.5"),
        ("12", field(FieldType.NUMBER), 12),
        ("1.5", field(FieldType.NUMBER), Decimal("1.5")),
        ("twelve", field(FieldType.NUMBER), "unconvertible"),
        (True, TEXT, "true"),
        ("yes", field(FieldType.BOOLEAN), True),
        ("perhaps", field(FieldType.BOOLEAN), "unconvertible"),
        (datetime(2026, 11, 21, 23, 30, tzinfo=UTC), field(FieldType.DATE), date(2026, 11, 21)),
        (date(2026, 11, 21), field(FieldType.DATETIME), datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21", field(FieldType.DATE), date(2026, 11, 21)),
        ("soon", field(FieldType.DATE), "unconvertible"),
        (Choice("open"), TEXT, "open"),
        ("open", STATE, Choice("open")),
        ("https://a.example", field(FieldType.URL), Url("https://a.example")),
        (ADA, TEXT, "Ada@example.org"),
        ((Choice("x"), Choice("y")), field(FieldType.CHOICE, multiple=True), (Choice("x"), Choice("y"))),
        ((Choice("x"),), field(FieldType.CHOICE), Choice("x")),
        ((Choice("x"), Choice("y")), field(FieldType.CHOICE), "unconvertible"),
        (Choice("x"), field(FieldType.CHOICE, multiple=True), (Choice("x"),)),
        ("text", field(FieldType.LINK), "unconvertible"),
    ],
)
def test_conversions(value: Value, target: FieldSchema, expected: Value) -> None:
    result = told(to_right(value, TEXT, target))
    assert result == (expected if expected == "unconvertible" else Translated(expected))


# -- rows without a source ---


def test_constants_and_templates_need_no_source() -> None:
    def alone(**config: Any) -> Row:
        return Row("=b", FieldRow(right="b", **config), {L: None, R: TEXT}, None, {}, "f")

    fields = {"id": "12", "title": "Broken", "tags": (Choice("x"), Choice("y"))}
    for row, expected in (
        (alone(constant="Falcon"), "Falcon"),
        (alone(template="#{id}: {title} [{tags}]"), "#12: Broken [x, y]"),
        (alone(default={"right": "jira"}), "jira"),
    ):
        assert translate(row, R, row.value(L, fields), Directory()) == Translated(expected)


@pytest.mark.parametrize(
    ("template", "expected"),
    [("{id}", "12"), ("{{id}}", "{id}"), ("{nothing}", "{nothing}"), ("open {", "open {"), ("", "")],
)
def test_a_template_leaves_alone_what_it_does_not_know(template: str, expected: str) -> None:
    assert render(template, {"id": 12}) == expected


def told(result: Translation) -> object:
    """What was translated; else the code of why not, with `!` where the policy says fail."""
    return result.code + "!" * result.fatal if isinstance(result, Untranslated) else result
