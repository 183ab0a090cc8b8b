"""Pages: who did what, when."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages.web import Served, Someone, page

router = APIRouter()

PAGE = 100


@router.get("/audit")
def audit(
    request: Request,
    service: Served,
    _: Someone,
    connector: str = "",
    entity: str = "",
    run: str = "",
    what: str = "",
    after: int = -1,
) -> Response:
    """The newest lines; from the first one on with `after=0`."""
    which = {"connector": connector or None, "entity": entity or None, "run": run or None, "what": what or None}
    newest = after < 0
    found = service.audit_log(after=max(after, 0), limit=PAGE, newest=newest, **which)
    lines = [row for _, row in (reversed(found) if newest else found)]
    following = found[-1][0] if len(found) == PAGE and not newest else None
    return page(
        request, "audit.html", lines=lines, known=list(service.runtime.configuration.connectors), newest=newest,
        connector=connector, entity=entity, run=run, what=what, following=following,
    )  # fmt: skip
