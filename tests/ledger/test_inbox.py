"""Conflicts, failures and requests: what waits for somebody, once each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.entity import EntityRef
from ledger.store import Ledger
from mappings.config import Side
from tests.ledger.make import NOON, conflict, failure, later


def test_a_conflict_comes_back_equal(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        (saved,) = tx.save_conflicts([conflict(1)])
    assert ledger.conflicts("falcon") == [saved] == [replace(conflict(1), id=saved.id)]


def test_later_changes_update_the_open_conflict_of_that_field(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        first, other = tx.save_conflicts([conflict(1), conflict(1, "status")])
        (again,) = tx.save_conflicts([conflict(1, left="newer", left_version="6", at=later(hours=1))])
    assert (again.id, again.at, again.left, again.left_version) == (first.id, NOON, "newer", "6")
    assert ledger.conflicts("falcon") == [again, other]


def test_a_closed_conflict_stays_closed_when_a_new_one_comes(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_conflicts([conflict(1), conflict(1, "status"), conflict(2)])
        tx.close_conflicts(1, "resolved", fields=["title"])
        tx.save_conflicts([conflict(1, left="newer")])
        tx.close_conflicts(2, "agreed")
    told = [(found.link, found.field, found.left, found.state) for found in ledger.conflicts()]
    assert told == [
        (1, "title", "b", "resolved"),
        (1, "status", "b", "open"),
        (2, "title", "b", "agreed"),
        (1, "title", "newer", "open"),
    ]


def test_conflicts_are_found_by_what_is_asked(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        one, two = tx.save_conflicts([conflict(1), conflict(2)])
        tx.close_conflicts(1, "agreed")
    one = replace(one, state="agreed")
    assert ledger.conflicts(state="open") == [two]
    assert ledger.conflicts("falcon", link=1) == [one]
    assert ledger.conflicts(ids=[two.id, one.id]) == [one, two]
    assert ledger.conflicts("hawk") == []


def test_an_entity_has_one_open_failure_per_target_and_side(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        first, left, there = tx.save_failures(
            [failure("7"), failure("7", side=Side.LEFT), failure("7", target="elsewhere")]
        )
        (again,) = tx.save_failures([failure("7", attempts=2, error="still too long", next=None)])
    assert again.id == first.id
    assert ledger.failures("falcon") == [again, left, there]
    assert ledger.failures(ids=[first.id])[0].url == "http://127.0.0.1/7"


def test_two_failures_of_one_entity_in_one_batch_are_one(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        first, second = tx.save_failures([failure("7", error="first"), failure("7", error="second")])
        one, other = tx.save_conflicts([conflict(1, left="first"), conflict(1, left="second")])
    assert (first.id, one.id) == (second.id, other.id)
    assert [found.error for found in ledger.failures()] == ["second"]
    assert [found.left for found in ledger.conflicts()] == ["second"]


def test_a_dismissed_failure_stays_and_a_new_one_opens(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        (first,) = tx.save_failures([failure("7")])
        assert tx.close_failures("falcon", ids=[first.id], state="ignored") == 1
        (second,) = tx.save_failures([failure("7")])
    assert [(found.id, found.state) for found in ledger.failures()] == [(first.id, "ignored"), (second.id, "open")]


@pytest.mark.parametrize(
    ("which", "closed"),
    [
        ({"refs": [EntityRef("", "Bug", "1"), EntityRef("", "Bug", "9")]}, {"left 1", "right 1", "other 1"}),
        ({"refs": [EntityRef("", "Bug", "1")], "side": Side.LEFT}, {"left 1"}),
        ({"refs": [EntityRef("", "Task", "1")]}, set()),
        ({"target": "other"}, {"other 1"}),
        ({}, {"left 1", "right 1", "right 2", "other 1"}),
        ({"ids": []}, set()),
        ({"refs": []}, set()),
    ],
)
def test_failures_are_closed_for_what_is_asked(ledger: Ledger, which: dict[str, Any], closed: set[str]) -> None:
    with ledger.begin() as tx:
        saved = tx.save_failures(
            [failure("1", side=Side.LEFT), failure("1"), failure("2"), failure("1", target="other")]
        )
        names = dict(zip((found.id for found in saved), ("left 1", "right 1", "right 2", "other 1"), strict=True))
        assert tx.close_failures("falcon", **which) == len(closed)
        assert tx.close_failures("hawk", **which) == 0
    assert {names[found.id] for found in ledger.failures(state="done")} == closed


def test_failures_are_due_when_their_time_has_come(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_failures(
            [failure("now", next=NOON), failure("later", next=later(hours=1)), failure("by hand only", next=None)]
        )
        tx.save_failures([failure("ignored", next=NOON, state="ignored")])
    assert [found.entity.id for found in ledger.failures("falcon", due=later(minutes=1))] == ["now"]


def test_thousands_of_failures_are_saved_and_closed_at_once(ledger: Ledger) -> None:
    failures = [failure(str(n)) for n in range(2500)]
    with ledger.begin() as tx:
        saved = tx.save_failures(failures)
        again = tx.save_failures([replace(found, attempts=2) for found in failures])
        assert [found.id for found in again] == [found.id for found in saved]
        assert tx.close_failures("falcon", refs=[found.entity for found in failures]) == 2500


def test_requests_are_merged_only_if_their_options_are_equal(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        first = tx.add_request("falcon", {"full": True, "targets": []}, "ada")
        same = tx.add_request("falcon", {"targets": [], "full": True}, "bob")
        other = tx.add_request("falcon", {"full": False, "targets": []}, "bob")
        elsewhere = tx.add_request("hawk", {"full": True, "targets": []}, "bob")
    assert same == first
    assert first.by == "ada"
    assert ledger.requests("falcon") == [first, other]
    assert ledger.requests() == [first, other, elsewhere]


def test_a_request_made_after_one_was_taken_is_a_new_one(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        first = tx.add_request("falcon", {"full": True}, "ada")
        tx.take_requests([first.id])
        second = tx.add_request("falcon", {"full": True}, "ada")
    assert ledger.requests("falcon") == [second]
    assert second.id != first.id
