"""Pages: value tables: bring a workbook, see what it would mean, put it into force, take a version up again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from console import values
from console.api.values import book
from console.pages.web import AnOperator, Form, Served, Someone, go, page, text
from console.problems import Refused
from console.values import Brought

router = APIRouter(prefix="/connectors/{name}/values")


@router.get("")
def tables(request: Request, service: Served, _: Someone, name: str) -> Response:
    """The versions, and where to bring a workbook."""
    found = values.versions(service, name) if values.has_tables(service, name) else None
    return page(request, "values.html", name=name, versions=found)


@router.get("/template")
async def template(service: Served, _: Someone, name: str) -> Response:
    return book(await values.template(service, name), f"{name}.xlsx")


@router.get("/export")
async def export(service: Served, _: Someone, name: str, version: int | None = None) -> Response:
    return book(await values.export(service, name, version), f"{name}-{version or 'in-force'}.xlsx")


@router.get("/diff")
def diff(request: Request, service: Served, _: Someone, name: str, before: int, after: int | None = None) -> Response:
    """What changed between two versions."""
    rows = values.diff(service, name, before, after)
    return page(request, "values_diff.html", name=name, rows=rows, before=before, after=after)


@router.post("/check")
async def check(request: Request, service: Served, _: AnOperator, form: Form, name: str) -> Response:
    """What a workbook would mean, before anything is stored."""
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Refused(422, "No workbook came with the form", "Choose a file, or drop one on the form.")
    filename, content = file.filename, await file.read()
    result = await values.check(service, name, content, filename)
    id = request.app.state.waiting.keep(Brought(name, filename, content, result))
    return page(request, "values_check.html", name=name, filename=filename, result=result.as_json(), id=id)


@router.post("/upload")
async def upload(request: Request, service: Served, session: AnOperator, form: Form, name: str) -> Response:
    """Put into force what was looked at."""
    id = text(form, "id")
    brought = request.app.state.waiting.find(id, name)
    result = await values.store(
        service, name, brought.content, brought.filename, who=session.caller.who, confirm_warnings=True
    )
    if result.version is None:
        return page(request, "values_check.html", status=422, name=name, filename=brought.filename,
                    result=result.as_json(), id=id)  # fmt: skip
    request.app.state.waiting.drop(id)
    told = f"Version {result.version} is in force from the next refresh on."
    return go(session, f"/connectors/{name}/values", ("done", told))


@router.post("/marked")
async def marked(request: Request, _: AnOperator, form: Form, name: str) -> Response:
    """The workbook that was looked at, with its findings in it."""
    brought = request.app.state.waiting.find(text(form, "id"), name)
    content = await values.marked_up(brought.content, brought.filename, brought.result.findings)
    return book(content, f"{name}-findings.xlsx")


@router.post("/rollback")
def rollback(service: Served, session: AnOperator, form: Form, name: str) -> Response:
    """An earlier version in force again, as a new one."""
    version = text(form, "version")
    if not version.isdigit() or len(version) > 9:
        raise Refused(422, "No version was chosen", "Choose one of the list.")
    made = values.rollback(service, name, int(version), who=session.caller.who)
    told = f"Version {made['version']} is in force from the next refresh on: that of version {version}."
    return go(session, f"/connectors/{name}/values", ("done", told))
