"""Redmine 5 over its REST API. Rule: Redmine answers success to much that it ignores, so every write is read back.

Scope = a project's identifier, entity types = trackers. What Redmine does not do: no conditional writes (an update is
preceded by a read), no marker, no trace of a comment that was edited or deleted, times in whole seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, quote

import httpx
from pydantic import Field

from connectors._redmine_client import Client, named
from connectors._redmine_values import PARAMETERS, moment, normal, version
from connectors.contract import ApiKey, Basic, Limits, Query, SystemConfig, SystemInfo
from connectors.entity import (
    Attachment,
    Comment,
    Edit,
    Entity,
    EntityRef,
    Fields,
    Gone,
    Link,
    Page,
    UserRef,
    Value,
    normal_text,
    same,
)
from connectors.errors import AuthenticationError, Changed, ConfigurationError, Forbidden, NotFound, Rejected
from connectors.paging import ByModified, Seen
from connectors.rest import Http
from connectors.richtext import from_canonical, to_canonical
from connectors.schema import EntitySchema

OURS = frozenset({"project_id", "tracker_id", "updated_on", "sort", "limit", "offset", "f[]", "query_id", "set_filter"})
"""Parameters of a listing that a native condition may not touch, or that would make Redmine forget ours."""

LINK_TYPES = ("relates", "duplicates", "blocks", "precedes", "copied_to")
"""Each in Redmine's own direction: a link reads the same from both of its ends."""


class RedmineConfig(SystemConfig):
    """How a Redmine is reached: by API key, or by user name and password."""

    kind: str = Field("redmine", description="redmine")
    credentials: ApiKey | Basic = Field(description="{api_key: …}, or {username: …, password: …}.")
    text_format: Literal["textile", "markdown"] | None = Field(
        None,
        description="Text formatting, as Administration → Settings → General has it; left out, texts stay as they are.",
    )


class _KeyAuth(httpx.Auth):
    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["X-Redmine-API-Key"] = self._key
        yield request


