"""What an HTTP status means to us. Rule: one table status -> error, each with what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from connectors.errors import (
    AuthenticationError,
    Changed,
    ConfigurationError,
    ConnectorError,
    Forbidden,
    NotFound,
    Rejected,
    Unavailable,
)

STATUS_ERRORS: dict[int, tuple[type[ConnectorError], str, str]] = {
    400: (Rejected, "the system does not accept the request", ""),
    401: (AuthenticationError, "the system does not accept the credentials", ""),
    403: (Forbidden, "the account may not do this", ""),
    404: (NotFound, "there is nothing at this address", "Check that it exists, and the path in `url`."),
    405: (ConfigurationError, "the address does not offer this", "Check `url`, and the version of the system."),
    407: (ConfigurationError, "the proxy wants a log-in", "Put user and password into `proxy`."),
    408: (Unavailable, "the system gave up waiting for the request", ""),
    409: (Changed, "it was changed by somebody else meanwhile", "It is read and merged again by itself."),
    410: (NotFound, "it no longer exists", ""),
    412: (Changed, "it was changed by somebody else meanwhile", "It is read and merged again by itself."),
    413: (Rejected, "it is larger than the system accepts", "Lower the size limit, or raise the system's."),
    422: (Rejected, "the system refuses the values", ""),
    423: (Changed, "it is locked by somebody else", "It is tried again by itself."),
    425: (Unavailable, "the system wants the request later", ""),
    429: (Unavailable, "the system asks for fewer requests", "It is tried again by itself; lower `max_concurrency`."),
    501: (ConfigurationError, "the system cannot do this", "Check `url`, and the version of the system."),
    502: (Unavailable, "a gateway in front of the system gets no answer from it", ""),
    503: (Unavailable, "the system is overloaded or under maintenance", ""),
    504: (Unavailable, "a gateway in front of the system waited too long for it", ""),
}
"""Status -> error, what happened, what to do about it (empty: what the error says by itself)."""

OTHER_4XX: tuple[type[ConnectorError], str, str] = (Rejected, "the system refuses the request", "")
OTHER_5XX: tuple[type[ConnectorError], str, str] = (Unavailable, "the system failed", "")

NOT_ANSWERING = frozenset({502, 503, 504})
"""Statuses that count for the circuit breaker. A 500 may be one entity's fault: its neighbours go on."""


def status_error(response: httpx.Response, place: str, words: str, system: str) -> ConnectorError:
    """The error of a response. `place`: what was asked; `words`: what the system says, without secrets."""
    status = response.status_code
    kind, what, remedy = STATUS_ERRORS.get(status, OTHER_5XX if status >= 500 else OTHER_4XX)
    error = kind(f"{place}: {what} ({status}{f': {words}' if words else ''})", remedy=remedy, system=system)
    if isinstance(error, Unavailable):
        error.retry_after = retry_after(response)
    return error


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the system asks us to wait: the header says them, or a date. None where it says nothing usable."""
    said = response.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(said) if said.isdecimal() else _seconds_until(parsedate_to_datetime(said)))
    except ValueError:
        return None


def _seconds_until(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()


def not_acted_on(response: httpx.Response) -> bool:
    """The system says that it turned the request away before doing anything."""
    return response.status_code == 429 or (response.status_code == 503 and "retry-after" in response.headers)
