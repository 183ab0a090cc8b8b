"""Roundup's REST API: rows, nodes and conditional writes.

Rule of this file: here are the addresses, headers and refusals of Roundup, and nothing of what the rows mean.
"""

from __future__ import annotations

import re
import xmlrpc.client
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import parse_qs
from xml.parsers.expat import ExpatError

import httpx

from connectors._roundup_schema import Property, TrackerSchema
from connectors._roundup_values import stamp
from connectors.contract import Basic, SystemConfig
from connectors.errors import Changed, ConfigurationError, NotFound, Rejected, Unavailable
from connectors.rest import Http

CHUNK = 200
"""Most ids in one request: their text has to fit into an address of 8 kB."""

_REFUSALS = frozenset({400, 405, 409})
"""Roundup's statuses for values it does not take: of the wrong form, by a detector's veto, not existing."""

_NAMES_FIELD = re.compile(r"""property ['"]?(\w+)|must provide the '?(\w+)""", re.IGNORECASE)
_NAMES_CLASS = re.compile(r"(\w+) has no node (\w+)")
_RETIRED = "Requested item is retired"
_CRASHED = "An error occurred. Please check the server log"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows as the tracker had them. `asked`: a moment of its clock not later than that; `answered`: of its answer."""

    rows: list[Row]
    asked: datetime | None
    answered: datetime | None


@dataclass(frozen=True, slots=True)
class Node:
    """One node with the tag that a conditional write needs."""

    etag: str
    values: Row


class Api:
    """The tracker at `config.url`, as the configured account."""

    def __init__(self, config: SystemConfig, credentials: Basic, http: Http) -> None:
        root = config.url.rstrip("/")
        auth = httpx.BasicAuth(credentials.username, credentials.password.get_secret_value())
        self.http = http.using(auth=auth, base_url=f"{root}/rest/data", headers={"X-Requested-With": "rest"})
        self._root = root
        self._web: str | None = None
        self._schema: TrackerSchema | None = None

    async def list(self, class_name: str, params: Mapping[str, Any]) -> Listing:
        """The rows of a class that meet `params`, retired ones left out."""
        response = await self.http.request("GET", class_name, params={"@pretty": "false", **params})
        answered = _date(response)
        asked = answered and (answered - response.elapsed - timedelta(seconds=1)).replace(microsecond=0)
        return Listing(self._data(response)["collection"], asked, answered)

    async def by_id(self, class_name: str, ids: Sequence[str], fields: Sequence[str], verbose: int) -> dict[str, Row]:
        """The rows of these ids. Unknown, retired and hidden ones are missing."""
        found: dict[str, Row] = {}
        for start in range(0, len(ids), CHUNK):
            wanted = {"id": list(ids[start : start + CHUNK]), "@fields": ",".join(fields), "@verbose": verbose}
            found |= {row["id"]: row for row in (await self.list(class_name, wanted)).rows}
        return found

    async def node(self, class_name: str, id: str, fields: Sequence[str] = ("id",), verbose: int = 0) -> Node:
        """One node, retired or not. Raises NotFound, Forbidden."""
        params = {"@fields": ",".join(fields), "@verbose": verbose}
        data = self._data(await self.http.request("GET", f"{class_name}/{id}", params=params))
        return Node(data["@etag"], data["attributes"])

    async def create(self, class_name: str, values: Mapping[str, Any]) -> str:
        """Create a node; answers its id. Raises Rejected."""
        headers = await self._write_headers()
        response = await self.http.request("POST", class_name, json=values, headers=headers, expect=_REFUSALS)
        return str(self._accepted(response, values)["id"])

    async def upload(self, name: str, content_type: str, content: IO[bytes]) -> str:
        """Create a `file`; answers its id."""
        response = await self.http.request(
            "POST",
            "file",
            data={"name": name, "type": content_type},
            files={"content": (name, content, content_type)},
            headers=await self._write_headers(),
            expect=_REFUSALS,
        )
        return str(self._accepted(response, {})["id"])

    async def put(self, class_name: str, id: str, values: Mapping[str, Any], etag: str) -> None:
        """Set properties of a node. Raises Changed when the tag is no longer its own, Rejected."""
        headers = {**await self._write_headers(), "If-Match": etag}
        path = f"{class_name}/{id}"
        self._accepted(await self.http.request("PUT", path, json=values, headers=headers, expect=_REFUSALS), values)

    async def retire(self, class_name: str, id: str, etag: str) -> None:
        headers = {**await self._write_headers(), "If-Match": etag}
        await self.http.request("DELETE", f"{class_name}/{id}", headers=headers)

    def download(self, file_id: str) -> AsyncIterator[bytes]:
        """The content of a file, in chunks."""
        return self.http.download(f"file/{file_id}/binary_content", headers={"Accept": "*/*"})

    async def size(self, file_id: str) -> int:
        """Bytes of a file's content. No list tells it; the answer to a wish for its first byte does."""
        headers = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}
        response = await self.http.request("GET", f"{self._root}/file{file_id}/", headers=headers, expect={416})
        total = response.headers.get("content-range", "").rpartition("/")[2]
        return int(total) if total.isdecimal() else 0 if response.status_code == 416 else len(response.content)

    async def web(self) -> str:
        """The address that the tracker itself goes by: it measures Origin and Referer of a write against it."""
        if self._web is None:
            data = self._data(await self.http.request("GET", "", params={"@pretty": "false"}))
            links = [entry["link"] for entry in data.values() if isinstance(entry, dict) and "link" in entry]
            if not links:
                raise self._misconfigured("The account may see no class of this tracker", "Give it a role.")
            self._web = links[0].rpartition("rest/data/")[0]
        return self._web

    async def schema(self, *, fresh: bool = False) -> TrackerSchema:
        """All classes with the types of their properties. Raises ConfigurationError where XML-RPC is switched off."""
        if self._schema is None or fresh:
            response = await self.http.request(
                "POST",
                f"{self._root}/xmlrpc",
                content=xmlrpc.client.dumps((), "schema"),
                headers={**await self._write_headers(), "Content-Type": "text/xml"},
                repeatable=True,
                expect=frozenset({400, 403, 404}),
            )
            try:
                classes: Any = xmlrpc.client.loads(response.content)[0][0]
                self._schema = TrackerSchema(
                    {name: {prop: Property.parse(kind) for prop, kind in own} for name, own in classes.items()}
                )
            except (xmlrpc.client.Error, ExpatError, AttributeError, IndexError, TypeError, ValueError):
                raise self._misconfigured(
                    f"{self._root}/xmlrpc does not tell the tracker's schema",
                    "Set `enable_xmlrpc = yes` in the tracker's config.ini, and give the account 'Xmlrpc Access'.",
                ) from None
        return self._schema

    async def _write_headers(self) -> dict[str, str]:
        """Roundup wants to see that a write comes from its own address, by whichever name we reach it."""
        web = await self.web()
        scheme, _, host = web.split("/")[:3]
        headers = {"Origin": f"{scheme}//{host}", "Referer": web}
        return headers if f"//{host}" in self._root else {**headers, "X-Forwarded-Host": host}

    def _data(self, response: httpx.Response) -> Any:
        answer = self.http.json(response)
        if not isinstance(answer, dict) or "data" not in answer:
            raise self._misconfigured(f"{self._root}/rest answers, but not like Roundup", "Check `url`.")
        return answer["data"]

    def _accepted(self, response: httpx.Response, values: Mapping[str, Any]) -> Any:
        """The data of an accepted write. Raises by Roundup's words: Rejected names the field if they do."""
        if response.status_code not in _REFUSALS:
            return self._data(response)
        system = self.http.config.identity()
        answer = self.http.json(response)
        if "error" not in answer:  # not Roundup's own: 409 then means what it means everywhere
            kind = Changed if response.status_code == 409 else Rejected
            raise kind(f"The write was refused with status {response.status_code}", system=system)
        words = str(answer["error"].get("msg", ""))
        if _CRASHED in words:
            raise Unavailable(f"Roundup failed: {words}", system=system)
        if _RETIRED in words:
            raise NotFound("It is retired, which is Roundup's way to delete", system=system)
        fields = dict.fromkeys(self._at_fault(words, values), words)
        raise Rejected(f"Roundup refuses the values: {words}", fields=fields, system=system)

    @staticmethod
    def _at_fault(words: str, values: Mapping[str, Any]) -> Iterator[str]:
        """The fields that Roundup's words name: by name, or by an id that leads nowhere."""
        if by_name := _NAMES_FIELD.search(words):
            yield by_name[1] or by_name[2]
        elif by_id := _NAMES_CLASS.search(words):
            yield from (name for name, value in values.items() if value == by_id[2] or by_id[2] in _members(value))

    def _misconfigured(self, what: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(what, remedy=remedy, system=self.http.config.identity())


def since_filter(since: datetime | None) -> dict[str, Any]:
    """From this second on, inclusive, oldest first."""
    return {"@sort": "activity,id", **({"activity": f"{stamp(since)};"} if since else {})}


def native_filter(native: str | None) -> dict[str, Any]:
    """A person's own condition. Raises ConfigurationError where it meddles with what we set ourselves."""
    params = parse_qs((native or "").lstrip("?"), keep_blank_values=True)
    ours = sorted(name for name in params if name.startswith("@") or name.rstrip(":") == "activity")
    if ours:
        raise ConfigurationError(f"A native query cannot set {', '.join(ours)}", remedy="Syncline sets that itself.")
    return dict(params)


def portions(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    """The rows in portions of at most `size`; none for no rows."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _members(value: Any) -> Sequence[str]:
    return value if isinstance(value, list) else ()


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
