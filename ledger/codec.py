"""Values of `model.py` <-> rows of `tables.py`.

Rule of this file: `x_from` reads what `x_row` wrote, equal in every field; a default costs no space in a JSON column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.entity import EntityRef, decode, encode
from ledger.model import AuditEntry, CommentLink, Conflict, End, Failure, Intent, Lease, Link, LinkState, RefreshRequest
from mappings.config import Side
from mappings.merge import Held, RowState

Row = Any
"""A row of SQLAlchemy: its columns are attributes."""
Columns = dict[str, Any]

# -- links ---------------------------------------------------------------------------------------------------


def link_row(link: Link) -> Columns:
    return {
        "connector": link.connector,
        "target": link.target,
        "entity_row": link.row,
        **_end_row(Side.LEFT, link.left),
        **_end_row(Side.RIGHT, link.right),
        "rows": {key: state_json(state) for key, state in link.rows.items()},
        "state": str(link.state),
        "mapping": link.mapping,
        "born": _name(link.born),
        "checked": link.checked,
        "agrees": link.agrees,
    }


def link_from(row: Row) -> Link:
    return Link(
        id=row.id,
        connector=row.connector,
        target=row.target,
        row=row.entity_row,
        left=_end_from(Side.LEFT, row),
        right=_end_from(Side.RIGHT, row),
        rows={key: state_from(data) for key, data in row.rows.items()},
        state=LinkState(row.state),
        mapping=row.mapping,
        born=_side(row.born),
        checked=row.checked,
        agrees=row.agrees,
    )


def _end_row(side: Side, end: End) -> Columns:
    return {
        f"{side}_system": end.system,
        f"{side}_ident": end.ident,
        f"{side}_scope": end.ref.scope,
        f"{side}_type": end.ref.type,
        f"{side}_id": end.ref.id,
        f"{side}_url": end.url,
        f"{side}_key": end.key,
        f"{side}_version": end.version,
        f"{side}_modified": end.modified,
        f"{side}_seen": end.seen,
        f"{side}_touched": end.touched,
    }


def _end_from(side: Side, row: Row) -> End:
    def of(name: str) -> Any:
        return getattr(row, f"{side}_{name}")

    return End(
        system=of("system"),
        ident=of("ident"),
        ref=EntityRef(of("scope"), of("type"), of("id")),
        url=of("url"),
        key=of("key"),
        version=of("version"),
        modified=of("modified"),
        seen=of("seen"),
        touched=of("touched"),
    )


def state_json(state: RowState) -> Columns:
    data = {
        "left": encode(state.left),
        "right": encode(state.right),
        "origin": None if state.origin is Side.LEFT else str(state.origin),
        "held": state.held and _held_json(state.held),
        "fingerprint": state.fingerprint or None,
        "bounces": state.bounces or None,
        "unknown": None if state.known else True,
    }
    return {key: value for key, value in data.items() if value is not None}


def state_from(data: Mapping[str, Any]) -> RowState:
    return RowState(
        left=decode(data.get("left")),
        right=decode(data.get("right")),
        origin=Side(data.get("origin", Side.LEFT)),
        held=_held_from(data["held"]) if "held" in data else None,
        known=not data.get("unknown"),
        fingerprint=data.get("fingerprint", ""),
        bounces=data.get("bounces", 0),
    )


def _held_json(held: Held) -> Columns:
    return {
        "side": str(held.side),
        "value": encode(held.value),
        "code": held.code,
        "reason": held.reason,
        "fingerprint": held.fingerprint,
    }


def _held_from(data: Mapping[str, Any]) -> Held:
    return Held(Side(data["side"]), decode(data["value"]), data["code"], data["reason"], data["fingerprint"])


def comment_row(comment: CommentLink) -> Columns:
    return {
        "link": comment.link,
        "left_id": comment.left,
        "right_id": comment.right,
        "left_hash": comment.left_hash,
        "right_hash": comment.right_hash,
        "born": str(comment.born),
        "author": comment.author,
        "created": comment.created,
    }


def comment_from(row: Row) -> CommentLink:
    return CommentLink(
        link=row.link,
        left=row.left_id,
        right=row.right_id,
        left_hash=row.left_hash,
        right_hash=row.right_hash,
        born=Side(row.born),
        author=row.author,
        created=row.created,
    )


# -- what is under way ---------------------------------------------------------------------------------------


def intent_row(intent: Intent) -> Columns:
    source = intent.source
    return {
        "connector": intent.connector,
        "target": intent.target,
        "entity_row": intent.row,
        "kind": intent.kind,
        "side": str(intent.side),
        "source": [source.scope, source.type, source.id] if source else None,
        "link": intent.link,
        "marker": intent.marker,
        "payload": dict(intent.payload),
        "at": intent.at,
        "expires": intent.expires,
    }


def intent_from(row: Row) -> Intent:
    return Intent(
        id=row.id,
        connector=row.connector,
        target=row.target,
        row=row.entity_row,
        kind=row.kind,
        side=Side(row.side),
        source=EntityRef(*row.source) if row.source else None,
        link=row.link,
        marker=row.marker,
        payload=row.payload,
        at=row.at,
        expires=row.expires,
    )


def request_from(row: Row) -> RefreshRequest:
    return RefreshRequest(row.id, row.connector, row.options, row.at, row.requested_by)


def lease_from(row: Row) -> Lease:
    return Lease(row.connector, row.epoch, row.owner, row.until)


# -- what waits for people -----------------------------------------------------------------------------------


def conflict_row(conflict: Conflict) -> Columns:
    return {
        "connector": conflict.connector,
        "link": conflict.link,
        "field": conflict.field,
        "base_left": encode(conflict.base_left),
        "base_right": encode(conflict.base_right),
        "left_value": encode(conflict.left),
        "right_value": encode(conflict.right),
        "left_version": conflict.left_version,
        "right_version": conflict.right_version,
        "by_left": conflict.by_left,
        "by_right": conflict.by_right,
        "at": conflict.at,
        "state": conflict.state,
    }


def conflict_from(row: Row) -> Conflict:
    return Conflict(
        id=row.id,
        connector=row.connector,
        link=row.link,
        field=row.field,
        base_left=decode(row.base_left),
        base_right=decode(row.base_right),
        left=decode(row.left_value),
        right=decode(row.right_value),
        left_version=row.left_version,
        right_version=row.right_version,
        by_left=row.by_left,
        by_right=row.by_right,
        at=row.at,
        state=row.state,
    )


def failure_row(failure: Failure) -> Columns:
    return {
        "connector": failure.connector,
        "target": failure.target,
        "entity_row": failure.row,
        "side": str(failure.side),
        "entity_scope": failure.entity.scope,
        "entity_type": failure.entity.type,
        "entity_id": failure.entity.id,
        "action": failure.action,
        "error": failure.error,
        "attempts": failure.attempts,
        "at": failure.at,
        "next": failure.next,
        "state": failure.state,
        "url": failure.url,
    }


def failure_from(row: Row) -> Failure:
    return Failure(
        id=row.id,
        connector=row.connector,
        target=row.target,
        row=row.entity_row,
        side=Side(row.side),
        entity=EntityRef(row.entity_scope, row.entity_type, row.entity_id),
        action=row.action,
        error=row.error,
        attempts=row.attempts,
        at=row.at,
        next=row.next,
        state=row.state,
        url=row.url,
    )


def audit_row(entry: AuditEntry) -> Columns:
    return {
        "at": entry.at,
        "who": entry.who,
        "what": entry.what,
        "connector": entry.connector,
        "run": entry.run,
        "entity": entry.entity,
        "field": entry.field,
        "before": entry.before,
        "after": entry.after,
        "reason": entry.reason,
    }


def audit_from(row: Row) -> AuditEntry:
    return AuditEntry(
        at=row.at,
        who=row.who,
        what=row.what,
        connector=row.connector,
        run=row.run,
        entity=row.entity,
        field=row.field,
        before=row.before,
        after=row.after,
        reason=row.reason,
        id=row.id,
    )


def _name(side: Side | None) -> str | None:
    return None if side is None else str(side)


def _side(name: str | None) -> Side | None:
    return None if name is None else Side(name)
