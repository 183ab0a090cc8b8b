"""Who is logged in to the pages.

Rule of this file: the browser holds a random id and nothing else; the role is here, and only as long as the daemon
runs. Every form carries a word that only a page of this session can know.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from console.auth import Caller

COOKIE = "syncline"
LIFETIME = 12 * 3600.0
"""Seconds after log-in when one has to log in again."""
MOST = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in. `csrf` stands in every form of its pages; `said` is to be told on the next one: (kind, text)."""

    caller: Caller
    until: float
    said: list[tuple[str, str]] = field(default_factory=list)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def wrote(self, csrf: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "surrogatepass"))


class Sessions:
    """All log-ins. The oldest end when there are too many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[str, Session] = {}

    def begin(self, caller: Caller) -> str:
        """Log somebody in; the id for the cookie."""
        self._forget()
        id = secrets.token_urlsafe(32)
        self._open[id] = Session(caller, self._clock() + LIFETIME)
        return id

    def find(self, id: str | None) -> Session | None:
        """The session of a cookie, None where it is over or never was."""
        session = self._open.get(id or "")
        return session if session is not None and session.until > self._clock() else None

    def end(self, id: str | None) -> None:
        self._open.pop(id or "", None)

    def _forget(self) -> None:
        now = self._clock()
        living = [(id, session) for id, session in self._open.items() if session.until > now]
        self._open = dict(living[-(MOST - 1) :])
