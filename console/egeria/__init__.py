"""Egeria's REST paths of release 5.x, so that its own tools and scripts can drive this daemon (SPEC A14).

messages.py   what goes wrong, in Egeria's words
call.py       one request: who, which server, which body; and the envelope of its answer
words.py      Egeria's words for an integration <-> ours
kept.py       what Egeria's envelopes hold and ours do not; whether the server is stopped
configure.py  an integration service configured, changed, removed: as a YAML group
reports.py    how connectors, groups and services are doing, as Egeria reports it
platform.py, admin.py, daemon.py   the paths
"""

from __future__ import annotations

from fastapi import APIRouter

from console.egeria import admin, daemon, platform

router = APIRouter(include_in_schema=False)
for part in (platform.router, admin.router, daemon.router):
    router.include_router(part)
