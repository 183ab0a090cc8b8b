"""Redmine's JSON and canonical values, and what is not Redmine: all without a Redmine."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connectors._redmine_values import Shape, normal, shape
from connectors.contract import Query
from connectors.entity import Choice, EntityRef, RichText, UserRef, Value, same
from connectors.errors import ConfigurationError, ConnectorError, Unavailable
from connectors.redmine import RedmineConfig, RedmineConnector
from connectors.rest import Http

TRACKER = {"id": 1, "name": "Bug", "enabled_standard_fields": ["description", "assigned_to_id"]}
CHOICES = {"status": [{"id": 1, "name": "New"}], "fixed_version": [{"id": 7, "name": "1.0"}]}


def custom(number: int, name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": name, "field_format": kind, **more}


def made(*fields: dict[str, Any]) -> Shape:
    return shape(TRACKER, CHOICES, fields)


def nobody(number: str, name: str | None) -> UserRef:
    return UserRef(number, name=name)


class TestShape:
    def test_fields_that_a_tracker_does_without_are_not_offered(self) -> None:
        fields = made().schema.fields
        assert {"subject", "status", "description", "assigned_to"} <= fields.keys()
        assert not {"category", "parent", "due_date", "done_ratio"} & fields.keys()

    def test_an_older_redmine_that_does_not_tell_has_them_all(self) -> None:
        assert "parent" in shape({"id": 1, "name": "Bug"}, CHOICES, []).schema.fields

    def test_a_custom_field_named_like_a_standard_one_is_told_apart(self) -> None:
        known = made(custom(5, "status", "string"), custom(6, "status", "int"))
        assert known.custom == {5: "cf_5", 6: "cf_6"}
        issue = {"status": {"id": 1, "name": "New"}, "custom_fields": [{"id": 5, "value": "mine"}]}
        fields = known.parse(issue, nobody, {})
        assert (fields["status"], fields["cf_5"]) == (Choice("New"), "mine")

    def test_two_custom_fields_with_one_name_are_told_apart(self) -> None:
        known = made(custom(5, "Team", "string"), custom(6, "Team", "string"))
        assert set(known.custom.values()) == {"Team", "cf_6"}

    def test_files_as_custom_fields_are_left_alone(self) -> None:
        assert made(custom(5, "Scan", "attachment")).custom == {}

    def test_a_required_field_with_a_default_is_not_required_of_us(self) -> None:
        fields = made(
            custom(5, "A", "string", is_required=True, default_value=""),
            custom(6, "B", "string", is_required=True, default_value="x"),
        ).schema.fields
        assert (fields["A"].required, fields["B"].required) == (True, False)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("string", "  a\r\nb ", "a\nb"),
        ("int", "3", 3),
        ("float", "2.50", Decimal("2.5")),
        ("float", "2.0", 2),
        ("int", "not a number any more", "not a number any more"),
        ("date", "2026-11-21", date(2026, 11, 21)),
        ("bool", "1", True),
        ("bool", "0", False),
        ("user", "5", UserRef("5")),
        ("version", "7", Choice("1.0")),
        ("version", "8", Choice("8")),
        ("list", "Red", Choice("Red")),
        ("enumeration", "9", Choice("Nine")),
        ("list", "", None),
        ("list", None, None),
    ],
)
def test_custom_values_become_canonical(kind: str, raw: Any, value: Value) -> None:
    known = made(custom(5, "F", kind, possible_values=[{"value": "9", "label": "Nine"}]))
    assert known.parse({"custom_fields": [{"id": 5, "value": raw}]}, nobody, {})["F"] == value


@pytest.mark.parametrize(
    ("messages", "fields"),
    [
        (["Subject cannot be blank"], {"subject"}),
        (["Assignee is invalid", "Status is invalid"], {"assigned_to", "status"}),
        (["Team size is not a number"], {"Team size"}),
        (["Something else went wrong"], set()),
    ],
)
def test_a_refusal_is_told_by_the_field_that_it_begins_with(messages: list[str], fields: set[str]) -> None:
    known = made(custom(5, "Team", "string"), custom(6, "Team size", "int"))
    assert set(known.refusal(messages)) == fields


@pytest.mark.parametrize(
    "value",
    [" a\r\nb\n", RichText("\r\n a\r\n"), datetime(2026, 11, 21, 8, 0, 0, 5, tzinfo=UTC), (), "  ", ("a", ""), 3, None],
)
def test_normalising_twice_changes_nothing_more(value: Value) -> None:
    assert same(normal(normal(value)), normal(value))


class TestWhatIsNotRedmine:
    def connector(self, answer: httpx.Response) -> RedmineConnector:
        config = RedmineConfig.model_validate({"url": "http://r.example", "credentials": {"api_key": "k"}})
        return RedmineConnector(config, Http(config, transport=httpx.MockTransport(lambda _: answer), pauses=()))

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (httpx.Response(200, html="<h1>Intranet</h1>"), ConfigurationError),
            (httpx.Response(200, json={"hello": "world"}), Unavailable),
            (httpx.Response(200, json=["a"]), Unavailable),
            (httpx.Response(200, content=b"null"), Unavailable),
            (httpx.Response(301, headers={"location": "https://r.example/"}), ConfigurationError),
        ],
    )
    async def test_whatever_else_answers_there_is_named_with_the_url(
        self, answer: httpx.Response, error: type[ConnectorError]
    ) -> None:
        connector = self.connector(answer)
        with pytest.raises(error, match="`url`"):
            await connector.check()
        with pytest.raises(error, match="`url`"):
            _ = [page async for page in connector.changes(Query("p", "Bug"))]
        with pytest.raises(error, match="`url`"):
            await connector.read([EntityRef("p", "Bug", "1")])
