"""Routes: what is remembered, and what stewards decide about it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from console.api import models
from console.api.access import (
    MOST_ID,
    PLAIN,
    After,
    Limit,
    Monitor,
    Name,
    Operator,
    Served,
    next_page,
    problems,
)
from console.problems import Refused
from ledger.model import LinkState
from mappings.config import Side

router = APIRouter()

Id = Annotated[int, Path(ge=1, le=MOST_ID, description="Its id.")]
Text = Annotated[str | None, Query(max_length=300, pattern=PLAIN)]
_PAGED = 'At most `limit`; the header `Link` (`rel="next"`) has the next page.'


@router.get(
    "/links", tags=["links"], summary="Which left entity is which right entity", description=_PAGED,
    responses=problems() | {200: {"model": list[models.Link]}}, response_model=None,
)  # fmt: skip
def links(
    service: Served, _: Monitor, request: Request, response: Response, connector: Name = None, target: Text = None,
    state: LinkState | None = None, after: After = 0, limit: Limit = 100,
) -> list[dict[str, Any]]:  # fmt: skip
    rows = service.links(connector, target, state, after, limit)
    next_page(request, response, rows, limit)
    return rows


@router.get(
    "/conflicts", tags=["stewardship"], summary="What both sides changed differently", description=_PAGED,
    responses=problems() | {200: {"model": list[models.Conflict]}}, response_model=None,
)  # fmt: skip
def conflicts(
    service: Served, _: Monitor, request: Request, response: Response, connector: Name = None,
    state: Literal["open", "resolved", "agreed", "all"] = "open", after: After = 0, limit: Limit = 100,
) -> list[dict[str, Any]]:  # fmt: skip
    rows = service.conflicts(connector, None if state == "all" else state, after, limit)
    next_page(request, response, rows, limit)
    return rows


@router.post(
    "/conflicts/{id}/resolve", tags=["stewardship"], summary="Settle a conflict",
    responses=problems(404, 409, 502) | {200: {"model": models.Report}}, response_model=None,
)  # fmt: skip
async def resolve(service: Served, who: Operator, id: Id, body: models.ResolveBody) -> dict[str, Any]:
    """One side's values win, or values of one's own. All open conflicts of that pair are settled together.

    If somebody has edited either side since the conflict was shown, it is refused (409), nothing is written, and the
    conflict shows today's values.
    """
    if not body.take and not body.values:
        raise Refused(422, "Nothing was decided", "Give `take` (left or right), or `values`.", where="body")
    each = {field: Side(side) for field, side in body.take.items()} if isinstance(body.take, dict) else None
    take = Side(body.take) if isinstance(body.take, str) else each
    return await service.resolve(id, take, body.values, reason=body.reason, who=who.who)


@router.get(
    "/failures", tags=["stewardship"], summary="Entities that failed alone", description=_PAGED,
    responses=problems() | {200: {"model": list[models.Failure]}}, response_model=None,
)  # fmt: skip
def failures(
    service: Served, _: Monitor, request: Request, response: Response, connector: Name = None,
    state: Literal["open", "ignored", "done", "all"] = "open", after: After = 0, limit: Limit = 100,
) -> list[dict[str, Any]]:  # fmt: skip
    rows = service.failures(connector, None if state == "all" else state, after, limit)
    next_page(request, response, rows, limit)
    return rows


@router.post(
    "/failures/retry", tags=["stewardship"], summary="Try failed entities again",
    responses=problems(404, 409, 502) | {200: {"model": list[models.Report]}}, response_model=None,
)  # fmt: skip
async def retry_many(service: Served, who: Operator, body: models.ManyFailures) -> list[dict[str, Any]]:
    """With today's values; answers one report for each connector."""
    return await service.retry(_chosen(body), body.connector, reason=body.reason, who=who.who)


@router.post(
    "/failures/ignore", tags=["stewardship"], summary="Put failures out of the way",
    responses=problems(404) | {200: {"model": models.Ignored}}, response_model=None,
)  # fmt: skip
def ignore_many(service: Served, who: Operator, body: models.ManyFailures) -> dict[str, int]:
    """Nothing is dropped: the entity's next change, or a retry, takes it up again."""
    return {"ignored": service.ignore(_chosen(body), body.connector, reason=body.reason, who=who.who)}


@router.post(
    "/failures/{id}/retry", tags=["stewardship"], summary="Try a failed entity again",
    responses=problems(404, 409, 502) | {200: {"model": models.Report}}, response_model=None,
)  # fmt: skip
async def retry(service: Served, who: Operator, id: Id, body: models.Reason | None = None) -> dict[str, Any]:
    """With today's values; an ignored one too."""
    (report,) = await service.retry([id], None, reason=body.reason if body else "", who=who.who)
    return report


@router.post(
    "/failures/{id}/ignore", tags=["stewardship"], summary="Put a failure out of the way",
    responses=problems(404) | {200: {"model": models.Ignored}}, response_model=None,
)  # fmt: skip
def ignore(service: Served, who: Operator, id: Id, body: models.Reason | None = None) -> dict[str, int]:
    """Nothing is dropped: the entity's next change, or a retry, takes it up again."""
    return {"ignored": service.ignore([id], None, reason=body.reason if body else "", who=who.who)}


def _chosen(body: models.ManyFailures) -> list[int] | None:
    """The ids, None for all. Raises Refused where neither or both are given."""
    if bool(body.ids) is body.all:
        raise Refused(422, "It is not clear which failures are meant", "Give `ids`, or `all: true`.", where="body")
    return body.ids or None


@router.get(
    "/audit", tags=["audit"], summary="Who did what, when", description=f"Oldest first. {_PAGED}",
    responses=problems() | {200: {"model": list[models.AuditLine]}}, response_model=None,
)  # fmt: skip
def audit(
    service: Served, _: Monitor, request: Request, response: Response, connector: Name = None, entity: Text = None,
    run: Text = None, what: Text = None, after: After = 0, limit: Limit = 100,
    newest: Annotated[bool, Query(description="The last `limit` lines instead of the first.")] = False,
) -> list[dict[str, Any]]:  # fmt: skip
    found = service.audit_log(
        connector=connector, entity=entity, run=run, what=what, after=after, limit=limit, newest=newest
    )
    rows = [row for _number, row in found]
    if not newest:
        next_page(request, response, rows, limit, found[-1][0] if found else None)
    return rows
