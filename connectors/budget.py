"""What one system can bear. Rule: all connectors of this process that talk to one system share one budget.

A budget is three things: so many requests at the same time, a common pause when the system asks for one, and a
circuit breaker that spares a system which does not answer. It belongs to a system, not to an event loop or a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import httpx

from connectors.contract import SystemConfig
from connectors.errors import Unavailable

LONGEST_PAUSE = 3600.0
"""Seconds. A system that asks for a longer pause is asked again after this one."""


class Spared(Unavailable):
    """Nothing was sent, to spare the system: waiting longer is the caller's decision."""


class Slots:
    """A semaphore whose waiters may belong to different event loops and threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._taken = 0
        self._waiting: deque[Future[None]] = deque()
        self._lock = Lock()

    async def take(self) -> None:
        with self._lock:
            if self._taken < self.size:
                self._taken += 1
                return
            turn: Future[None] = Future()
            self._waiting.append(turn)
        try:
            await asyncio.wrap_future(turn)
        except asyncio.CancelledError:
            if not turn.cancel():  # the slot was handed to us while we were being cancelled
                self.give_back()
            raise

    def give_back(self) -> None:
        with self._lock:
            self._taken -= 1
            while self._waiting and self._taken < self.size:
                turn = self._waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    self._taken += 1
                    turn.set_result(None)


@dataclass
class Breaker:
    """Opens after `threshold` failures in a row, then lets one request through per pause; the pauses grow."""

    threshold: int = 10
    first: float = 5.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        self.succeeded()

    def succeeded(self) -> None:
        self._failures = 0
        self._pause = self.first
        self._closed_again = 0.0

    def failed(self, now: float) -> None:
        self._failures += 1
        if self._failures == self.threshold:
            self._closed_again = now + self._pause

    def refuses_for(self, now: float) -> float:
        """Seconds until the next request may try; 0 = go ahead. Who is let through while it is open is the probe."""
        if now < self._closed_again:
            return self._closed_again - now
        if self._failures >= self.threshold:
            self._pause = min(2 * self._pause, self.longest)
            self._closed_again = now + self._pause
        return 0.0


class Budget:
    """The budget of one system. `clock` counts seconds and never goes backwards."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.slots = Slots(size)
        self.breaker = Breaker()
        self.clock = clock
        self._paused_until = 0.0

    def pause(self, seconds: float) -> None:
        """Nobody asks this system anything for so long."""
        self._paused_until = max(self._paused_until, self.clock() + min(seconds, LONGEST_PAUSE))

    def failed(self) -> None:
        self.breaker.failed(self.clock())

    @asynccontextmanager
    async def turn(self, patience: float) -> AsyncIterator[None]:
        """One request's place. Raises Spared rather than wait longer than `patience` seconds for a
        pause to end, or while the circuit is open."""
        await self.slots.take()
        try:
            await self._sit_out_pause(patience)
            wait = self.breaker.refuses_for(self.clock())
            if wait:
                raise Spared("The system did not answer repeatedly and is being spared", retry_after=wait, sent=False)
            yield
        finally:
            self.slots.give_back()

    async def _sit_out_pause(self, patience: float) -> None:
        end = self.clock() + patience
        while (wait := self._paused_until - self.clock()) > 0:
            if self.clock() + wait > end:
                raise Spared("The system asked for a pause", retry_after=wait, sent=False)
            await asyncio.sleep(wait)


_of_system: dict[str, Budget] = {}
_of_transport: WeakKeyDictionary[httpx.AsyncBaseTransport, Budget] = WeakKeyDictionary()
_lock = Lock()


def budget_of(config: SystemConfig, transport: httpx.AsyncBaseTransport | None = None) -> Budget:
    """The one budget of this system. An injected transport is a system of its own.

    Where two configurations of one system differ in `max_concurrency`, the later one holds.
    """
    with _lock:
        if transport is None:
            budget = _of_system.setdefault(config.identity(), Budget(config.max_concurrency))
        else:
            budget = _of_transport.setdefault(transport, Budget(config.max_concurrency))
    budget.slots.size = config.max_concurrency
    return budget
