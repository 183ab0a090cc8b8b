"""Pages: what waits for a person: conflicts and failures.

Rule of this file: what a steward decides carries what they saw; `flows.stewardship` refuses it if that has changed, and
then the page shows today's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from connectors.errors import ConnectorError
from console.pages.web import AnOperator, Form, Served, Someone, go, page, text, texts
from console.problems import Refused
from mappings.config import Side

router = APIRouter()

PAGE = 50

Decided = tuple[int, Side | dict[str, Side], dict[str, str]]
"""A conflict of the pair, the side that wins (or one for each field), and values of one's own."""


@router.get("/conflicts")
def conflicts(
    request: Request, service: Served, _: Someone, connector: str = "", state: str = "open", after: int = 0
) -> Response:
    """Both values side by side, what both last agreed on, who changed them, when."""
    found = service.conflicts(connector or None, None if state == "all" else state, max(after, 0), PAGE)
    pairs: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        pairs.setdefault(one["link"], []).append(one)
    following = found[-1]["id"] if len(found) == PAGE else None
    return page(
        request, "conflicts.html", pairs=list(pairs.values()), known=list(service.runtime.configuration.connectors),
        connector=connector, state=state, following=following,
    )  # fmt: skip


@router.post("/conflicts/resolve")
async def resolve(service: Served, session: AnOperator, form: Form) -> Response:
    """Settle one pair, each field its own way; or many pairs, all to one side."""
    reason, back = text(form, "reason"), text(form, "back") or "/conflicts"
    side = text(form, "take_all")
    chosen: list[Decided] = [] if side else [_decided(form)]
    if side in ("left", "right"):
        chosen = [(id, Side(side), {}) for id in _ids(texts(form, "id"))]
    if not chosen:
        return go(session, back, ("problem", "No conflict was chosen: tick those that are meant."))
    said: list[tuple[str, str]] = []
    for id, take, values in chosen:
        try:
            await service.resolve(id, take, values, reason=reason, who=session.caller.who)
            said.append(("done", f"Conflict {id} is settled."))
        except ConnectorError as error:
            said.append(("problem", f"Conflict {id}: {error}"))
    return go(session, back, *_brief(said, "conflicts are settled"))


def _decided(form: FormData) -> Decided:
    """What was chosen for each field of a pair. Raises Refused where a field has no decision."""
    (id,) = _ids([text(form, "id")]) or [0]
    take: dict[str, Side] = {}
    values: dict[str, str] = {}
    for field in texts(form, "field"):
        match text(form, f"take:{field}"):
            case "left" | "right" as side:
                take[field] = Side(side)
            case "own":
                values[field] = text(form, f"own:{field}")
            case _:
                raise Refused(422, f"{field} has no decision", "Choose left, right or a value of your own.")
    return id, take, values


@router.get("/failures")
def failures(
    request: Request, service: Served, _: Someone, connector: str = "", state: str = "open", after: int = 0
) -> Response:
    """Entities that failed alone, why, and when each is tried again."""
    found = service.failures(connector or None, None if state == "all" else state, max(after, 0), PAGE)
    following = found[-1]["id"] if len(found) == PAGE else None
    return page(
        request, "failures.html", failures=found, known=list(service.runtime.configuration.connectors),
        connector=connector, state=state, following=following,
    )  # fmt: skip


@router.post("/failures/decide")
async def decide(service: Served, session: AnOperator, form: Form) -> Response:
    """Retry or ignore those that were ticked."""
    ids, reason, who = _ids(texts(form, "id")), text(form, "reason"), session.caller.who
    back = text(form, "back") or "/failures"
    if not ids:
        return go(session, back, ("problem", "No failure was chosen: tick those that are meant."))
    try:
        if text(form, "do") == "ignore":
            count = service.ignore(ids, None, reason=reason, who=who)
            return go(session, back, ("done", f"{count} ignored. Their next change, or a retry, takes them up again."))
        reports = await service.retry(ids, None, reason=reason, who=who)
    except ConnectorError as error:
        return go(session, back, ("problem", str(error)))
    failed = sum(report["failed"] for report in reports)
    told = f"{len(ids)} tried again; {failed} open failures are left." if failed else f"{len(ids)} tried again: done."
    return go(session, back, ("problem" if failed else "done", told))


def _ids(given: Sequence[str]) -> list[int]:
    return [int(one) for one in given if one.isdigit() and len(one) < 19]


def _brief(said: list[tuple[str, str]], what: str) -> list[tuple[str, str]]:
    """Every problem, and one line for all that went well."""
    done = sum(kind == "done" for kind, _ in said)
    problems = [one for one in said if one[0] == "problem"]
    return said if len(said) == 1 else [*([("done", f"{done} {what}.")] if done else []), *problems]
