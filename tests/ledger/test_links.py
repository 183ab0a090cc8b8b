"""Links: what is saved comes back, an entity has one twin, and no question costs a query per entity."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event

from ledger.model import LinkState
from ledger.store import Ledger, LedgerError
from mappings.config import Side
from tests.ledger.make import NOON, comment, conflict, end, later, link, rich_link


@pytest.fixture
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database while the test runs: statements with their parameters."""
    asked: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield asked
    event.remove(Engine, "before_cursor_execute", note)


def test_a_link_comes_back_equal_in_every_field(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        (saved,) = tx.save_links([rich_link()])
    (found,) = ledger.links()
    assert found == saved == replace(rich_link(), id=saved.id)
    # What does not take part in comparison is kept all the same.
    assert repr(found) == repr(saved)


def test_times_come_back_as_the_same_moment_in_utc(ledger: Ledger) -> None:
    in_india = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    with ledger.begin() as tx:
        tx.save_links([link("1", checked=in_india)])
    (found,) = ledger.links()
    assert found.checked == NOON
    assert found.checked.tzinfo is not None
    assert found.checked.isoformat() == "2026-11-21T12:00:00.123456+00:00"


def test_a_naive_time_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Exception, match="no time zone"), ledger.begin() as tx:
        tx.save_links([link("1", checked=NOON.replace(tzinfo=None))])
    assert ledger.links() == []


def test_text_that_a_database_cannot_hold_does_not_stop_the_batch(ledger: Ledger) -> None:
    cut_emoji = "cut \ud83d"
    with ledger.begin() as tx:
        tx.save_links([link("1", left=end(Side.LEFT, "1", key=f"nul \0 {cut_emoji}"))])
    (found,) = ledger.links()
    assert found.left.key == "nul \ufffd cut \ufffd"


def test_ids_come_back_in_the_order_of_the_links(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        known = tx.save_links([link(str(n)) for n in range(3)])
        mixed = tx.save_links([link("new 1"), replace(known[1], mapping="m2"), link("new 2")])
    assert [saved.left.ident for saved in mixed] == ["new 1", "1", "new 2"]
    assert {found.id: found.left.ident for found in ledger.links()} == {
        saved.id: saved.left.ident for saved in [*known, *mixed]
    }
    assert ledger.link(known[1].id) == mixed[1]


def test_a_link_that_was_removed_meanwhile_cannot_be_updated(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        (saved,) = tx.save_links([link("1")])
        tx.remove_links([saved.id])
    with pytest.raises(LedgerError, match="not in the ledger any more"), ledger.begin() as tx:
        tx.save_links([saved])


@pytest.mark.parametrize(
    ("second", "side"),
    [(link("1", "b2"), "left"), (link("a2", "b1"), "right")],
    ids=["same left entity", "same right entity"],
)
def test_an_entity_has_one_twin_per_connector(ledger: Ledger, second: Any, side: str) -> None:
    with ledger.begin() as tx:
        (first,) = tx.save_links([link("1", "b1")])
    with pytest.raises(LedgerError, match=f"The {side} .* would have two twins") as refused, ledger.begin() as tx:
        tx.save_links([link("3", "b3"), second])
    message = str(refused.value)
    assert f"link {first.id} of left Bug 1 with right Bug b1" in message
    assert f"link (new) of left Bug {second.left.ident} with right Bug {second.right.ident}" in message
    assert ledger.links() == [first]


def test_two_new_links_of_one_batch_cannot_share_an_entity(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="would have two twins"), ledger.begin() as tx:
        tx.save_links([link("1", "b1"), link("1", "b2")])
    assert ledger.links() == []


def test_a_refused_link_leaves_the_transaction_usable(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_links([link("1")])
        with pytest.raises(LedgerError):
            tx.save_links([link("1")])
        tx.save_links([link("2")])
    assert [found.left.ident for found in ledger.links()] == ["1", "2"]


def test_other_connectors_and_other_systems_may_link_the_same_id(ledger: Ledger) -> None:
    elsewhere = replace(end(Side.LEFT, "1"), system="another system")
    with ledger.begin() as tx:
        first, other = tx.save_links([link("1"), link("1", connector="hawk")])
        (there,) = tx.save_links([link("1", "b2", left=elsewhere)])
    assert ledger.links_of("hawk", Side.LEFT, ["1"]) == {"1": other}
    assert ledger.links_of("falcon", Side.LEFT, ["1"], system="left system") == {"1": first}
    assert ledger.links_of("falcon", Side.LEFT, ["1"], system="another system") == {"1": there}
    assert ledger.linked_elsewhere("left system", ["1"]) == [first, other]
    assert ledger.linked_elsewhere("left system", ["1"], connector="falcon") == [other]
    assert ledger.linked_elsewhere("another system", ["1", "b2"]) == [there]
    assert ledger.linked_elsewhere("right system", ["b2", "no such"]) == [there]


def test_links_of_answers_for_thousands_in_a_few_queries(ledger: Ledger, statements: list[tuple[str, Any]]) -> None:
    with ledger.begin() as tx:
        tx.save_links([link(str(n), f"b{n}") for n in range(2500)])
    statements.clear()
    found = ledger.links_of("falcon", Side.RIGHT, [f"b{n}" for n in range(2600)])
    assert found.keys() == {f"b{n}" for n in range(2500)}
    assert sum(statement.startswith("SELECT") for statement, _ in statements) == 3
    assert ledger.idents_linked("falcon", Side.RIGHT) == set(found)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, "abcde"),
        ({"connector": "falcon"}, "abcd"),
        ({"connector": "falcon", "target": "two"}, "bd"),
        ({"state": LinkState.HALTED}, "c"),
        ({"row": "Task=Task"}, "d"),
        ({"limit": 2}, "ab"),
        ({"connector": "nobody"}, ""),
    ],
)
def test_links_are_found_by_what_is_asked(ledger: Ledger, which: dict[str, Any], expected: str) -> None:
    with ledger.begin() as tx:
        tx.save_links(
            [
                link("a"),
                link("b", target="two"),
                link("c", state=LinkState.HALTED),
                replace(link("d", target="two"), row="Task=Task"),
                link("e", connector="hawk"),
            ]
        )
    assert "".join(found.left.ident for found in ledger.links(**which)) == expected


