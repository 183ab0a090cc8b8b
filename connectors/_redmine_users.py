"""Redmine's users. Rule: each is asked for once; what the account may not see is left out, never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from connectors.entity import UserRef
from connectors.errors import Forbidden, NotFound
from connectors.rest import Http

ACTIVE = 1


class Directory:
    """The users of one Redmine, as far as our account may see them."""

    def __init__(self, http: Http, me: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._http = http
        self._me = me
        self._users: dict[str, UserRef | None] = {}
        self._active: set[str] = set()

    def __call__(self, number: str, name: str | None = None) -> UserRef:
        """The user with this id; `name` is the fallback for who was not found (a group, a user we may not see)."""
        return self._users.get(number) or UserRef(number, name=name)

    async def learn(self, users: Iterable[tuple[str, str | None]]) -> None:
        """Fetch those of these users (id, display name) that are not known yet, concurrently."""
        unknown = {number: name for number, name in users if number not in self._users}
        await asyncio.gather(*(self._fetch(number, name) for number, name in unknown.items()))

    async def find(self, text: str) -> Sequence[UserRef]:
        """The active users whose mail address (case-folded), login or id is `text`."""
        for number in await self._candidates(text):
            await self._fetch(number, None)
        wanted = text.casefold()
        users = (user for user in self._users.values() if user is not None and user.id in self._active)
        return [u for u in users if text in (u.id, u.username) or wanted == (u.email or "").casefold()]

    async def _candidates(self, text: str) -> set[str]:
        """Ids of users among whom all that match are: an administrator may search, others know their fellow members."""
        own = {text} if text.isdecimal() else set()
        me = await self._me()
        if me.get("admin"):
            found = await self._http.get_json("/users.json", name=text, limit=100)
            return own | {str(user["id"]) for user in found["users"]}
        projects = [membership["project"]["id"] for membership in me.get("memberships", ())]
        lists = await asyncio.gather(*(self._members(project) for project in projects))
        return own | {str(me["id"])}.union(*lists)

    async def _members(self, project: int) -> set[str]:
        found: set[str] = set()
        while True:
            path = f"/projects/{project}/memberships.json"
            try:
                page = (await self._http.get_json(path, limit=100, offset=len(found)))["memberships"]
            except (NotFound, Forbidden):
                return found
            found |= {str(membership["user"]["id"]) for membership in page if "user" in membership}
            if len(page) < 100:
                return found

    async def _fetch(self, number: str, name: str | None) -> None:
        if number in self._users:
            return
        try:
            user = (await self._http.get_json(f"/users/{number}.json"))["user"]
        except (NotFound, Forbidden):
            self._users[number] = None
            return
        full = f"{user.get('firstname', '')} {user.get('lastname', '')}".strip()
        self._users[number] = UserRef(number, user.get("login"), user.get("mail"), name or full)
        if user.get("status", ACTIVE) == ACTIVE:  # told to administrators; others see active users only
            self._active.add(number)
