"""The daemon's own REST API under `/api/v1` (INTERFACE.md, "REST"): bodies and answers are the command line's JSON."""

from __future__ import annotations

from fastapi import APIRouter

from console.api import connectors, groups, ledger, state, values

PREFIX = "/api/v1"

router = APIRouter(prefix=PREFIX)
for part in (state.router, connectors.router, ledger.router, groups.router, values.router):
    router.include_router(part)
