"""Pages: the way in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.api.access import prove
from console.pages.web import Form, Someone, local, page, text
from console.problems import Refused
from console.sessions import COOKIE, LIFETIME

router = APIRouter()


@router.get("/log-in")
def ask(request: Request, next: str = "/") -> Response:
    return page(request, "log_in.html", target=local(next), wrong="", name="")


@router.post("/log-in")
async def log_in(request: Request) -> Response:
    """A token for a cookie that no script can read and no other site can send."""
    form = await request.form()
    target, name = local(text(form, "next")), text(form, "name")
    try:
        caller = prove(request, text(form, "token"), name)
    except Refused:
        wrong = "This token is not known. It stands in the file that the daemon named at its start."
        return page(request, "log_in.html", status=401, target=target, wrong=wrong, name=name)
    id = request.app.state.sessions.begin(caller)
    request.app.state.service.audit("log_in", who=caller.who)
    answer = Response(status_code=303, headers={"Location": target})
    answer.set_cookie(
        COOKIE, id, max_age=int(LIFETIME), httponly=True, samesite="strict", secure=request.app.state.secure
    )
    return answer


@router.post("/log-out")
def log_out(request: Request, session: Someone, _: Form) -> Response:
    request.app.state.sessions.end(request.cookies.get(COOKIE))
    request.app.state.service.audit("log_out", who=session.caller.who)
    answer = Response(status_code=303, headers={"Location": "/log-in"})
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.app.state.secure)
    return answer
