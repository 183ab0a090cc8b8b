"""The web pages: what an operator and a steward need, rendered here, without a build step.

    web.py        rendering, log-in, forms
    login.py      the way in and out
    front.py      status, connectors, refreshes, reports
    inboxes.py    conflicts and failures
    audit.py      who did what
    tables.py     value tables in Excel

They work without JavaScript; the one script only adds comfort.
"""

from __future__ import annotations

from fastapi import APIRouter

from console.pages import audit, front, inboxes, login, tables, web

router = APIRouter(include_in_schema=False)
for part in (web.router, login.router, front.router, inboxes.router, audit.router, tables.router):
    router.include_router(part)