class RedmineConnector:
    """One Redmine."""

    kind: ClassVar[str] = "redmine"
    Config: ClassVar[type[SystemConfig]] = RedmineConfig
    native_language: ClassVar[str] = "query string of Redmine's issue list, e.g. cf_1=foo&priority_id=2"
    limits = Limits(
        timestamp_resolution=timedelta(seconds=1),
        max_page=100,
        bumps_on_noop=True,
        link_changes_visible=False,
        comment_changes_visible=False,
        ids_per_type=False,
    )

    def __init__(self, config: RedmineConfig, http: Http) -> None:
        self.config = config
        self._dialect = config.text_format or "plain"
        self.limits = replace(type(self).limits, text_format=self._dialect)
        # Messages name fields by their labels: in English unless the account has a language of its own.
        self._http = http.using(auth=_auth(config.credentials), headers={"Accept-Language": "en"})
        self._client = Client(self._http, self._dialect)

    @property
    def requests(self) -> int:
        return self._http.requests

    async def close(self) -> None:
        await self._http.aclose()

    # Who we are, what there is

    async def check(self) -> SystemInfo:
        try:
            me = await self._client.me()
        except NotFound:
            raise self._client.wrong("There is no Redmine at this address", "Check the path in `url`.") from None
        except AuthenticationError as refusal:
            refusal.remedy = "Check the credentials: the key is on the account's page My account, and may be replaced."
            raise
        except Forbidden as refusal:
            raise self._client.wrong(
                f"Redmine does not let us in by REST: {refusal.message}",
                "Switch on Administration → Settings → API → Enable REST web service; "
                "an account that must change its password does that first.",
            ) from None
        user = UserRef(str(me["id"]), me.get("login"), me.get("mail"), f"{me['firstname']} {me['lastname']}")
        projects = [membership["project"]["name"] for membership in me.get("memberships", ())]
        return SystemInfo(
            product="Redmine",
            user=user,
            clock_offset=self._http.clock_offset,
            permissions=("administrator",) if me.get("admin") else tuple(f"member of {name}" for name in projects),
            warnings=tuple(self._warnings(me)),
        )

    def _warnings(self, me: Mapping[str, Any]) -> Iterator[str]:
        if not me.get("admin"):
            yield "Not an administrator: formats of custom fields are not told, users only of shared projects."
        if self._http.server_time is None:
            yield "The web server tells no time (no Date header): how far its clock is off is not known."

    async def scopes(self) -> Mapping[str, str]:
        projects = await self._client.all("/projects.json", "projects")
        return {project["identifier"]: project["name"] for project in projects}

    async def entity_types(self, scope: str) -> tuple[str, ...]:
        return tuple(tracker["name"] for tracker in (await self._client.project(scope))["trackers"])

    async def schema(self, scope: str, entity_type: str) -> EntitySchema:
        return (await self._client.shape(scope, entity_type)).schema

    async def find_user(self, text: str) -> Sequence[UserRef]:
        return await self._client.users.find(text)

    async def users(self, scope: str) -> Sequence[UserRef]:
        return await self._client.users.everybody(scope)

    def normalise(self, entity_type: str, field: str, value: Value) -> Value:  # noqa: ARG002  (alike for all fields)
        return normal(value)

    # Reading

    async def changes(self, query: Query) -> AsyncIterator[Page]:
        start = _second(query.since)
        pages: ByModified[dict[str, Any]] = ByModified(start, self.limits.max_page)
        condition = _condition(query.native)
        while not pages.done:
            known = self._client.known_shape(query.scope, query.entity_type)
            place: dict[str, Any] = {
                "tracker_id": known.tracker_id if known else None,
                "updated_on": f">={pages.since:%Y-%m-%dT%H:%M:%SZ}" if pages.since else None,
                "sort": "updated_on,id",
                "limit": pages.size,
                "offset": pages.offset or None,
            }
            issues = await self._client.listed(query.scope, condition | place)
            heard = self._http.server_time
            rows = [(Seen((issue["id"], version(issue)), moment(issue["updated_on"])), issue) for issue in issues]
            # Redmine takes a second off `since` where its database keeps fractions.
            fresh = [issue for issue in pages.fresh(rows) if not start or moment(issue["updated_on"]) >= start]
            wanted = [issue for issue in fresh if issue["tracker"]["name"] == query.entity_type]
            yield Page(tuple(await self._client.entities(wanted)), heard)
            # Worth asking for the tracker's number, so that the others are not listed; and a first scan that finds
            # nothing must not hide a tracker that does not exist.
            if not pages.done or query.since is None:
                await self._client.shape(query.scope, query.entity_type)

    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        listed = await self._client.many(ref.id for ref in refs)
        entities = {found.ref.id: found for found in await self._client.entities(listed)}
        absent = [ref for ref in refs if ref.id not in entities]
        alone = dict(zip(absent, await asyncio.gather(*map(self._alone, absent)), strict=True))
        return {ref: entities.get(ref.id) or alone[ref] for ref in refs}

    async def history(self, entity: Entity, since: datetime | None) -> Sequence[Edit]:
        issue = await self._client.issue(entity.ref, include="journals")
        known = await self._client.shape_of(issue)
        named = {parameter: name for name, parameter in PARAMETERS.items()} | {"parent_id": "parent"}
        edits = []
        for journal in issue["journals"]:
            at = moment(journal["created_on"])
            if since and at < since.replace(microsecond=0):
                continue
            by = await self._client.user(journal.get("user"))
            for detail in journal["details"]:
                name = named.get(detail["name"], detail["name"])
                if detail["property"] == "cf":
                    name = known.custom.get(int(detail["name"]), "")
                if detail["property"] in ("attr", "cf") and name in known.schema.fields:
                    await self._client.users.learn(known.users_in(name, detail["old_value"], detail["new_value"]))
                    before, after = (
                        known.value(name, detail[key], self._client.users) for key in ("old_value", "new_value")
                    )
                    edits.append(Edit(name, at, by, before, after))
        return edits

    # Writing

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:  # noqa: ARG002
        known = await self._client.shape(scope, entity_type)
        body = {"project_id": scope, "tracker_id": known.tracker_id, **known.body(fields, creating=True)}
        answer = await self._client.write("POST", "/issues.json", {"issue": body}, known)
        return await self._client.entity(self._http.json(answer)["issue"])

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        if expected is not None and version(await self._client.issue(entity.ref)) != expected:
            raise Changed(f"{entity.key} was changed by somebody else meanwhile", ref=entity.ref)
        known = await self._client.shape(entity.ref.scope, entity.ref.type)
        body = {"issue": known.body(fields, creating=False)}
        await self._client.write("PUT", f"/issues/{entity.ref.id}.json", body, known, entity.ref)
        return await self._client.entity(await self._client.issue(entity.ref))

    async def delete(self, entity: Entity) -> None:
        """Deletes for good. Refused for an issue with subtasks: Redmine would delete these as well."""
        issue = await self._client.issue(entity.ref, include="children")
        if issue.get("children"):
            remedy = "Delete or move the subtasks first."
            raise Rejected(f"{entity.key} has subtasks and was left as it is", ref=entity.ref, remedy=remedy)
        await self._client.ask("DELETE", f"/issues/{entity.ref.id}.json", entity.ref)

    # Comments are journals with notes

    async def comments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Comment, ...]]:
        answers = await asyncio.gather(*(self._talk(entity.ref) for entity in entities))
        return {entity.ref: talk for entity, talk in zip(entities, answers, strict=True) if talk is not None}

    async def _talk(self, ref: EntityRef) -> tuple[Comment, ...] | None:
        """None for an entity that was deleted meanwhile: no answer is not the answer that it has no comments."""
        try:
            return await self._comments(await self._client.issue(ref, include="journals"))
        except NotFound:
            return None

    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        body = {"issue": {"notes": self._notes(comment), "private_notes": comment.kind == "private"}}
        await self._client.write("PUT", f"/issues/{entity.ref.id}.json", body, None, entity.ref)
        issue = await self._client.issue(entity.ref, include="journals")
        for written in reversed(await self._comments(issue)):
            if same(written.text, comment.text):
                return written, await self._client.entity(issue)
        raise Forbidden(f"Redmine did not take the comment on {entity.key}", ref=entity.ref)

    async def edit_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        issue = await self._rewrite(entity, comment.id, self._notes(comment))
        for written in await self._comments(issue):
            if written.id == comment.id:
                return written, await self._client.entity(issue)
        raise NotFound(f"{entity.key} has no comment {comment.id}", ref=entity.ref)

    async def delete_comment(self, entity: Entity, comment_id: str) -> Entity:
        return await self._client.entity(await self._rewrite(entity, comment_id, ""))

    async def _rewrite(self, entity: Entity, journal: str, notes: str) -> dict[str, Any]:
        await self._client.write("PUT", f"/journals/{journal}.json", {"journal": {"notes": notes}}, None, entity.ref)
        return await self._client.issue(entity.ref, include="journals")

    def _notes(self, comment: Comment) -> str:
        return from_canonical(comment.text, self._dialect)

    async def _comments(self, issue: Mapping[str, Any]) -> tuple[Comment, ...]:
        noted = [journal for journal in issue["journals"] if normal_text(journal.get("notes") or "")]
        await self._client.users.learn(named(journal.get("user") for journal in noted))
        return tuple([await self._comment(journal) for journal in noted])

    async def _comment(self, journal: Mapping[str, Any]) -> Comment:
        return Comment(
            id=str(journal["id"]),
            text=to_canonical(journal["notes"], self._dialect),
            author=await self._client.user(journal.get("user")),
            created=moment(journal["created_on"]),
            kind="private" if journal.get("private_notes") else "public",
        )

    # Links are relations

    async def link_types(self) -> tuple[str, ...]:
        return LINK_TYPES

    async def links(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Link, ...]]:
        issues = await self._whole(entities, "relations")
        relations = {ref: issue.get("relations", ()) for ref, issue in issues.items()}
        refs = await self._ends((each for found in relations.values() for each in found), issues.values())
        return {ref: tuple(_link(each, refs) for each in found) for ref, found in relations.items()}

    async def add_link(self, entity: Entity, link_type: str, target: EntityRef) -> Link:
        if link_type not in LINK_TYPES:
            remedy = f"Use one of: {', '.join(LINK_TYPES)}."
            raise Rejected(f"Redmine has no link type {link_type!r}", ref=entity.ref, remedy=remedy)
        body = {"relation": {"issue_to_id": target.id, "relation_type": link_type}}
        answer = await self._client.write("POST", f"/issues/{entity.ref.id}/relations.json", body, None, entity.ref)
        relation = self._http.json(answer)["relation"]
        return _link(relation, await self._ends([relation]))

    async def delete_link(self, entity: Entity, link: Link) -> None:
        await self._client.ask("DELETE", f"/relations/{link.id}.json", entity.ref)

    async def _ends(
        self, relations: Iterable[Mapping[str, Any]], near: Iterable[Mapping[str, Any]] = ()
    ) -> dict[str, EntityRef]:
        ends = [str(relation[end]) for relation in relations for end in ("issue_id", "issue_to_id")]
        return await self._client.refs(ends, near)

    # Attachments

    async def attachments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Attachment, ...]]:
        issues = await self._whole(entities, "attachments")
        await self._client.users.learn(named(a.get("author") for i in issues.values() for a in i["attachments"]))
        return {ref: tuple([await self._attachment(a) for a in i["attachments"]]) for ref, i in issues.items()}

    async def open_attachment(self, entity: Entity, attachment: Attachment) -> AsyncIterator[bytes]:  # noqa: ARG002
        path = f"/attachments/download/{attachment.id}/{quote(attachment.name, safe='')}"
        async for chunk in self._http.download(path):
            yield chunk

    async def add_attachment(
        self, entity: Entity, attachment: Attachment, content: AsyncIterator[bytes]
    ) -> tuple[Attachment, Entity]:
        answer = await self._client.ask(
            "POST",
            "/uploads.json",
            entity.ref,
            params={"filename": attachment.name},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        upload = self._http.json(answer)["upload"]
        told = {"token": upload["token"], "filename": attachment.name, "content_type": attachment.content_type}
        path = f"/issues/{entity.ref.id}.json"
        await self._client.write("PUT", path, {"issue": {"uploads": [told]}}, None, entity.ref)
        issue = await self._client.issue(entity.ref, include="attachments")
        for added in issue["attachments"]:
            if str(added["id"]) == str(upload["token"]).partition(".")[0]:
                return await self._attachment(added), await self._client.entity(issue)
        raise Forbidden(f"Redmine did not keep the file {attachment.name} on {entity.key}", ref=entity.ref)

    async def delete_attachment(self, entity: Entity, attachment_id: str) -> Entity:
        await self._client.ask("DELETE", f"/attachments/{attachment_id}.json", entity.ref)
        return await self._client.entity(await self._client.issue(entity.ref))

    async def _attachment(self, told: Mapping[str, Any]) -> Attachment:
        return Attachment(
            id=str(told["id"]),
            name=told["filename"],
            size=told["filesize"],
            content_type=told.get("content_type") or None,
            author=await self._client.user(told.get("author")),
            created=moment(told["created_on"]),
        )

    async def _whole(self, entities: Sequence[Entity], include: str) -> dict[EntityRef, dict[str, Any]]:
        """The issues of these entities with more than lists show by default. Raises NotFound, Forbidden."""
        found = {str(issue["id"]): issue for issue in await self._client.many((e.ref.id for e in entities), include)}
        return {e.ref: found.get(e.ref.id) or await self._client.issue(e.ref, include) for e in entities}

    async def _alone(self, ref: EntityRef) -> Entity | Gone | Forbidden:
        """An entity that the list did not show: only asked for alone Redmine tells whether it is gone or hidden."""
        try:
            return await self._client.entity(await self._client.issue(ref))
        except NotFound:
            return Gone(ref)
        except Forbidden as hidden:
            return hidden


def _link(relation: Mapping[str, Any], refs: Mapping[str, EntityRef]) -> Link:
    source, target = refs[str(relation["issue_id"])], refs[str(relation["issue_to_id"])]
    return Link(str(relation["id"]), relation["relation_type"], source, target)


def _auth(credentials: ApiKey | Basic) -> httpx.Auth:
    if isinstance(credentials, ApiKey):
        return _KeyAuth(credentials.api_key.get_secret_value())
    return httpx.BasicAuth(credentials.username, credentials.password.get_secret_value())


def _second(moment: datetime | None) -> datetime | None:
    """Redmine refuses fractions of a second."""
    return moment.astimezone(UTC).replace(microsecond=0) if moment else None


def _condition(native: str | None) -> dict[str, str]:
    """A native condition as parameters. Raises ConfigurationError where it would undo what paging relies on."""
    parameters = dict(parse_qsl(native or "", keep_blank_values=True))
    if taken := sorted(OURS & parameters.keys()):
        remedy = "Leave them out: project, tracker, time and order are given by the mapping."
        raise ConfigurationError(f"The native condition may not name {', '.join(taken)}", remedy=remedy)
    return parameters
