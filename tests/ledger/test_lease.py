"""The lease: one owner at a time, the dead are not waited for, and whoever lost it writes nothing."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from ledger.store import LeaseLost, Ledger, this_owner
from mappings.config import Side
from tests.ledger.make import link
from tests.ledger.other_process import CONNECTORS, other_process

NOW_ENDED = -1.0
"""Seconds of a lease that ended before it began: expiry without waiting for it."""


def elsewhere() -> str:
    return "another-host/1:42:4711:abcd"


def test_a_free_lease_is_taken_and_seen(ledger: Ledger) -> None:
    owner = this_owner()
    assert ledger.lease_of("falcon") is None
    lease = ledger.acquire("falcon", owner, 60)
    assert lease is not None
    assert (lease.connector, lease.epoch, lease.owner) == ("falcon", 1, owner)
    assert timedelta(0) < lease.until - datetime.now(UTC) <= timedelta(seconds=60)
    seen = ledger.lease_of("falcon")
    assert seen is not None
    assert (seen.epoch, seen.owner) == (1, owner)


def test_a_held_lease_is_not_given_to_another_run_of_the_same_process(ledger: Ledger) -> None:
    assert ledger.acquire("falcon", this_owner(), 60)
    assert ledger.acquire("falcon", this_owner(), 60) is None
    assert ledger.acquire("hawk", this_owner(), 60)


def test_a_lease_held_on_another_host_is_waited_for(ledger: Ledger) -> None:
    assert ledger.acquire("falcon", elsewhere(), 60)
    assert ledger.acquire("falcon", this_owner(), 60) is None
    assert ledger.lease_of("falcon") is not None


@pytest.mark.parametrize("seconds", [NOW_ENDED, 60], ids=["expired", "the owner's own"])
def test_a_lease_is_taken_again_with_the_next_epoch(ledger: Ledger, seconds: float) -> None:
    owner = this_owner()
    first = ledger.acquire("falcon", owner, seconds)
    again = ledger.acquire("falcon", owner if seconds > 0 else this_owner(), 60)
    assert first is not None
    assert again is not None
    assert again.epoch == first.epoch + 1
    with pytest.raises(LeaseLost), ledger.begin(first):
        pass


def test_an_expired_lease_is_nobodys(ledger: Ledger) -> None:
    ledger.acquire("falcon", elsewhere(), NOW_ENDED)
    assert ledger.lease_of("falcon") is None


def test_a_released_lease_is_free_and_its_epoch_is_not_used_again(ledger: Ledger) -> None:
    first = ledger.acquire("falcon", this_owner(), 60)
    assert first is not None
    ledger.release(first)
    assert ledger.lease_of("falcon") is None
    with pytest.raises(LeaseLost, match="nobody has it now"):
        ledger.renew(first, 60)
    second = ledger.acquire("falcon", this_owner(), 60)
    assert second is not None
    assert second.epoch == 2
    ledger.release(first)  # the first owner is late: it is not its lease any more
    assert ledger.lease_of("falcon") is not None


def test_a_renewed_lease_lasts_longer_and_keeps_its_epoch(ledger: Ledger) -> None:
    lease = ledger.acquire("falcon", this_owner(), NOW_ENDED)
    assert lease is not None
    renewed = ledger.renew(lease, 60)
    assert (renewed.epoch, renewed.owner) == (lease.epoch, lease.owner)
    assert renewed.until > lease.until
    assert ledger.acquire("falcon", this_owner(), 60) is None
    with ledger.begin(lease):
        pass  # the lease as it was before it was renewed is still the same lease


def test_whoever_lost_the_lease_writes_nothing(ledger: Ledger) -> None:
    stale = ledger.acquire("falcon", this_owner(), NOW_ENDED)
    assert stale is not None
    with ledger.begin(stale) as tx:
        tx.save_links([link("before")])
    taker = this_owner()
    fresh = ledger.acquire("falcon", taker, 60)
    with pytest.raises(LeaseLost, match=f"{taker} has it now") as lost, ledger.begin(stale) as tx:
        tx.save_links([link("after")])
    assert "falcon" in str(lost.value)
    with pytest.raises(LeaseLost):
        ledger.renew(stale, 60)
    with ledger.begin(fresh) as tx:
        tx.save_links([link("mine")])
    assert ledger.idents_linked("falcon", Side.LEFT) == {"before", "mine"}


@pytest.mark.parametrize(
    ("owner", "taken"),
    [
        (lambda host: f"{host}:{os.getpid()}:1:abcd", True),  # the number is another process's by now
        (lambda host: f"{host}:{2**22 + 1}:1:abcd", True),  # no such number can be
        (lambda host: f"{host}:not-a-number:1:abcd", False),
        (lambda host: f"{host}-else:{2**22 + 1}:1:abcd", False),
        (lambda _: "", False),
    ],
)
def test_an_owner_is_dead_only_if_that_is_seen_on_this_host(
    ledger: Ledger, owner: Callable[[str], str], taken: bool
) -> None:
    ledger.acquire("falcon", owner(this_owner().split(":")[0]), 60)
    assert (ledger.acquire("falcon", this_owner(), 60) is not None) == taken


def test_an_owner_names_host_process_and_run() -> None:
    host, pid, started, run = this_owner().split(":")
    assert host.startswith(socket.gethostname())
    assert pid == str(os.getpid())
    assert started.isdigit()
    assert run != this_owner().split(":")[3]


@pytest.mark.parametrize("reap", [True, False], ids=["gone", "a zombie"])
def test_a_process_killed_inside_a_transaction_leaves_a_usable_ledger(
    ledger: Ledger, ledger_url: str, reap: bool
) -> None:
    with other_process("hang", ledger_url) as other:
        assert other.told() == "ready"
        held = ledger.lease_of("falcon")
        assert held is not None
        assert ledger.links() == []
        other.kill(reap=reap)
        until = time.monotonic() + 10  # the system takes a moment to end a process that was killed
        while (lease := ledger.acquire("falcon", this_owner(), 60)) is None and time.monotonic() < until:
            time.sleep(0.05)
        assert lease is not None
        assert lease.epoch == held.epoch + 1
        with ledger.begin(lease) as tx:
            tx.save_links([link("committed")])
    assert ledger.idents_linked("falcon", Side.LEFT) == {"committed"}


def test_processes_that_open_and_contend_at_once_never_share_a_lease(ledger_url: str) -> None:
    with ExitStack() as stack:
        others = [stack.enter_context(other_process("contend", ledger_url)) for _ in range(4)]
        assert [other.told() for other in others] == ["ready"] * 4
        for other in others:
            other.go()
        taken = [name for other in others for name in other.told()]
    assert sorted(taken) == sorted(CONNECTORS)
