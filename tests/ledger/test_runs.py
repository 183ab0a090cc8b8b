"""Reports of refreshes do not grow without end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ledger.store import Ledger


def test_only_the_last_reports_of_a_connector_are_kept(ledger: Ledger) -> None:
    began = datetime(2026, 11, 21, tzinfo=UTC)
    with ledger.begin() as tx:
        for number in range(10):
            for name in ("a-b", "c-d"):
                started = (began + timedelta(minutes=number)).isoformat()
                tx.save_run(f"{name}-{number}", {"connector": name, "started": started})
        assert tx.prune_runs("a-b", 3) == 7
        assert tx.prune_runs("a-b", 3) == 0
    assert [run["started"][14:16] for run in ledger.runs("a-b")] == ["09", "08", "07"]
    assert len(ledger.runs("c-d")) == 10
