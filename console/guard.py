"""What stands in front of every request: size limits, and headers that keep browsers honest.

Rule of this file: plain ASGI, no request reaches a route before it. Whoever sends too much is told so and read no
further.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY = 2 * 1024 * 1024
"""Bytes of an ordinary body."""
UPLOAD = 64 * 1024 * 1024
"""Bytes of a workbook that is brought."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class Guard:
    """Wraps the application. `is_upload` says for which paths the larger limit holds."""

    def __init__(self, app: ASGIApp, is_upload: Callable[[str], bool] = lambda _path: False) -> None:
        self.app, self._is_upload = app, is_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = UPLOAD if self._is_upload(scope["path"]) else BODY

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                own = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in there]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        if _length(scope) > limit:
            await _refuse(limit, guarded)
        else:
            await self.app(scope, _counted(receive, limit), guarded)


def _length(scope: Scope) -> int:
    text = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(text) if text.isdigit() else 0


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, _words(limit))
        return message

    return counted


async def _refuse(limit: int, send: Send) -> None:
    problem = {"type": "about:blank", "title": "Too large", "status": 413, "where": "the body of the request",
               "what": f"The body is larger than {limit // 1024 // 1024} MB",
               "remedy": "Send less at a time."}  # fmt: skip
    body = json.dumps(problem).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode()),
               (b"connection", b"close")]  # fmt: skip
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _words(limit: int) -> str:
    return f"The body is larger than {limit // 1024 // 1024} MB"
