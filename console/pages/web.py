"""What every page has: rendering, the session, forms that only our own pages can send.

Rule of this file: values come from systems that others write into. They are shown as text, always; an address becomes
a link only if it is http or https.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from console.auth import Role
from console.problems import Problem, Refused
from console.service import Service
from console.sessions import COOKIE, Session

HERE = Path(__file__).parent
router = APIRouter()
files = StaticFiles(directory=HERE / "static")


class NotLoggedIn(Exception):
    """Nobody is logged in: the page to come back to."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


# -- session and forms ---------------------------------------------------------------------------------------------


def session_of(request: Request) -> Session:
    """Who is logged in. Raises NotLoggedIn."""
    session: Session | None = request.app.state.sessions.find(request.cookies.get(COOKIE))
    if session is None:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        raise NotLoggedIn(path if request.method == "GET" else "/")
    return session


def service_of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


async def form_of(request: Request) -> AsyncIterator[FormData]:
    """What a form sent. Raises Refused for one that no page of this session made."""
    session = session_of(request)
    async with request.form() as form:
        if not session.wrote(text(form, "csrf")):
            remedy = "Go back, reload the page, try again."
            raise Refused(403, "This form does not come from a page of this log-in", remedy)
        yield form


def needs(role: Role) -> Callable[[Request], Session]:
    """A dependency: the session, whose caller must at least have this role."""

    def session(request: Request) -> Session:
        found = session_of(request)
        if found.caller.role < role:
            path = f"{request.method} {request.url.path}"
            service_of(request).audit("refused", who=found.caller.who, reason=f"{path} needs {role.word}")
            raise Refused(403, f"A {found.caller.role.word} may not do this", f"Log in as {role.word}.")
        return found

    return session


Someone = Annotated[Session, Depends(session_of)]
AnOperator = Annotated[Session, Depends(needs(Role.OPERATOR))]
Served = Annotated[Service, Depends(service_of)]
Form = Annotated[FormData, Depends(form_of)]


def text(form: FormData, name: str) -> str:
    """A text field; empty where it is missing or a file."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """Every value of a field that may stand there several times."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def local(target: str) -> str:
    """A path of ours to go to; never another place."""
    parts = urlsplit(target)
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return target if safe and target.isprintable() else "/"


def go(session: Session, target: str, *said: tuple[str, str]) -> RedirectResponse:
    """To another page, which first tells what was done: `("done" | "problem", text)`."""
    session.said.extend(said)
    return RedirectResponse(local(target), 303)


# -- rendering -----------------------------------------------------------------------------------------------------


def page(request: Request, template: str, *, status: int = 200, **given: Any) -> HTMLResponse:
    """A page. Everything that was to be told to this session is told on it."""
    session: Session | None = request.app.state.sessions.find(request.cookies.get(COOKIE))
    said = []
    if session is not None:
        said, session.said[:] = list(session.said), []
    context = {
        "session": session,
        "may_operate": session is not None and session.caller.role >= Role.OPERATOR,
        "path": request.url.path,
        "said": said,
        "server_name": service_of(request).server_name,
        "csrf": lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(session.csrf if session else ""),
        **given,
    }
    return HTMLResponse(_templates.get_template(template).render(context), status)


def error_page(request: Request, problem: Problem) -> HTMLResponse:
    """What went wrong, for people."""
    return page(request, "error.html", status=problem.status, problem=problem)


def to_log_in(error: NotLoggedIn) -> Response:
    target = local(error.target)
    return RedirectResponse("/log-in" + (f"?next={quote(target)}" if target != "/" else ""), 303)


def when(at: str | datetime | None) -> str:
    """`2026-11-21 08:14:39`, UTC."""
    if not at:
        return "never"
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def ago(at: str | None) -> str:
    """How long ago, or how soon, in the largest unit that fits."""
    if not at:
        return "never"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def duration(seconds: float | None) -> str:
    """`40 s`, `5 min`, `3 h`, `2 d`."""
    if seconds is None:
        return "–"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def shown(value: Any) -> str:
    """A value as text."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return json.dumps(value, ensure_ascii=False)


def field(key: str) -> str:
    """A field row of the audit log (`left=right`): one name where both are the same."""
    left, equals, right = key.partition("=")
    return " ↔ ".join(dict.fromkeys(name for name in (left, right) if name)) if equals else key


def address(url: Any) -> str | None:
    """An address that may be a link, None for anything else."""
    return url if isinstance(url, str) and urlsplit(url).scheme in ("http", "https") else None


def query(**given: Any) -> str:
    """`?a=1&b=2` of what is given."""
    found = {key: value for key, value in given.items() if value not in (None, "")}
    return f"?{urlencode(found)}" if found else ""


_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "when": when, "ago": ago, "duration": duration, "shown": shown, "address": address, "field": field,
}  # fmt: skip
_templates.globals |= {"query": query}
