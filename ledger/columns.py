"""Column types that mean the same in SQLite and in PostgreSQL.

Rule of this file: what goes in comes out equal on both, or is refused on both.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from connectors.entity import utc

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Moment(TypeDecorator[datetime]):
    """An aware date-time in UTC, to the microsecond. A naive one raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else utc(value)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite has no zones: what we stored there was UTC.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text of any length. NUL and lone surrogates, which PostgreSQL or UTF-8 cannot hold, become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        return None if value is None else _UNSTORABLE.sub("\ufffd", value)


# AUTOINCREMENT of SQLite wants exactly INTEGER, which is 64 bits wide there.
Id = BigInteger().with_variant(Integer, "sqlite")


def json_column() -> JSON:
    """JSON whose Python None is SQL's NULL. Plain JSON, not JSONB, because JSONB refuses the escape of NUL."""
    return JSON(none_as_null=True)


Json = dict[str, Any]
