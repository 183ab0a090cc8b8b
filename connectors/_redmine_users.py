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
        if not text.strip():
            return []
        users = await (self._searched(text) if (await self._me()).get("admin") else self._fellows(text))
        mail = text.casefold()
        return [user for user in users if text in (user.id, user.username) or mail == (user.email or "").casefold()]

    async def everybody(self, project: str) -> Sequence[UserRef]:
        """The active members of a project, as far as we may see them."""
        numbers = await self._members(project)
        await self.learn((number, None) for number in numbers)
        return [user for number in sorted(numbers & self._active, key=int) if (user := self._users[number]) is not None]

    async def _searched(self, text: str) -> list[UserRef]:
        """An administrator may search; an id is no search word, and is asked for."""
        found = (await self._http.get_json("/users.json", name=text, limit=100))["users"]
        users = {str(user["id"]): self._keep(user) for user in found}
        if text.isdecimal() and text not in users:
            self._users.pop(text, None)
            await self.learn([(text, None)])
            users |= {number: user for number, user in self._users.items() if number == text and user is not None}
        return [user for number, user in users.items() if number in self._active]

    async def _fellows(self, text: str) -> list[UserRef]:
        """Others know the members of the projects that they are in, and whom they can name by id."""
        me = await self._me()
        projects = [membership["project"]["id"] for membership in me.get("memberships", ())]
        lists = await asyncio.gather(*(self._members(project) for project in projects))
        numbers = {str(me["id"])}.union({text} if text.isdecimal() else (), *lists)
        await self.learn((number, None) for number in numbers)
        return [user for number in numbers & self._active if (user := self._users[number]) is not None]

    async def _members(self, project: int | str) -> set[str]:
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
        try:
            self._keep((await self._http.get_json(f"/users/{number}.json"))["user"], name)
        except (NotFound, Forbidden):
            self._users[number] = None

    def _keep(self, told: Mapping[str, Any], name: str | None = None) -> UserRef:
        number = str(told["id"])
        full = f"{told.get('firstname', '')} {told.get('lastname', '')}".strip()
        user = self._users[number] = UserRef(number, told.get("login"), told.get("mail"), name or full)
        # The status is told to administrators; others see active users only.
        (self._active.add if told.get("status", ACTIVE) == ACTIVE else self._active.discard)(number)
        return user
