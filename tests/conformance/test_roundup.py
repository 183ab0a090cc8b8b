"""Real Roundup trackers keep the contract: a support desk (`classic`) and an engineering one (`devel`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from connectors.conformance import ConnectorConformance, Subject
from connectors.entity import Choice
from connectors.roundup import RoundupConnector
from connectors.schema import FieldType
from demo.trackers import Tracker
from tests.systems.roundup import PASSWORD, roundup_connector


class BugConnector(RoundupConnector):
    """The kit links bugs with bugs. Tasks and milestones of this template have further link types, of their own."""

    async def link_types(self) -> tuple[str, ...]:
        fields = (await self.schema("", "bug")).fields.values()
        return tuple(field.name for field in fields if field.type is FieldType.LINK)


class TestClassic(ConnectorConformance):
    @pytest.fixture
    async def subject(self, desk: Tracker) -> AsyncIterator[Subject]:
        async with subject_on(desk, RoundupConnector, "issue", "assignedto", "keyword") as subject:
            yield subject


class TestDevel(ConnectorConformance):
    @pytest.fixture
    async def subject(self, workshop: Tracker) -> AsyncIterator[Subject]:
        async with subject_on(workshop, BugConnector, "bug", "assignee", "keywords") as subject:
            yield subject


@pytest.fixture(scope="module")
def desk(roundup_classic: Tracker) -> Tracker:
    return with_keywords(roundup_classic)


@pytest.fixture(scope="module")
def workshop(roundup_devel: Tracker) -> Tracker:
    return with_keywords(roundup_devel)


def with_keywords(tracker: Tracker) -> Tracker:
    for name in ("red", "blue", "green"):
        tracker.add("keyword", name=name)
    return tracker


@asynccontextmanager
async def subject_on(
    tracker: Tracker, kind: type[RoundupConnector], entity_type: str, assignee: str, keyword: str
) -> AsyncIterator[Subject]:
    connector, elsewhere = roundup_connector(tracker, kind=kind), roundup_connector(tracker)
    (ann,) = await connector.find_user("ann")
    yield Subject(
        connector,
        entity_type,
        fields={assignee: ann, keyword: (Choice("red"), Choice("blue"))},
        other_fields={assignee: await connector.me(), keyword: (Choice("green"),)},
        elsewhere=elsewhere,
        user=ann,
        over=lambda transport: roundup_connector(tracker, transport=transport),
        reads=only_reads,
        secrets=(PASSWORD,),
    )
    await connector.close()
    await elsewhere.close()


def only_reads(request: httpx.Request) -> bool:
    """Asking for the schema is a read, although XML-RPC knows POST alone."""
    return request.method == "GET" or request.url.path.endswith("/xmlrpc")
