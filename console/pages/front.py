"""Pages: how everything is doing, one connector, one report; and a refresh by hand."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from console.pages.web import AnOperator, Form, Served, Someone, go, page, text, texts
from console.problems import Refused
from flows.report import RefreshOptions
from ledger.model import LinkState

router = APIRouter()

WANTS_A_PERSON = ("halt", "wait", "fail")
SIDED = ("created", "updated", "deleted", "comments", "attachments", "links")
PLAIN = ("adopted", "halted", "held", "failed", "waiting")


@router.get("/")
def front(request: Request, service: Served, _: Someone) -> Response:
    """Status as a page: what wants a person comes first."""
    status = service.status()
    connectors = sorted(status["connectors"], key=_urgency)
    sums = {word: sum(one[word] for one in connectors) for word in ("halted", "held", "failed", "waiting")}
    told = {"daemon": status["daemon"], "broken": status["broken"]}
    return page(request, "front.html", **told, connectors=connectors, sums=sums)


def _urgency(one: dict[str, Any]) -> tuple[bool, bool, bool, str]:
    failing = one["state"].endswith("FAILED")
    return not failing, not (one["halted"] or one["failed"]), one["state"] == "STOPPED", one["name"]


@router.get("/connectors/{name}")
def connector(request: Request, service: Served, _: Someone, name: str) -> Response:
    """One connector: targets, last refreshes, and a refresh by hand."""
    one = service.connector(name)
    links = service.links(name, None, LinkState.HELD, 0, 50)
    held = [(link, field) for link in links for field in link["held"]]
    return page(request, "connector.html", one=one, held=held, runs=service.runs(name, 20), count=count)


@router.post("/connectors/{name}/refresh")
async def refresh(request: Request, service: Served, session: AnOperator, form: Form, name: str) -> Response:
    """A refresh by hand; a dry run shows its plan at once."""
    options = _options(form)
    (report,) = await service.refresh([name], options, wait=False, who=session.caller.who)
    if options.dry_run:
        return page(request, "run.html", **_report(report))
    return go(session, f"/connectors/{name}", ("done", f"A refresh of {name} was asked for (run {report['run']})."))


def _options(form: FormData) -> RefreshOptions:
    """The options of the form. Raises Refused for what is no entity or no moment."""
    entities = tuple(text(form, "entities").replace(",", " ").split())
    for entity in entities:
        side, _, id = entity.partition(":")
        if side not in ("left", "right") or not id:
            raise Refused(422, f"{entity!r} names no entity", "Write left:ID or right:ID, several with spaces between.")
    try:
        return RefreshOptions.from_json({
            "targets": texts(form, "target"), "entities": entities, "full": bool(text(form, "full")),
            "since": text(form, "since") or None, "dry_run": bool(text(form, "dry_run")),
        })  # fmt: skip
    except ValueError:
        raise Refused(422, "This is no moment", "Write it as 2026-11-21 or 2026-11-21T08:00 (UTC).") from None


@router.post("/connectors/{name}/activate")
def activate(service: Served, session: AnOperator, _: Form, name: str) -> Response:
    return _set_active(service, session, name, True)


@router.post("/connectors/{name}/deactivate")
def deactivate(service: Served, session: AnOperator, _: Form, name: str) -> Response:
    return _set_active(service, session, name, False)


def _set_active(service: Served, session: AnOperator, name: str, active: bool) -> Response:
    service.set_active(name, active, who=session.caller.who)
    told = f"{name} is active now: it is refreshed at once, then on schedule." if active else f"{name} rests now."
    return go(session, f"/connectors/{name}", ("done", told))


@router.get("/runs")
def runs(request: Request, service: Served, _: Someone, connector: str = "") -> Response:
    """The last refreshes."""
    known = list(service.runtime.configuration.connectors)
    found = service.runs(connector or None, 100)
    return page(request, "runs.html", runs=found, known=known, connector=connector, count=count)


@router.get("/runs/{id}")
def run(request: Request, service: Served, _: Someone, id: str) -> Response:
    """What one refresh did, and why."""
    return page(request, "run.html", **_report(service.run(id)))


def _report(report: dict[str, Any]) -> dict[str, Any]:
    """A report as its page shows it."""
    plan = report.get("plan") or []
    return {
        "report": report,
        "sided": [(word, report[word]) for word in SIDED if any(report[word].values())],
        "plain": [(word, report[word]) for word in PLAIN if report[word]],
        "wanting": [row for row in plan if row["action"] in WANTS_A_PERSON],
        "done": [row for row in plan if row["action"] not in WANTS_A_PERSON],
    }


def count(report: dict[str, Any]) -> str:
    """What a refresh did, in a line."""
    parts = [f"{word} {sum(report[word].values())}" for word in SIDED if sum(report[word].values())]
    parts += [f"{word} {report[word]}" for word in PLAIN if report[word]]
    return ", ".join(parts) or "nothing changed"
