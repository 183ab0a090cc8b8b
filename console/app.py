"""The web application of the daemon: REST API, Egeria's paths and web pages on one port.

Rule of this file: it puts parts together; each part answers for itself.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from connectors.errors import ConnectorError
from console import api, egeria, pages, problems
from console.api.access import Wrong
from console.auth import Tokens
from console.guard import Guard
from console.pages import web
from console.service import Service
from console.sessions import Sessions
from console.values import Waiting
from ledger.errors import LeaseLost, LedgerUnavailable
from mappings.findings import ConfigurationErrors

DESCRIPTION = """Everything that the command line can do, over HTTP. Bodies and answers are the command line's JSON;
the words in them are explained in docs/words.md.

Every request but `health` carries a token: `Authorization: Bearer TOKEN`. A *monitor* may look, an *operator* may also
refresh, activate and settle, an *administrator* may also configure. An error answers problem JSON with `what` happened,
`where`, and the `remedy`."""

ERRORS = (
    problems.Refused, ConnectorError, ConfigurationErrors, LeaseLost, LedgerUnavailable, RequestValidationError,
    HTTPException, Exception,
)  # fmt: skip


PROGRAMS = ("/api/", "/open-metadata/", "/servers/")
"""Where programs ask, not people."""


def create_app(service: Service, tokens: Tokens, *, without_token: bool = False, secure: bool = False) -> FastAPI:
    """The application that serves this daemon, as ASGI.

    `without_token`: Egeria's paths believe the user in the path. `secure`: the cookie goes over TLS alone.
    """
    app = FastAPI(title="Syncline", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None,
                  openapi_url=f"{api.PREFIX}/openapi.json")  # fmt: skip
    app.state.service, app.state.tokens = service, tokens
    app.state.without_token, app.state.secure = without_token, secure
    app.state.sessions, app.state.wrong, app.state.waiting = Sessions(), Wrong(), Waiting()
    app.include_router(api.router)
    app.include_router(egeria.router)
    app.include_router(pages.router)
    app.mount("/static", web.files)
    for kind in ERRORS:
        app.add_exception_handler(kind, _tell)
    app.add_exception_handler(web.NotLoggedIn, _to_log_in)
    app.add_middleware(Guard, is_upload=_is_upload)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _is_upload(path: str) -> bool:
    """Where workbooks are brought."""
    return "/connectors/" in path and "/values" in path


async def _tell(request: Request, error: Exception) -> Response:
    """Programs are told in JSON, people on a page."""
    answer = problems.answer(error, request)
    if request.url.path.startswith(PROGRAMS):
        return answer
    return web.error_page(request, problems.problem_of(error, request.url.path))


async def _to_log_in(_: Request, error: Exception) -> Response:
    return web.to_log_in(error) if isinstance(error, web.NotLoggedIn) else Response(status_code=500)


def _described(app: FastAPI) -> dict[str, Any]:
    """The description of `/api/v1`, with the one schema that every error answer has."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = problems.Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = made
    return app.openapi_schema
