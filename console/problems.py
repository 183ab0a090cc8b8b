"""What goes wrong, told over REST: problem JSON (RFC 9457) that says what, where and what to do.

Rule of this file: one table from errors to status; nothing unexpected shows its inside to the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from connectors.errors import (
    AuthenticationError,
    Changed,
    ConfigurationError,
    ConnectorError,
    DirectionNotPermitted,
    Forbidden,
    NotFound,
    Rejected,
    Unavailable,
)
from ledger.errors import LeaseLost, LedgerUnavailable
from mappings.findings import ConfigurationErrors

log = logging.getLogger("syncline.console")

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[Exception], int] = {
    NotFound: 404,
    Changed: 409,
    Rejected: 422,
    Forbidden: 502,
    DirectionNotPermitted: 403,
    AuthenticationError: 502,
    Unavailable: 503,
    ConfigurationError: 422,
    ConfigurationErrors: 422,
    LeaseLost: 409,
    LedgerUnavailable: 503,
}

TITLES: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "Log in first",
    403: "Not permitted",
    404: "There is no such thing",
    405: "Not possible here",
    409: "It has changed since, or is busy",
    413: "Too large",
    415: "Not this type of content",
    422: "Refused",
    429: "Too often",
    500: "Something is wrong in Syncline itself",
    502: "A system does not let us in",
    503: "Not available now",
}


class Problem(BaseModel):
    """Why a request was refused. Nothing was changed, unless `what` says so."""

    type: str = Field("about:blank", description="Always about:blank: `status` and `what` tell it.")
    title: str = Field(description="What kind of problem it is.")
    status: int = Field(description="The HTTP status.")
    what: str = Field(description="What happened.")
    where: str = Field(description="What it concerns: the path of the request, or the place in its body.")
    remedy: str = Field(description="What to do next.")
    findings: list[dict[str, Any]] | None = Field(
        None, description="Everything that is wrong with a configuration: file, line, path, code, problem, remedy."
    )


class Refused(Exception):
    """A request that this room itself refuses."""

    def __init__(self, status: int, what: str, remedy: str = "", *, where: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.remedy, self.where = status, what, remedy, where


def problem_of(error: Exception, where: str) -> Problem:
    """The problem that tells of an error."""
    match error:
        case Refused():
            return _problem(error.status, error.what, error.where or where, error.remedy)
        case ConfigurationErrors():
            count = len(error.findings)
            what = f"The configuration would have {count} error{'s' if count != 1 else ''}; nothing was changed"
            findings = [finding.as_json() for finding in error.findings]
            first = str(error.findings[0]) if error.findings else ""
            return _problem(422, f"{what}: {first}", where, "Mend what `findings` lists.", findings)
        case RequestValidationError():
            told = error.errors()
            place = ".".join(str(part) for part in told[0]["loc"]) if told else where
            what = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in told[:5])
            status = 400 if any(one["type"] == "json_invalid" for one in told) else 422
            return _problem(status, what, place, "See the description at /api/v1/openapi.json.")
        case HTTPException():
            return _problem(error.status_code, str(error.detail), where, "See docs/rest-api.md for what there is.")
        case ConnectorError():
            return _problem(_status(error), error.message, error.system or where, error.remedy or "Try again.")
    status = _status(error)
    if status == 500:
        return _problem(500, "The request failed", where, "See the daemon's log, and please report it.")
    return _problem(status, str(error), where, "Try again in a moment.")


def _problem(status: int, what: str, where: str, remedy: str, findings: list[dict[str, Any]] | None = None) -> Problem:
    title = TITLES.get(status, "Refused")
    return Problem(type="about:blank", title=title, status=status, what=what, where=where, remedy=remedy or "None.",
                   findings=findings)  # fmt: skip


def _status(error: Exception) -> int:
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def answer(error: Exception, request: Request) -> JSONResponse:
    """The answer of `/api/v1` to an error."""
    problem = problem_of(error, request.url.path)
    if problem.status == 500:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable) and error.retry_after:
        headers["Retry-After"] = str(int(error.retry_after) + 1)
    content = jsonable_encoder(problem, exclude_none=True)
    return JSONResponse(content, problem.status, headers, media_type=MEDIA_TYPE)
