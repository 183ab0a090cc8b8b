"""The rows of a system in memory as one JSON file, so that several processes can share it. POSIX only (flock).

Rule of this file: the file is replaced as a whole or not at all; nobody ever reads half of one.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors import entity

if TYPE_CHECKING:
    from connectors._memory_store import Row

Stamp = tuple[int, int, int] | None
"""What tells one state of the file from the next: inode, size, time of change."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone with the file, over all processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def load(path: Path, seen: Stamp) -> tuple[Stamp, tuple[int, dict[str, Row]] | None]:
    """The stamp of the file, and its (seq, rows) if it is another one than `seen`."""
    now = _stamp(path)
    if now is None or now == seen:
        return now, None
    content = json.loads(path.read_text("utf-8"), object_hook=_untag)
    return now, (content["seq"], content["rows"])


def save(path: Path, seq: int, rows: dict[str, Row]) -> Stamp:
    """Replace the file; answers its new stamp."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps({"seq": seq, "rows": rows}, default=_tag, ensure_ascii=False, indent=1), "utf-8")
    os.replace(draft, path)
    return _stamp(path)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _tag(value: object) -> dict[str, Any]:
    if is_dataclass(value):
        return {"$": type(value).__name__, **{f.name: getattr(value, f.name) for f in fields(value)}}
    if isinstance(value, date):  # and datetime, which is one
        return {"$": type(value).__name__, "iso": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$": "Decimal", "digits": str(value)}
    if isinstance(value, bytes):
        return {"$": "bytes", "base64": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot be kept")


def _untag(data: dict[str, Any]) -> Any:
    """The inverse of `_tag`. Every list was a tuple: rows hold no lists."""
    data = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    match data.pop("$", None):
        case None:
            return data
        case "datetime":
            return datetime.fromisoformat(data["iso"])
        case "date":
            return date.fromisoformat(data["iso"])
        case "Decimal":
            return Decimal(data["digits"])
        case "bytes":
            return base64.b64decode(data["base64"])
        case "Row":
            from connectors._memory_store import Row

            return Row(**data)
        case name:
            return getattr(entity, name)(**data)
