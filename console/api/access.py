"""How a request of `/api/v1` proves who sends it, and how routes say what they need.

Rule of this file: a route without a role does not exist; `health` and the description are the only open ones.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from console.auth import Caller, Role, Tokens
from console.problems import MEDIA_TYPE, TITLES, Problem, Refused
from console.service import Json, Service

MOST_TOLD = 10
"""Wrong tokens that the audit log is told of in a minute: nobody may fill it from outside."""

_bearer = HTTPBearer(
    auto_error=False, description="A token: SYNCLINE_TOKEN, SYNCLINE_TOKEN_OPERATOR or SYNCLINE_TOKEN_MONITOR."
)


class Wrong:
    """Wrong tokens of late."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque(maxlen=MOST_TOLD)

    def tell(self, service: Service, where: str) -> None:
        """Tell the audit log, unless it has been told often enough."""
        now = time.monotonic()
        if len(self._moments) < MOST_TOLD or now - self._moments[0] > 60:
            self._moments.append(now)
            service.audit("log_in_refused", who="unknown", reason=f"wrong token for {where}")


def service_of(request: Request) -> Service:
    """What the application was made for."""
    found: Service = request.app.state.service
    return found


def prove(request: Request, token: str, name: str | None) -> Caller:
    """Who has this token. Raises Refused (401) for a wrong one."""
    tokens: Tokens = request.app.state.tokens
    role = tokens.role(token)
    if role is None:
        request.app.state.wrong.tell(service_of(request), request.url.path)
        raise Refused(401, "This token is not known", "Send one of the daemon's tokens: Authorization: Bearer TOKEN.")
    return Caller(role).named(name)


def caller(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    syncline_user: Annotated[str | None, Header(description="Your name, for the audit log.", max_length=200)] = None,
) -> Caller:
    """Who sends the request."""
    if given is None:
        raise Refused(401, "This request carries no token", "Send Authorization: Bearer TOKEN.")
    return prove(request, given.credentials, syncline_user)


class Needs:
    """A dependency: the caller, who must at least have this role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, who: Annotated[Caller, Depends(caller)], request: Request) -> Caller:
        if who.role < self.role:
            service_of(request).audit(
                "refused", who=who.who, reason=f"{request.method} {request.url.path} needs {self.role.word}"
            )
            raise Refused(
                403, f"A {who.role.word} may not do this", f"Use the token of an {self.role.word}, or ask one."
            )
        return who


Monitor = Annotated[Caller, Depends(Needs(Role.MONITOR))]
Operator = Annotated[Caller, Depends(Needs(Role.OPERATOR))]
Administrator = Annotated[Caller, Depends(Needs(Role.ADMINISTRATOR))]
Served = Annotated[Service, Depends(service_of)]

PLAIN = r"^[^\x00-\x1f\x7f]*$"
"""What a filter may hold: anything that one can see."""
MOST_ID = 2**63 - 1

Name = Annotated[str | None, Query(description="Only this integration connector.", max_length=63, pattern=PLAIN)]
Limit = Annotated[int, Query(description="At most so many.", ge=1, le=1000)]
After = Annotated[int, Query(description="Only what comes after this id.", ge=0, le=MOST_ID)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of an operation, for its description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": TITLES[status], "content": content}
        for status in sorted({400, 401, 403, 422, 503, *statuses})
    }


def next_page(
    request: Request, response: Response, rows: list[Json], limit: int, last: int | str | None = None
) -> None:
    """Say where the next page is, if there may be one: `Link: <…>; rel="next"`."""
    if len(rows) == limit:
        after = last if last is not None else rows[-1]["id"]
        response.headers["Link"] = f'<{request.url.include_query_params(after=after)}>; rel="next"'


__all__ = ["MOST_ID", "PLAIN", "Administrator", "After", "Limit", "Monitor", "Name", "Needs", "Operator", "Problem",
           "Served", "Wrong", "caller", "next_page", "problems", "prove", "service_of"]  # fmt: skip
