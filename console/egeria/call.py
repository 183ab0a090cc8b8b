"""One request on Egeria's paths, and the envelope of its answer.

Rule of this file: the transport says 200 and the body says how it went; null fields are left out, an empty list is an
absent field (SYSTEMS.md, "Egeria"). Who asks is proved by a token; the path's user is only what the caller claims.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from console.api.access import prove
from console.auth import Caller, Role
from console.egeria import messages
from console.egeria.kept import Kept
from console.egeria.messages import Told
from console.problems import Refused
from console.service import Service
from flows.home import state_folder
from mappings.findings import nearest
from mappings.load import ConnectorEntry

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `params` of its path, its `body` (JSON; {} where there is none), and who sends it."""

    service: Service
    caller: Caller
    user: str
    params: Mapping[str, str]
    body: Any
    kept: Kept
    root: str
    """Where this daemon is, as the caller reached it."""

    @property
    def server(self) -> str:
        return self.service.server_name

    def require_running(self) -> None:
        """Raises Told (404) while the server is stopped."""
        if self.kept.stopped is not None:
            raise messages.server_not_available(self.server, self.user)

    def entry(self, name: str) -> ConnectorEntry:
        """A connector in force. Raises Told, as Egeria does for one that is not running."""
        known = self.service.runtime.configuration.connectors
        if name not in known:
            raise messages.unknown_connector(name, self.server, nearest(name, sorted(known), "Known connectors"))
        return known[name]

    def object(self) -> Json:
        """The body as an object. Raises Told."""
        if not isinstance(self.body, dict):
            raise messages.invalid("requestBody", "it is not a JSON object", "Send the request body of the operation.")
        return self.body

    def text(self, key: str) -> str:
        """A text of the body that has to be there. Raises Told."""
        value = self.object().get(key)
        if not isinstance(value, str) or not value.strip():
            raise messages.invalid(key, "it is missing", f"Send a text as {key}.")
        return value.strip()


Work = Callable[[Call], Awaitable[Json] | Json | None]


def operation(
    router: APIRouter, method: str, path: str, answers: str, *, role: Role = Role.MONITOR, running: bool = False
) -> Callable[[Work], Work]:
    """Serve `path` (with `/users/{userId}` in it) with and without the user, as releases 5 and 6 have it.

    `answers`: the class of the answer; where `work` tells nothing at all (None), the answer is empty. `running`: only
    while the server is not stopped.
    """

    def serve(work: Work) -> Work:
        action = _camel(work.__name__)

        async def endpoint(request: Request) -> Response:
            try:
                call = await _call(request, role, action)
                if running:
                    call.require_running()
                told = work(call)
                if told is None:
                    return Response()
                body = {"class": answers, "relatedHTTPCode": 200, **(told if isinstance(told, dict) else await told)}
                return JSONResponse(without_nulls(body))
            except Exception as error:  # every error has an answer, and none has another transport status than 200
                told_error = error if isinstance(error, Told) else messages.of_error(error)
                body = {"class": answers, **told_error.as_json(action)}
                return JSONResponse(without_nulls(body), told_error.transport)

        for variant in (path, path.replace("/users/{userId}", "")):
            router.add_api_route(variant, endpoint, methods=[method], name=action)
        return work

    return serve


async def _call(request: Request, role: Role, action: str) -> Call:
    """Who calls, for which server, with which body. Raises Told."""
    service: Service = request.app.state.service
    user = request.path_params.get("userId", "")
    caller = _caller(request, user)
    if caller.role < role:
        service.audit("refused", who=caller.who, reason=f"{action} needs {role.word}")
        raise messages.not_authorized(user or caller.role.word, action, role.word)
    server = request.path_params.get("serverName")
    if server is not None and server != service.server_name:
        raise messages.server_not_available(server, user)
    body = await _body(request)
    kept = Kept(state_folder(service.runtime.config))
    return Call(service, caller, user, request.path_params, body, kept, str(request.base_url).rstrip("/"))


def _caller(request: Request, user: str) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        try:
            return prove(request, token.strip(), user)
        except Refused as error:
            raise messages.user_not_known(user, error.remedy) from None
    if request.app.state.without_token and _from_this_machine(request):
        return Caller(Role.ADMINISTRATOR).named(user)
    raise messages.user_not_known(user, "Send one of the daemon's tokens: Authorization: Bearer TOKEN.")


def _from_this_machine(request: Request) -> bool:
    """Not only over loopback, but also not at the bidding of a web page in a browser here."""
    from console.serve import is_loopback

    peer = request.client.host if request.client else ""
    named = request.url.hostname or ""
    return is_loopback(peer) and is_loopback(named) and "origin" not in request.headers


async def _body(request: Request) -> Any:
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise messages.invalid("requestBody", "it is not JSON", "Send JSON in UTF-8.") from None


def without_nulls(value: Any) -> Any:
    """Egeria leaves null fields and empty lists out."""
    if isinstance(value, dict):
        kept = {key: without_nulls(member) for key, member in value.items()}
        return {key: member for key, member in kept.items() if member is not None and member != [] and member != {}}
    return [without_nulls(member) for member in value] if isinstance(value, list) else value


def moment(at: datetime | str | None) -> str | None:
    """`2026-11-21T08:14:39.539+00:00`."""
    if at is None:
        return None
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
