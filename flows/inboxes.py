"""What people and tools see of the ledger, as JSON: links, conflicts, failures, audit (names of INTERFACE.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from connectors.entity import VALUE_TAGS, UserRef, decode, members
from flows.planned import plain
from ledger.model import AuditEntry, Conflict, End, Failure, Link
from mappings.config import Side
from mappings.merge import Held
from mappings.values import user_texts

_BY_USER = ("unknown_user", "ambiguous_user")


def link_json(link: Link) -> dict[str, Any]:
    """`{id, connector, target, left: {system, scope, type, id, url}, right, state, held}`."""
    held = [
        {"field": field_name(key), "side": str(state.held.side), "value": plain(state.held.value),
         "code": state.held.code, "reason": state.held.reason}
        for key, state in link.rows.items()
        if state.held is not None
    ]  # fmt: skip
    return {
        "id": str(link.id),
        "connector": link.connector,
        "target": link.target,
        "left": _end(link.left),
        "right": _end(link.right),
        "state": str(link.state),
        "held": held,
    }


def unresolved_users(held: Iterable[Link]) -> list[dict[str, Any]]:
    """`[{side, user, code, pairs}]`: the users of `side` who are nobody, or several, on the other side (SPEC B5).

    `held` are the links whose values wait; `pairs` is in how many of them this user does. Most first.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    for link in held:
        states = [state.held for state in link.rows.values() if state.held and state.held.code in _BY_USER]
        found.update({(str(one.side.other), user, one.code) for one in states for user in _users(one)})
    rows = sorted(found.items(), key=lambda row: (-row[1], row[0]))
    return [{"side": side, "user": user, "code": code, "pairs": n} for (side, user, code), n in rows]


def _users(held: Held) -> list[str]:
    """What a value table may name the users by. Of several in one field, those that the reason is about."""
    named = [user_texts(member) for member in members(held.value) if isinstance(member, UserRef)]
    meant = [texts for texts in named if any(repr(text) in held.reason for text in texts)]
    return [texts[0] for texts in (meant or named)]


def _end(end: End) -> dict[str, Any]:
    return {"system": end.system, "scope": end.ref.scope, "type": end.ref.type, "id": end.ref.id, "url": end.url,
            "key": end.key}  # fmt: skip


def conflict_json(conflict: Conflict, link: Link | None = None) -> dict[str, Any]:
    """`{id, connector, link, field, base: {left, right}, left, right, by: {left, right}, at, state}`.

    `field` is the left name of the row (the right one where it has no left). `entities` are both ends, where known.
    """
    left, _, right = conflict.field.partition("=")
    return {
        "id": str(conflict.id),
        "connector": conflict.connector,
        "link": str(conflict.link),
        "field": field_name(conflict.field),
        "fields": {"left": left, "right": right},
        "base": {"left": plain(conflict.base_left), "right": plain(conflict.base_right)},
        "left": plain(conflict.left),
        "right": plain(conflict.right),
        "by": {"left": conflict.by_left, "right": conflict.by_right},
        "at": moment(conflict.at),
        "state": conflict.state,
        "entities": {str(side): _end(link.end(side)) for side in Side} if link else None,
    }


def failure_json(failure: Failure) -> dict[str, Any]:
    """`{id, connector, entity, action, error, attempts, next, state}`; `entity` as `left:ID`."""
    return {
        "id": str(failure.id),
        "connector": failure.connector,
        "target": failure.target,
        "entity": f"{failure.side}:{failure.entity.id}",
        "url": failure.url,
        "action": failure.action,
        "error": failure.error,
        "attempts": failure.attempts,
        "at": moment(failure.at),
        "next": moment(failure.next),
        "state": failure.state,
    }


def audit_json(entry: AuditEntry) -> dict[str, Any]:
    """`{at, who, what, connector, run, entity, field, before, after, reason}`."""
    return {
        "at": moment(entry.at),
        "who": entry.who,
        "what": entry.what,
        "connector": entry.connector,
        "run": entry.run,
        "entity": entry.entity,
        "field": entry.field,
        "before": readable(entry.before),
        "after": readable(entry.after),
        "reason": entry.reason,
    }


def field_name(key: str) -> str:
    """How people name a field row: by its left field, or the right one where it has no left."""
    left, _, right = key.partition("=")
    return left or right


def moment(at: datetime | None) -> str | None:
    """ISO 8601, UTC."""
    return at.astimezone(UTC).isoformat() if at is not None else None


def readable(encoded: Any) -> Any:
    """Values of the audit log as people read them; other JSON stays as it is."""
    if isinstance(encoded, list):
        return [readable(member) for member in encoded]
    if isinstance(encoded, dict):
        if len(encoded) == 1 and next(iter(encoded)) in VALUE_TAGS:
            return plain(decode(encoded))
        return {key: readable(value) for key, value in encoded.items()}
    return encoded
