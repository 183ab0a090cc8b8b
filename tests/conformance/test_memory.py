"""The system in memory keeps the contract, with a clock of whole seconds and with every quirk that still is lawful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.conformance import ConnectorConformance, Subject
from connectors.entity import Choice, Fields
from connectors.memory import ALICE, BOB, LIMITS, MemoryConfig, MemoryConnector, MemorySystem, define, forget


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 8, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    async def tick(self) -> None:
        self.now += timedelta(seconds=1)


def subject_on(system: MemorySystem, clock: Clock) -> Subject:
    system.scopes = {"demo": "Demonstration", "other": "Another one"}
    config = MemoryConfig(url=define(system).url)
    return Subject(
        MemoryConnector(config),
        scope="demo",
        entity_type="ticket",
        fields={"labels": (Choice("red"), Choice("blue")), "assignee": ALICE},
        other_fields={"labels": (Choice("green"),), "assignee": BOB},
        elsewhere=MemoryConnector(config),
        user=ALICE,
        tick=clock.tick,
    )


def reopens(what: str, before: Fields, sent: Fields) -> Fields:
    """A comment on a closed ticket opens it, unless the same write says what the status shall be."""
    closed = before["status"] == Choice("closed")
    return {"status": Choice("open")} if what == "comment" and closed and "status" not in sent else {}


class TestWellBehaved(ConnectorConformance):
    @pytest.fixture
    def subject(self) -> Iterator[Subject]:
        clock = Clock()
        limits = replace(LIMITS, timestamp_resolution=timedelta(seconds=1))
        yield subject_on(MemorySystem("memory://kit", clock=clock, limits=limits), clock)
        forget("memory://kit")


class TestQuirky(ConnectorConformance):
    """No conditional writes, versions that are times, silent comments, reactions: all told truthfully."""

    @pytest.fixture
    def subject(self) -> Iterator[Subject]:
        clock = Clock()
        limits = replace(
            LIMITS,
            timestamp_resolution=timedelta(seconds=1),
            conditional_writes=False,
            bumps_on_noop=True,
            comment_changes_visible=False,
            link_changes_visible=False,
            comment_author=False,
            comment_time=False,
        )
        system = MemorySystem("memory://quirky", clock=clock, limits=limits, weak_versions=True, reactions=[reopens])
        system.sends_along = frozenset({"status"})
        yield subject_on(system, clock)
        forget("memory://quirky")


class TestTimeless(ConnectorConformance):
    """No modified time at all."""

    @pytest.fixture
    def subject(self) -> Iterator[Subject]:
        clock = Clock()
        limits = replace(LIMITS, timestamp_resolution=None)
        yield subject_on(MemorySystem("memory://timeless", clock=clock, limits=limits), clock)
        forget("memory://timeless")