def test_each_link_goes_through_all_pages(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        saved = tx.save_links([link(str(n), target=["even", "odd"][n % 2]) for n in range(2500)])
    assert list(ledger.each_link("falcon")) == saved
    assert list(ledger.each_link("falcon", target="odd")) == saved[1::2]


def test_links_by_id_and_by_page(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        saved = tx.save_links([link(str(n)) for n in range(5)])
    ids = [found.id for found in saved]
    assert ledger.links(ids=[ids[3], ids[1], 999]) == [saved[1], saved[3]]
    assert ledger.links(ids=[]) == []
    assert ledger.links("falcon", after=ids[1], limit=2) == saved[2:4]


def test_the_longest_unchecked_links_are_due_first(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_links(
            [
                link("new", checked=later(hours=2)),
                link("old", checked=NOON),
                link("never"),
                link("elsewhere", target="two"),
            ]
        )
    for limit, expected in ((1, ["never"]), (2, ["never", "old"]), (9, ["never", "old", "new"])):
        assert [due.left.ident for due in ledger.links_due("falcon", "default", limit=limit)] == expected
    with ledger.begin() as tx:
        tx.set_checked([ledger.links_of("falcon", Side.LEFT, ["never"])["never"].id], later(hours=3), False)
    assert [due.left.ident for due in ledger.links_due("falcon", "default", limit=3)] == ["old", "new", "never"]
    assert ledger.links_of("falcon", Side.LEFT, ["never"])["never"].agrees is False


def test_links_of_another_mapping_version_are_outdated(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        saved = tx.save_links([link(version, mapping=version) for version in ("m1", "m2", "m3", "m2b")])
    first, _, third, fourth = saved
    assert ledger.links_outdated("falcon", "default", "Bug=Bug", "m2", limit=9) == [first, third, fourth]
    assert ledger.links_outdated("falcon", "default", "Bug=Bug", "m2", after=first.id, limit=1) == [third]
    assert ledger.links_outdated("falcon", "default", "Task=Task", "m2", limit=9) == []


def test_counts_name_every_state(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_links([link("1"), link("2"), link("3", state=LinkState.HALTED), link("4", target="two")])
    assert ledger.counts("falcon") == {
        LinkState.AGREED: 3,
        LinkState.HELD: 0,
        LinkState.HALTED: 1,
        LinkState.FAILED: 0,
        LinkState.WAITING: 0,
    }
    assert ledger.counts("falcon", "two")[LinkState.AGREED] == 1
    assert ledger.count_links("falcon") == 4
    assert ledger.count_links("falcon", "default", state=LinkState.AGREED) == 2


def test_comment_links_are_saved_edited_and_dropped(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        one, two = (saved.id for saved in tx.save_links([link("1"), link("2")]))
        first, second = comment(one, "10", "b10"), comment(one, "11", "b11", created=later(hours=1))
        tx.save_comment_links([second, first])
    assert ledger.comment_links([one, two]) == {one: [first, second], two: []}
    edited = replace(first, left_hash="other", right_hash="words")
    with ledger.begin() as tx:
        tx.save_comment_links([replace(edited, left_hash="other yet"), edited])
        tx.drop_comment_links(one, Side.RIGHT, ["b11"])
    assert ledger.comment_links([one]) == {one: [edited]}


def test_removing_a_link_takes_its_comments_along_and_closes_its_conflicts(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        gone, stays = (saved.id for saved in tx.save_links([link("1"), link("2")]))
        tx.save_comment_links([comment(gone, "10", "b10"), comment(stays, "10", "b10")])
        tx.save_conflicts([conflict(gone), conflict(stays)])
        tx.remove_links([gone])
    assert [found.id for found in ledger.links()] == [stays]
    assert ledger.comment_links([gone, stays]) == {gone: [], stays: [comment(stays, "10", "b10")]}
    assert {found.link: found.state for found in ledger.conflicts()} == {gone: "agreed", stays: "open"}


QUESTIONS: dict[str, Callable[[Ledger], object]] = {
    "links_of": lambda ledger: ledger.links_of("falcon", Side.RIGHT, ["1", "2"]),
    "linked_elsewhere": lambda ledger: ledger.linked_elsewhere("left system", ["1", "2"], connector="falcon"),
    "links, a page": lambda ledger: ledger.links("falcon", target="default", after=7, limit=10),
    "links, halted": lambda ledger: ledger.links("falcon", state=LinkState.HALTED),
    "links_due": lambda ledger: ledger.links_due("falcon", "default", limit=10),
    "links_outdated": lambda ledger: ledger.links_outdated("falcon", "default", "Bug=Bug", "m1", limit=10),
    "counts": lambda ledger: ledger.counts("falcon"),
    "comment_links": lambda ledger: ledger.comment_links([1, 2]),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_every_question_is_answered_by_an_index(
    tmp_path: Path, statements: list[tuple[str, Any]], question: Callable[[Ledger], object]
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        statements.clear()
        question(ledger)
    asked = list(statements)
    engine = create_engine(url)
    with engine.connect() as connection:
        plans = [str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all()) for sql, given in asked]
    engine.dispose()
    assert plans
    assert not [plan for plan in plans if re.search(r"SCAN (comment_)?links(?! USING COVERING)", plan)]
