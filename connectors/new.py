"""`python -m connectors.new NAME`: a connector and its test to start from. What exists is never overwritten.

What it writes works as it stands: a connector for a made-up REST API, and a test with a double of that API that passes
the whole conformance kit. Replace the made-up parts one at a time, and keep the kit green; see docs/connectors.md.
"""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

CONNECTOR = '''\
"""NAME: how this system is spoken to.

Rule of this file: what is special about this system stays in here. Addresses and fields are made up: replace them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx
from pydantic import Field, SecretStr

from connectors.contract import ApiKey, Limits, Query, SystemConfig, SystemInfo
from connectors.entity import Choice, Entity, EntityRef, Fields, Gone, Page, RichText, UserRef, Value, utc
from connectors.errors import ConfigurationError, EntityError, Forbidden, NotFound
from connectors.rest import Http
from connectors.schema import EntitySchema, FieldSchema, FieldType

STATES = (Choice("open"), Choice("closed"))
TICKET = EntitySchema.of(
    "ticket",
    FieldSchema("title", FieldType.TEXT, "Title", required=True, max_length=200),
    FieldSchema("body", FieldType.RICH_TEXT, "Body"),
    FieldSchema("state", FieldType.CHOICE, "State", choices=STATES),
)


class CLASSConfig(SystemConfig):
    kind: str = Field("NAME", description="The kind of system.")
    credentials: ApiKey = Field(description="The API key of the account that Syncline works as.")


class CLASSConnector:
    kind: ClassVar[str] = "NAME"
    Config: ClassVar[type[SystemConfig]] = CLASSConfig
    limits: Limits = Limits(
        timestamp_resolution=timedelta(seconds=1), conditional_writes=True, max_page=100, text_format="markdown"
    )

    def __init__(self, config: CLASSConfig, http: Http) -> None:
        self.config = config
        self.http = http.using(auth=_Key(config.credentials.api_key))

    async def check(self) -> SystemInfo:
        try:
            me = await self.http.get_json("me")
        except EntityError as error:  # nothing is asked about one entity here: the address or the account is wrong
            raise ConfigurationError(f"{self.config.url} does not answer as NAME does: {error.message}") from None
        return SystemInfo("CLASS", user=UserRef(str(me["id"])), clock_offset=self.http.clock_offset)

    async def schema(self, scope: str, entity_type: str) -> EntitySchema:
        if scope:
            raise ConfigurationError(f'NAME has no projects, so none is called "{scope}"')
        if entity_type != TICKET.type:
            raise ConfigurationError(f'NAME has no entity type "{entity_type}"; it has "{TICKET.type}"')
        return TICKET

    async def changes(self, query: Query) -> AsyncIterator[Page]:
        """By key: each page begins after the last entity seen, so that an edit in between pushes none aside."""
        await self.schema(query.scope, query.entity_type)
        since, after = query.since, None
        while True:
            rows = await self.http.get_json(
                "tickets", since=since and since.isoformat(), after=after, limit=self.limits.max_page
            )
            entities = tuple(self._entity(row) for row in rows)
            yield Page(entities, self.http.server_time)
            if len(rows) < self.limits.max_page:
                return
            since, after = entities[-1].modified, entities[-1].ref.id

    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        return dict(zip(refs, await asyncio.gather(*map(self._read, refs)), strict=True))

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        await self.schema(scope, entity_type)
        return await self._write("POST", "tickets", {**_plain(fields), "external_id": marker})

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        unless_changed = {} if expected is None else {"If-Match": expected}
        return await self._write("PATCH", f"tickets/{entity.ref.id}", _plain(fields), unless_changed)

    async def find(self, scope: str, entity_type: str, marker: str) -> EntityRef | None:
        """The optional protocol FindsMarkers. Leave it out where your system cannot."""
        await self.schema(scope, entity_type)
        rows = await self.http.get_json("tickets", external_id=marker, limit=1)
        return self._entity(rows[0]).ref if rows else None

    async def _read(self, ref: EntityRef) -> Entity | Gone | Forbidden:
        try:
            return self._entity(await self.http.get_json(f"tickets/{ref.id}"))
        except NotFound:
            return Gone(ref)
        except Forbidden as refused:
            return refused

    async def _write(
        self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Entity:
        return self._entity(self.http.json(await self.http.request(method, path, json=body, headers=headers)))

    def _entity(self, row: Mapping[str, Any]) -> Entity:
        fields: dict[str, Value] = {
            "title": row["title"],
            "body": RichText((row["body"] or "").replace("\\r\\n", "\\n").strip()),
            "state": Choice(row["state"]),
        }
        ref = EntityRef("", TICKET.type, str(row["id"]))
        modified, created = (utc(datetime.fromisoformat(row[name])) for name in ("modified", "created"))
        return Entity(ref, fields, str(row["version"]), modified, created, key=f"#{ref.id}")


def _plain(fields: Fields) -> dict[str, str | None]:
    return {name: None if value is None else str(value) for name, value in fields.items()}


class _Key(httpx.Auth):
    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        yield request
'''

