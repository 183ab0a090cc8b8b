"""People, faults and processes do what they like; once all is quiet, nothing is lost, doubled or overwritten.

In the spirit of "Mysteries of Dropbox" (Hughes et al., 2016) and of vdirsyncer's SyncMachine. Every value that a person
writes is written once in the world, so the model needs no merge of its own: of a field that is not in conflict both
sides must hold what a person wrote last, whoever it was.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connectors.contract import Limits
from connectors.entity import EntityRef
from connectors.errors import Rejected, Unavailable
from connectors.memory import LIMITS
from ledger.model import LinkState
from mappings.config import Side
from tests.flows.world import FIELDS, World

SIDES = st.sampled_from(list(Side))
NAMES = ("description", "points", "status")
SECONDS = st.sampled_from([0.0, 0.0, 0.4, 1.1, 4.0])
TRIES = 8
"""Refreshes in which everything must have come to rest."""


class Killed(BaseException):
    """The process ends here and now."""


@dataclass
class Ticket:
    """What people did to one ticket, whichever side they did it on. Its title never changes: it is its name."""

    born: Side
    last: dict[str, Any] = field(default_factory=dict)
    """Field -> what a person wrote last."""
    edits: dict[str, dict[Side, Any]] = field(default_factory=lambda: defaultdict(dict))
    """Field -> side -> what a person wrote there last since all was quiet."""
    labels: set[str] = field(default_factory=set)
    said: dict[Side, list[str]] = field(default_factory=lambda: {side: [] for side in Side})


@st.composite
def quirks(draw: st.DrawFn) -> dict[str, Any]:
    """A system as it may be."""
    tick = draw(st.sampled_from([timedelta(microseconds=1), timedelta(seconds=1), timedelta(seconds=1), None]))
    limits: Limits = replace(
        LIMITS,
        timestamp_resolution=tick,
        conditional_writes=draw(st.booleans()),
        comment_changes_visible=draw(st.booleans()),
        comment_author=draw(st.booleans()),
        comment_time=draw(st.booleans()),
        bumps_on_noop=draw(st.booleans()),
        ids_per_type=draw(st.booleans()),
        max_page=draw(st.sampled_from([1, 2, 100])),
    )
    weak = draw(st.booleans()) and tick is not None
    # Where neither tells what a lost answer left behind, the engine asks a person: see test_lost_answers.py.
    markers = draw(st.booleans()) or tick is None
    return {"limits": limits, "weak": weak, "markers": markers, "skew": draw(st.sampled_from([0, 0, -40, 3600]))}


class Walk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), row={"fields": FIELDS, "comments": True})
        self.tickets: dict[str, Ticket] = {}
        self.count = 0

    def fresh(self, word: str) -> str:
        self.count += 1
        return f"{word} {self.count}"

    def run_async(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    @initialize(left=quirks(), right=quirks())
    def build(self, left: dict[str, Any], right: dict[str, Any]) -> None:
        for side, quirk in ((Side.LEFT, left), (Side.RIGHT, right)):
            system = self.world.systems[side]
            system.limits, system.weak_versions = quirk["limits"], quirk["weak"]
            system.clock = self.world.clock.skewed(quirk["skew"])
            self.world.kinds[side]["without"] = [] if quirk["markers"] else ["markers"]

    # -- people --------------------------------------------------------------------------------------------------

    @rule(side=SIDES)
    def make(self, side: Side) -> None:
        title = self.fresh("ticket")
        self.world.systems[side].make(title)
        self.tickets[title] = Ticket(side)

    def seen_on(self, side: Side, data: st.DataObject) -> tuple[Ticket, EntityRef] | None:
        there = {self.world.systems[side].value(ref, "title"): ref for ref in self.world.systems[side].living}
        if not there:
            return None
        title = data.draw(st.sampled_from(sorted(there)))
        return self.tickets[title], there[title]

    @rule(side=SIDES, name=st.sampled_from(NAMES), data=st.data())
    def edit(self, side: Side, name: str, data: st.DataObject) -> None:
        if found := self.seen_on(side, data):
            ticket, ref = found
            self.count += 1
            value = self.count if name == "points" else f"text {self.count}"
            if name == "status":
                value = data.draw(st.sampled_from(sorted({"new", "open", "closed"} - {ticket.last.get(name, "new")})))
            if self.world.systems[side].value(ref, name) == value:
                return
            self.world.systems[side].change(ref, **{name: value})
            ticket.last[name] = ticket.edits[name][side] = value

    @rule(side=SIDES, data=st.data())
    def label(self, side: Side, data: st.DataObject) -> None:
        if found := self.seen_on(side, data):
            ticket, ref = found
            labels = self.world.systems[side].value(ref, "labels") or set()
            if labels and data.draw(st.booleans(), label="remove"):
                gone = data.draw(st.sampled_from(sorted(labels)))
                self.world.systems[side].change(ref, labels=labels - {gone})
                ticket.labels.discard(gone)
            else:
                new = self.fresh("label")
                self.world.systems[side].change(ref, labels=labels | {new})
                ticket.labels.add(new)

    @rule(side=SIDES, data=st.data())
    def say(self, side: Side, data: st.DataObject) -> None:
        if found := self.seen_on(side, data):
            ticket, ref = found
            text = self.fresh("comment")
            self.world.systems[side].comment(ref, text)
            ticket.said[side].append(text)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.world.later(seconds)

    # -- faults ----------------------------------------------------------------------------------------------------

    @rule(
        side=SIDES,
        on=st.sampled_from(["", "changes", "read", "create", "update", "add_comment", "comments"]),
        times=st.integers(1, 3),
        acted=st.booleans(),
        error=st.sampled_from([Unavailable("it is down"), Rejected("it does not want to"), Killed()]),
    )
    def fault(self, side: Side, on: str, times: int, acted: bool, error: BaseException) -> None:
        # Who refuses has done nothing.
        acted = acted and not isinstance(error, Rejected)
        self.world.systems[side].fail(error, on=on, times=times, acted=acted)

    @rule(side=SIDES, name=st.sampled_from(["description", "points"]))
    def refuse(self, side: Side, name: str) -> None:
        self.world.systems[side].rejects[name] = "is not welcome"

    @rule(side=SIDES)
    def accept(self, side: Side) -> None:
        self.world.systems[side].rejects.clear()

    # -- the daemon ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.tickets)
    @rule(full=st.booleans())
    def refresh(self, full: bool) -> None:
        try:
            self.run_async(self.world.refresh(full=full))
        except Killed:
            self.restart()

    @rule()
    def restart(self) -> None:
        self.run_async(self.world.restart())

    # -- what must hold ----------------------------------------------------------------------------------------------

    @rule(full=st.booleans())
    def quiet(self, full: bool) -> None:
        """Nobody does anything any more, and all systems are well."""
        for system in self.world.systems.values():
            system.faults.clear()
            system.rejects.clear()
        self.world.later(5)
        self.run_async(self._settle(full))
        self.check()

    async def _settle(self, full: bool) -> None:
        world = self.world
        # What was refused is tried again by hand; everything else must flow by itself.
        await world.refresh(full=True)
        for _ in range(TRIES):
            before = world.writes
            world.forgive()
            world.later(5)
            report = await world.refresh(full=full)
            assert report.outcome == "done", report.message
            if world.writes == before and not world.failures():
                break
        else:
            raise AssertionError(f"it never comes to rest: {report.as_json()}")
        for _ in range(2):
            world.later(5)
            await world.refresh()
            assert world.writes == before
        assert world.failures() == []
        assert world.intents() == []

    def check(self) -> None:
        world = self.world
        there = {
            side: sorted(system.value(ref, "title") for ref in system.living) for side, system in world.systems.items()
        }
        assert there[Side.LEFT] == sorted(self.tickets), "a ticket is missing or doubled on the left"
        assert there[Side.RIGHT] == sorted(self.tickets), "a ticket is missing or doubled on the right"
        conflicts = {(c.link, c.field.partition("=")[0]): c for c in world.conflicts()}
        for link in world.links():
            halted = link.state is LinkState.HALTED
            ticket = self.tickets[world.left.value(link.left.ref, "title")]
            assert world.right.value(link.right.ref, "title") == world.left.value(link.left.ref, "title")
            for name in NAMES:
                values = {side: world.systems[side].value(link.end(side).ref, name) for side in Side}
                if (link.id, name) in conflicts:
                    assert halted
                    assert values == ticket.edits[name], f"{name}: a conflict keeps what both wrote"
                elif not halted:
                    initial = "new" if name == "status" else None
                    expected = ticket.last.get(name, initial)
                    assert values == dict.fromkeys(Side, expected), f"{name}: {values}, {ticket}"
                    ticket.edits[name].clear()
            assert halted == any(id == link.id for id, _ in conflicts)
            if not halted:
                self.check_lists(ticket, link.left.ref, link.right.ref)

    def check_lists(self, ticket: Ticket, left: EntityRef, right: EntityRef) -> None:
        for side, ref in ((Side.LEFT, left), (Side.RIGHT, right)):
            system = self.world.systems[side]
            assert (system.value(ref, "labels") or set()) == ticket.labels
            texts = [text.rpartition("\n")[2] for text in system.texts(ref)]
            for author, said in ticket.said.items():
                assert [text for text in texts if text in said] == said, f"{author} said on {side}: {texts}"
            assert len(texts) == sum(map(len, ticket.said.values()))

    def teardown(self) -> None:
        try:
            if self.tickets:
                self.quiet(False)
        finally:
            asyncio.run(self.world.close())
            self.folder.cleanup()


Walk.TestCase.settings = settings(
    # The same walks in every run; SYNCLINE_WALKS=500 goes that many others.
    max_examples=int(os.environ.get("SYNCLINE_WALKS", "20")),
    derandomize="SYNCLINE_WALKS" not in os.environ,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestWalk = Walk.TestCase
