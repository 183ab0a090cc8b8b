"""Redmine's issues as entities. Rule: every request to Redmine but those about users goes through here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import httpx

from connectors._redmine_users import Directory
from connectors._redmine_values import Shape, entity, shape
from connectors.entity import Entity, EntityRef, UserRef
from connectors.errors import ConfigurationError, EntityError, Forbidden, NotFound, Rejected, Unavailable
from connectors.rest import Http

PAGE = 100
"""Redmine cuts longer pages down to this without a word."""


class Client:
    """One Redmine as one account sees it. What hardly ever changes is asked for once. `dialect`: of formatted texts."""

    def __init__(self, http: Http, dialect: str) -> None:
        self.http = http
        self._dialect = dialect
        self.users = Directory(http, self.me)
        self._answers: dict[str, Any] = {}
        self._shapes: dict[tuple[str, str], Shape] = {}
        self._scopes: dict[int, str] = {}

    async def me(self) -> dict[str, Any]:
        """Our own account. Redmine shows public projects to anybody: only this tells that the log-in holds."""
        account: dict[str, Any] = self._part(await self._once("/users/current.json?include=memberships"), "user")
        return account

    async def all(self, path: str, key: str) -> list[dict[str, Any]]:
        """A list that comes in pages."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._part(await self.http.get_json(path, limit=PAGE, offset=len(found)), key)
            found += page
            if len(page) < PAGE:
                return found

    # Projects and trackers

    async def project(self, scope: str) -> dict[str, Any]:
        """The project with its trackers and categories. Raises ConfigurationError, naming the nearest ones."""
        if not scope:
            raise self.wrong("Redmine needs a project", "Name its identifier as left or right of the target.")
        try:
            answer = await self._once(f"/projects/{scope}.json?include=trackers,issue_categories")
        except NotFound:
            raise await self.unknown_scope(scope) from None
        except Forbidden:
            remedy = "Add the account to the project, or open the project again if it was archived."
            raise self.wrong(f"The account may not see the project {scope!r}", remedy) from None
        project: dict[str, Any] = self._part(answer, "project")
        self._scopes[project["id"]] = scope
        return project

    async def unknown_scope(self, scope: str) -> ConfigurationError:
        names = [project["identifier"] for project in await self.all("/projects.json", "projects")]
        return self.wrong(f"There is no project {scope!r}", _nearest(scope, names))

    def known_shape(self, scope: str, tracker: str) -> Shape | None:
        """The shape, if it was asked for before."""
        return self._shapes.get((scope, tracker))

    async def shape(self, scope: str, tracker: str) -> Shape:
        """The fields of a tracker in a project. Raises ConfigurationError, naming the nearest trackers."""
        if (scope, tracker) not in self._shapes:
            await self.me()
            project = await self.project(scope)
            names = [each["name"] for each in project["trackers"]]
            if tracker not in names:
                raise self.wrong(f"The project {scope!r} has no tracker {tracker!r}", _nearest(tracker, names))
            self._shapes[scope, tracker] = await self._ask_shape(scope, tracker, project)
        return self._shapes[scope, tracker]

    async def _ask_shape(self, scope: str, tracker: str, project: Mapping[str, Any]) -> Shape:
        trackers, statuses, priorities, versions = await asyncio.gather(
            self._once("/trackers.json"),
            self._once("/issue_statuses.json"),
            self._once("/enumerations/issue_priorities.json"),
            self._permitted(f"/projects/{scope}/versions.json"),
        )
        told = next(each for each in trackers["trackers"] if each["name"] == tracker)
        choices = {
            "status": statuses["issue_statuses"],
            "priority": priorities["issue_priorities"],
            "category": project.get("issue_categories", ()),
            "fixed_version": versions.get("versions", ()),
        }
        return shape(told, choices, await self._custom_fields(scope, told), self._dialect)

    async def _custom_fields(self, scope: str, tracker: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The custom fields of a tracker in a project.

        Only an administrator is told their formats, and nobody in which projects they are: an issue shows both its
        own and, to the others, at least their names.
        """
        told, listed = await asyncio.gather(
            self._permitted("/custom_fields.json"), self.listed(scope, {"tracker_id": tracker["id"], "limit": 1})
        )
        shown = {each["id"]: each for issue in listed for each in issue.get("custom_fields", ())}
        if "custom_fields" not in told:
            return [{"field_format": "string", **each} for each in shown.values()]
        return [
            each
            for each in told["custom_fields"]
            if any(one["id"] == tracker["id"] for one in each.get("trackers", ()))
            and (not listed or each["id"] in shown)
        ]

    # Issues

    async def listed(self, scope: str | None, condition: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One page of issues, open and closed: of this very project (not of its subprojects), None = wherever."""
        place = {} if scope is None else {"project_id": scope, "subproject_id": "!*"}
        if scope == "":
            await self.project(scope)
        try:
            answer = await self.ask("GET", "/issues.json", params={"status_id": "*", **place, **condition})
        except NotFound:
            raise await self.unknown_scope(scope or "") from None
        except Forbidden:
            if scope is not None:
                await self.project(scope)  # says better what is wrong
            raise
        issues: list[dict[str, Any]] = self._part(self.http.json(answer), "issues")
        return issues

    async def many(self, numbers: Iterable[str], include: str | None = None) -> list[dict[str, Any]]:
        """The issues with these ids, as far as Redmine lists them."""
        wanted = sorted({number for number in numbers if _is_id(number)}, key=int)
        pages = await asyncio.gather(
            *(
                self.listed(
                    None, {"issue_id": ",".join(wanted[start : start + PAGE]), "limit": PAGE, "include": include}
                )
                for start in range(0, len(wanted), PAGE)
            )
        )
        return [issue for page in pages for issue in page]

    async def issue(self, ref: EntityRef, include: str | None = None) -> dict[str, Any]:
        """One issue. Raises NotFound or Forbidden with the ref."""
        if not _is_id(ref.id):
            raise NotFound(f"There is no issue {ref.id}", ref=ref)
        answer = await self.ask("GET", f"/issues/{ref.id}.json", ref, params={"include": include})
        found: dict[str, Any] = self._part(self.http.json(answer), "issue")
        return found

    async def refs(self, numbers: Iterable[str], near: Iterable[Mapping[str, Any]] = ()) -> dict[str, EntityRef]:
        """Where the issues with these ids live; `near` are issues at hand. Of one that we may not see only the id."""
        found = {number: EntityRef("", "", number) for number in numbers}
        at_hand = {str(issue["id"]): issue for issue in near if str(issue["id"]) in found}
        others = await self.many(found.keys() - at_hand.keys())
        for issue in (*at_hand.values(), *others):
            found[str(issue["id"])] = EntityRef(await self._scope_of(issue), issue["tracker"]["name"], str(issue["id"]))
        return found

    async def shape_of(self, issue: Mapping[str, Any]) -> Shape:
        return await self.shape(await self._scope_of(issue), issue["tracker"]["name"])

    async def entities(self, issues: Sequence[Mapping[str, Any]]) -> list[Entity]:
        """The issues as entities, in their order."""
        if not issues:
            return []
        await self.me()
        shapes = [await self.shape_of(issue) for issue in issues]
        parents = [str(issue["parent"]["id"]) for issue in issues if issue.get("parent")]
        refs, _ = await asyncio.gather(
            self.refs(parents, issues),
            self.users.learn(user for one, issue in zip(shapes, issues, strict=True) for user in one.users(issue)),
        )
        return [
            entity(issue, one.parse(issue, self.users, refs), self._scopes[issue["project"]["id"]], self._url)
            for one, issue in zip(shapes, issues, strict=True)
        ]

    async def entity(self, issue: Mapping[str, Any]) -> Entity:
        return (await self.entities([issue]))[0]

    async def user(self, told: Mapping[str, Any] | None) -> UserRef | None:
        """The user of `{id, name}`."""
        if told is None:
            return None
        await self.users.learn([(str(told["id"]), told.get("name"))])
        return self.users(str(told["id"]), told.get("name"))

    # Requests

    async def ask(self, method: str, path: str, ref: EntityRef | None = None, **more: Any) -> httpx.Response:
        """A request about one entity: errors name it. Whatever answers a write with other than JSON is not Redmine."""
        try:
            answer = await self.http.request(method, path, **more)
        except EntityError as error:
            error.ref = ref
            raise
        if answer.content.strip():
            self.http.json(answer)
        return answer

    async def write(
        self, method: str, path: str, body: Any, known: Shape | None = None, ref: EntityRef | None = None
    ) -> httpx.Response:
        """A write. Raises Rejected with Redmine's words by field where it refuses."""
        answer = await self.ask(method, path, ref, json=body, expect={422})
        if answer.status_code == 422:
            messages = [str(message) for message in self.http.json(answer).get("errors", ())]
            fields = known.refusal(messages) if known else {}
            raise Rejected(f"Redmine refuses {ref or 'the new issue'}: {'; '.join(messages)}", fields=fields, ref=ref)
        return answer

    def wrong(self, what: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(what, remedy=remedy, system=self.http.config.identity())

    def _part(self, answer: Any, key: str) -> Any:
        if isinstance(answer, Mapping) and key in answer:
            return answer[key]
        remedy = "Check that `url` is the address of a Redmine."
        raise Unavailable(f"The answer has no {key!r}", remedy=remedy, system=self.http.config.identity())

    @property
    def _url(self) -> str:
        return self.http.config.url

    async def _scope_of(self, issue: Mapping[str, Any]) -> str:
        number = issue["project"]["id"]
        if number not in self._scopes:
            self._scopes[number] = (await self._once(f"/projects/{number}.json"))["project"]["identifier"]
        return self._scopes[number]

    async def _once(self, path: str) -> Any:
        if path not in self._answers:
            self._answers[path] = await self.http.get_json(path)
        return self._answers[path]

    async def _permitted(self, path: str) -> dict[str, Any]:
        """What is there, or nothing where the account may not know."""
        try:
            answer: dict[str, Any] = await self._once(path)
        except (Forbidden, NotFound):
            return {}
        return answer


def named(users: Iterable[Mapping[str, Any] | None]) -> Iterator[tuple[str, str | None]]:
    """Id and display name of users as Redmine tells them."""
    yield from ((str(user["id"]), user.get("name")) for user in users if user)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _nearest(name: str, names: Sequence[str]) -> str:
    close = get_close_matches(name, names, 3) or sorted(names)[:5]
    return f"Near: {', '.join(close)}." if close else "The account sees none at all: add it to the project."