TEST = '''\
"""NAME keeps the contract: the whole conformance kit, against a double of its API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest

IMPORTS

SECRET = "k3y-of-the-double"
CONFIG = CLASSConfig.model_validate({"url": "https://tracker.example.org/api", "credentials": {"api_key": SECRET}})


class TestCLASS(ConnectorConformance):
    @pytest.fixture
    def subject(self) -> Subject:
        double = Double()

        def over(transport: httpx.AsyncBaseTransport) -> CLASSConnector:
            return CLASSConnector(CONFIG, Http(CONFIG, transport=transport))

        def transport() -> httpx.MockTransport:
            return httpx.MockTransport(double)

        return Subject(over(transport()), "ticket", over=over, transport=transport, tick=double.tick)


class Double:
    """A NAME that lives in this test: it remembers what is written, and is as strict as the real one."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.ids = count(1)
        self.now = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)

    async def tick(self) -> None:
        self.now += timedelta(seconds=1)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return httpx.Response(401)
        match request.method, request.url.path.removeprefix("/api/").split("/"):
            case "GET", ["me"]:
                return httpx.Response(200, json={"id": 1})
            case "GET", ["tickets"]:
                return self.list(request.url.params)
            case "POST", ["tickets"]:
                blank = {"id": next(self.ids), "body": "", "state": "open", "version": 0}
                return self.write({**blank, "created": self.now.isoformat()}, json.loads(request.content))
            case method, ["tickets", id] if id in self.rows:
                row = self.rows[id]
                if method == "GET":
                    return httpx.Response(200, json=row)
                if request.headers.get("If-Match", str(row["version"])) != str(row["version"]):
                    return httpx.Response(412)
                return self.write(row, json.loads(request.content))
        return httpx.Response(404)

    def list(self, params: httpx.QueryParams) -> httpx.Response:
        since, after = params.get("since", ""), int(params.get("after", 0))
        ordered = sorted(self.rows.values(), key=lambda row: (row["modified"], row["id"]))
        found = [r for r in ordered if r["modified"] > since or (r["modified"] == since and r["id"] > after)]
        if "external_id" in params:
            found = [r for r in found if r["external_id"] == params["external_id"]]
        return httpx.Response(200, json=found[: int(params["limit"])])

    def write(self, row: dict[str, Any], sent: dict[str, Any]) -> httpx.Response:
        new = {**row, **sent}
        if not 0 < len(new.get("title") or "") <= 200 or new["state"] not in ("open", "closed"):
            return httpx.Response(422, json={"message": "not a ticket"})
        if new != row:
            new |= {"version": row["version"] + 1, "modified": self.now.isoformat()}
        self.rows[str(row["id"])] = new
        return httpx.Response(200, json=new)
'''


def scaffold(name: str, root: Path) -> tuple[Path, Path]:
    """Write `connectors/NAME.py` and `tests/conformance/test_NAME.py` below `root`; answers both paths.

    Raises ValueError where the name cannot be a kind, FileExistsError where one of the files is there already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ValueError(f'"{name}" is no name for a connector. Use small letters, digits and _, as in "my_tracker".')
    if name in sys.stdlib_module_names:
        raise ValueError(f'"{name}" is a module of Python itself. Choose another name, such as "{name}_tracker".')
    files = {
        root / "connectors" / f"{name}.py": CONNECTOR,
        root / "tests" / "conformance" / f"test_{name}.py": TEST,
    }
    taken = [path for path in files if path.exists()]
    if taken:
        raise FileExistsError(f"{taken[0]} exists already; nothing was written. Choose another name, or move it away.")
    imports = [
        f"from connectors.{name} import {_class(name)}Config, {_class(name)}Connector",
        "from connectors.conformance import ConnectorConformance, Subject",
        "from connectors.rest import Http",
    ]
    words = {"IMPORTS": "\n".join(sorted(imports)), "CLASS": _class(name), "NAME": name}
    for path, text in files.items():
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    connector, test = files
    return connector, test


def main(arguments: list[str]) -> int:
    """The command. Exit code 0 = written, 1 = refused, 2 = wrong usage."""
    if len(arguments) != 1 or arguments[0].startswith("-") or not arguments[0]:
        print("Usage: python -m connectors.new NAME, or: make new-connector NAME=my_tracker", file=sys.stderr)
        return 2
    try:
        connector, test = scaffold(arguments[0], Path.cwd())
    except (ValueError, FileExistsError) as refused:
        print(refused, file=sys.stderr)
        return 1
    name = connector.stem
    print(
        f"Written: {connector}\n         {test}\n\n"
        f"Next: 1. pytest {test.relative_to(Path.cwd())}    (passes as it stands)\n"
        f'      2. name it in pyproject.toml, [project.entry-points."syncline.connectors"]:\n'
        f'         {name} = "connectors.{name}:{_class(name)}Connector"\n'
        f"      3. docs/connectors.md, from step 2 on"
    )
    return 0


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
