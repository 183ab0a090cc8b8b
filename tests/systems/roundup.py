"""Real Roundup trackers for tests: one per template and session, and fresh ones where a test wants it for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.entity import Entity, EntityRef
from connectors.rest import Http
from connectors.roundup import RoundupConfig, RoundupConnector
from demo.trackers import Tracker, prepare_tracker, start_tracker

PASSWORD = "the-admins-secret"
ANN_PASSWORD = "anns-secret"

MakeTracker = Callable[..., Tracker]
Connect = Callable[..., RoundupConnector]


def roundup_connector(
    tracker: Tracker,
    username: str = "admin",
    password: str = PASSWORD,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    kind: type[RoundupConnector] = RoundupConnector,
    **config: Any,
) -> RoundupConnector:
    """A connector to this tracker, as the daemon would build it."""
    credentials = {"username": username, "password": password}
    settings = RoundupConfig(**{"url": tracker.url, "credentials": credentials, **config})
    return kind(settings, Http(settings, transport=transport))


@pytest.fixture
async def connect_roundup() -> AsyncIterator[Connect]:
    """Builds connectors, as `roundup_connector` does, that are closed with the test."""
    async with AsyncExitStack() as stack:

        def connected(*args: Any, **options: Any) -> RoundupConnector:
            connector = roundup_connector(*args, **options)
            stack.push_async_callback(connector.close)
            return connector

        yield connected


@pytest.fixture(scope="session")
def prepared_trackers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder per template, installed once and copied from then on."""
    root = tmp_path_factory.mktemp("roundup-prepared")

    def prepared(template: str) -> Path:
        folder = root / template
        if not folder.exists():
            prepare_tracker(folder, template, admin_password=PASSWORD)
        return folder

    return prepared


@pytest.fixture(scope="session")
def _session_trackers(
    tmp_path_factory: pytest.TempPathFactory, prepared_trackers: Callable[[str], Path]
) -> Iterator[MakeTracker]:
    with ExitStack() as stack:
        yield _maker(stack, tmp_path_factory, prepared_trackers)


@pytest.fixture(scope="session")
def roundup_classic(_session_trackers: MakeTracker) -> Tracker:
    """The session's tracker of the template `classic`, with the user ann. Use titles of your own."""
    return with_ann(_session_trackers("classic"))


@pytest.fixture(scope="session")
def roundup_devel(_session_trackers: MakeTracker) -> Tracker:
    """The session's tracker of the template `devel`, with the user ann. Use titles of your own."""
    return with_ann(_session_trackers("devel"))


@pytest.fixture
def make_tracker(
    tmp_path_factory: pytest.TempPathFactory, prepared_trackers: Callable[[str], Path]
) -> Iterator[MakeTracker]:
    """`make_tracker(template, **options of start_tracker)`: a fresh tracker that ends with the test."""
    with ExitStack() as stack:
        yield _maker(stack, tmp_path_factory, prepared_trackers)


def with_ann(tracker: Tracker) -> Tracker:
    """Adds the user ann, who may do what users may."""
    tracker.add_user("ann", "Ann Ä.", "Ann@example.org", ANN_PASSWORD, alternate_addresses="ann@home.example.org")
    return tracker


def _maker(stack: ExitStack, folders: pytest.TempPathFactory, prepared: Callable[[str], Path]) -> MakeTracker:
    def make(template: str, **options: Any) -> Tracker:
        folder = folders.mktemp(f"roundup-{template}")
        options = {"admin_password": PASSWORD, "prepared": prepared(template), **options}
        return stack.enter_context(start_tracker(folder, template, **options))

    return make


async def make(connector: RoundupConnector, ticket: str = "issue", **fields: Any) -> Entity:
    """Creates a ticket through the connector."""
    return await connector.create("", ticket, {"title": "A ticket", **fields}, marker=None)


async def now(connector: RoundupConnector, ticket: str, id: str) -> Entity:
    """Reads a ticket through the connector."""
    entity = (await connector.read([EntityRef("", ticket, id)]))[EntityRef("", ticket, id)]
    assert isinstance(entity, Entity)
    return entity


async def texts(connector: RoundupConnector, entity: Entity) -> list[str]:
    """The texts of a ticket's comments."""
    return [comment.text.canonical for comment in (await connector.comments([entity]))[entity.ref]]


def message(tracker: Tracker, content: str, **more: str) -> str:
    """Writes a message that is nobody's yet, behind the connector's back; answers its id."""
    return tracker.add("msg", **{"content": content, "author": "1", "date": ".", **more})
