"""Counts the calls of connectors that do not count their requests themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from connectors.contract import Connector, CountsRequests

C = TypeVar("C", bound=Connector)

ASKED = (
    "check", "schema", "read", "create", "update", "find", "delete", "archive", "comments", "add_comment",
    "edit_comment", "delete_comment", "find_user", "history", "create_many",
)  # fmt: skip
"""Methods that count as one request each."""
PAGED = ("changes", "comment_changes")
"""Methods of which every page counts as one."""


def count_calls(connector: C) -> C:
    """The connector, with `requests` counting its calls, unless it has a count of its own."""
    if isinstance(connector, CountsRequests):
        return connector
    counted: Any = connector
    counted.requests = 0

    def asks(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counting(*args: Any, **kwargs: Any) -> Any:
            counted.requests += 1
            return await call(*args, **kwargs)

        return counting

    def pages(call: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def counting(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            asked = False
            async for page in call(*args, **kwargs):
                counted.requests += 1
                asked = True
                yield page
            counted.requests += not asked

        return counting

    for names, wrap in ((ASKED, asks), (PAGED, pages)):
        for name in names:
            if hasattr(counted, name):
                setattr(counted, name, wrap(getattr(counted, name)))
    return connector
