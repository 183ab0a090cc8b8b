"""Cursors, starts of polling, mapping versions and intents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.model import Cursor
from ledger.store import Ledger
from mappings.config import Side
from tests.ledger.make import NOON, feed, intent, later, link


def test_an_intent_comes_back_equal_until_it_is_dropped(ledger: Ledger) -> None:
    with ledger.begin(durable=True) as tx:
        (linked,) = tx.save_links([link("1")])
        first, second = tx.save_intents([intent("mark 1"), intent("mark 2", link=linked.id, source=None)])
    assert ledger.intents("falcon") == [first, second]
    assert (first.marker, second.source, second.link) == ("mark 1", None, linked.id)
    with ledger.begin() as tx:
        (moved,) = tx.save_intents([replace(second, expires=later(hours=1))])
        tx.drop_intents([first.id])
    assert ledger.intents("falcon") == [moved]
    assert ledger.intents("hawk") == []


def test_ids_of_dropped_intents_are_never_given_again(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        (first,) = tx.save_intents([intent("mark 1")])
        tx.drop_intents([first.id])
        (second,) = tx.save_intents([intent("mark 2")])
    assert second.id > first.id


def test_a_cursor_is_remembered_per_feed(ledger: Ledger) -> None:
    stand, other = Cursor(since=NOON, scanned=later(hours=1)), Cursor()
    with ledger.begin() as tx:
        tx.save_cursor(feed(), Cursor(since=later(hours=-1)))
        tx.save_cursor(feed(), stand)
        tx.save_cursor(feed(side=Side.RIGHT), other)
    assert ledger.cursor(feed()) == stand
    assert ledger.cursor(feed(side=Side.RIGHT)) == other
    assert ledger.cursor(feed(feed="comments")) is None


def test_another_fingerprint_has_no_cursor_and_replaces_the_one_before(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_cursor(feed(), Cursor(since=NOON))
    assert ledger.cursor(feed(fingerprint="f2")) is None
    with ledger.begin() as tx:
        tx.save_cursor(feed(fingerprint="f2"), Cursor(since=later(days=1)))
    assert ledger.cursor(feed()) is None


@pytest.mark.parametrize(("target", "left"), [(None, set()), ("one", {"two"})])
def test_cursors_are_reset_for_a_connector_or_a_target(ledger: Ledger, target: str | None, left: set[str]) -> None:
    with ledger.begin() as tx:
        for name in ("one", "two"):
            tx.save_cursor(feed(target=name), Cursor(since=NOON))
        tx.save_cursor(feed(connector="hawk"), Cursor(since=NOON))
        tx.reset_cursors("falcon", target)
    assert {name for name in ("one", "two") if ledger.cursor(feed(target=name))} == left
    assert ledger.cursor(feed(connector="hawk"))


def test_a_start_of_polling_is_unknown_everything_or_a_moment(ledger: Ledger) -> None:
    place: tuple[str, str, str, Side] = ("falcon", "default", "Bug=Bug", Side.LEFT)
    assert ledger.start(*place) == (False, None)
    with ledger.begin() as tx:
        tx.save_start(*place, None)
        assert tx.start(*place) == (True, None)
        tx.save_start(*place, NOON)
    assert ledger.start(*place) == (True, NOON)


def test_a_mapping_version_keeps_its_fingerprints(ledger: Ledger) -> None:
    fingerprints = {"Bug=Bug": {"summary=title": "a1", "status=state": "b2"}}
    with ledger.begin() as tx:
        tx.save_mapping_version("falcon", "m1", fingerprints)
        tx.save_mapping_version("falcon", "m1", fingerprints)
    assert ledger.mapping_version("falcon", "m1") == fingerprints
    assert ledger.mapping_version("falcon", "m2") is None
