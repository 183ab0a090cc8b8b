"""The audit log, reports of runs, states of connectors, and what a new name takes along."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from ledger.model import AuditEntry, ConnectorState, Cursor, TargetState
from ledger.store import LeaseLost, Ledger, LedgerError, this_owner
from mappings.config import Side
from tests.ledger.make import NOON, conflict, failure, feed, intent, later, link


def entry(what: str, **more: Any) -> AuditEntry:
    told: dict[str, Any] = {"connector": "falcon", "run": "r1", "entity": "Bug 7", "field": "title", **more}
    return AuditEntry(NOON, "ada", what, **told)


def test_an_audit_line_comes_back_equal(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.audit([entry("updated", before={"choice": ["New", "1"]}, after=["a", None], reason="changed"), entry("x")])
        tx.audit([])
    first, second = ledger.audit()
    assert (first.before, first.after, first.reason) == ({"choice": ["New", "1"]}, ["a", None], "changed")
    assert second == entry("x", id=second.id)


def test_the_audit_log_is_found_by_what_is_asked_and_paged(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.audit([entry("created"), entry("updated", run="r2"), entry("updated", entity="Bug 8"), entry("halted")])
        tx.audit([entry("started", connector="hawk")])
    assert [found.what for found in ledger.audit("falcon", what="updated")] == ["updated", "updated"]
    assert [found.what for found in ledger.audit(run="r2")] == ["updated"]
    assert [found.what for found in ledger.audit("falcon", entity="Bug 7")] == ["created", "updated", "halted"]
    page = ledger.audit("falcon", limit=2)
    rest = ledger.audit("falcon", after=page[-1].id, limit=9)
    assert [found.what for found in [*page, *rest]] == ["created", "updated", "updated", "halted"]
    assert [found.what for found in ledger.audit(newest=True, limit=2)] == ["halted", "started"]


@pytest.mark.parametrize("change", ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_the_audit_log(ledger: Ledger, ledger_url: str, change: str) -> None:
    with ledger.begin() as tx:
        tx.audit([entry("created")])
    engine = create_engine(ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(change))
    finally:
        engine.dispose()
    assert [found.who for found in ledger.audit()] == ["ada"]


def report(run: str, **more: Any) -> dict[str, Any]:
    return {"connector": "falcon", "run": run, "outcome": "done", "started": NOON.isoformat(), **more}


def test_reports_are_listed_newest_first_and_opened_with_their_plan(ledger: Ledger) -> None:
    first, last = report("r1"), report("r2", started=later(hours=1).isoformat())
    plan = [{"action": "create", "fields": {"title": "Ä"}, "reason": "new"}]
    with ledger.begin() as tx:
        tx.save_run("r1", report("r1", outcome="failed"))
        tx.save_run("r1", first, plan)
        tx.save_run("r2", last)
        tx.save_run("r3", report("r3", connector="hawk"))
    assert ledger.runs("falcon") == [last, first]
    assert ledger.runs(limit=1) == [last]
    assert ledger.run("r1") == {**first, "plan": plan}
    assert ledger.run("r9") is None


def test_the_state_of_a_connector_keeps_what_is_not_said_anew(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        tx.save_state("falcon", state="FAILED", message="no answer", attempts=3, next_refresh=later(minutes=5))
        tx.save_state("falcon", target="two", state="WAITING", last_refresh=NOON)
    failed = ledger.states()["falcon"]
    with ledger.begin() as tx:
        tx.save_state("falcon", state="FAILED", message="")
        tx.set_active("falcon", False)
        tx.set_active("hawk", True)
    states = ledger.states()
    two = TargetState("WAITING", "", failed.targets["two"].since, NOON)
    assert states["falcon"] == ConnectorState(
        "falcon", False, "FAILED", "", failed.since, None, later(minutes=5), 3, {"two": two}
    )
    assert (states["hawk"].active, states["hawk"].state) == (True, "INITIALIZED")


def test_since_moves_when_the_state_becomes_another_word(ledger: Ledger) -> None:
    seen: list[Any] = []
    for word in ("WAITING", "WAITING", "REFRESHING"):
        with ledger.begin() as tx:
            tx.save_state("falcon", state=word)
        seen.append(ledger.states()["falcon"].since)
    assert seen[0] is not None
    assert seen[0] == seen[1] < seen[2]


def fill(ledger: Ledger, name: str) -> None:
    """Something of every kind for a connector."""
    with ledger.begin() as tx:
        (linked,) = tx.save_links([link("1", connector=name)])
        tx.save_conflicts([conflict(linked.id, connector=name)])
        tx.save_failures([failure("2", connector=name)])
        tx.save_intents([intent("mark", connector=name)])
        tx.save_cursor(feed(connector=name), Cursor(NOON))
        tx.save_start(name, "default", "Bug=Bug", Side.LEFT, NOON)
        tx.save_mapping_version(name, "m1", {"Bug=Bug": {}})
        tx.save_run(f"run of {name}", report("r1", connector=name))
        tx.set_active(name, False)
        tx.audit([entry("created", connector=name)])


def test_a_renamed_connector_keeps_everything_and_its_old_run_writes_nothing(ledger: Ledger) -> None:
    fill(ledger, "old")
    lease = ledger.acquire("old", this_owner(), 60)
    with ledger.begin() as tx:
        tx.save_state("new", state="INITIALIZED")  # the daemon has seen the new name already
        assert tx.rename_connector("old", "new")
        assert not tx.rename_connector("old", "new")
    assert ledger.count_links("old") == 0
    for kind in (ledger.links, ledger.conflicts, ledger.failures, ledger.intents, ledger.runs):
        assert len(kind("new")) == 1
    assert ledger.cursor(feed(connector="new")) == Cursor(NOON)
    assert ledger.start("new", "default", "Bug=Bug", Side.LEFT) == (True, NOON)
    assert ledger.mapping_version("new", "m1") == {"Bug=Bug": {}}
    assert {name: state.active for name, state in ledger.states().items()} == {"new": False}
    assert [found.connector for found in ledger.audit()] == ["old"]
    with pytest.raises(LeaseLost), ledger.begin(lease):
        pass


def test_a_connector_with_links_does_not_take_over_another(ledger: Ledger) -> None:
    fill(ledger, "old")
    fill(ledger, "new")
    with pytest.raises(LedgerError, match="has links of its own"), ledger.begin() as tx:
        tx.rename_connector("old", "new")
    assert ledger.count_links("old") == ledger.count_links("new") == 1
