"""How actions look in a plan: the rows of `syncline plan` and of a dry run (SPEC B18)."""

from __future__ import annotations

from typing import Any

from connectors.entity import Entity, EntityRef, Value, encode
from flows.actions import (
    Action,
    AdoptAction,
    CreateAction,
    DeleteAction,
    FailAction,
    SkipAction,
    TouchAction,
    UpdateAction,
)
from flows.report import PlanRow
from mappings.config import Side
from mappings.merge import Decision, Kind
from mappings.plan import PairPlan


def plan_rows(target: str, action: Action, dropped: str | None = None) -> list[PlanRow]:
    """The rows that tell of one action; `dropped` is why it is not carried out. Nothing to tell: no rows."""
    if dropped is not None:
        side, ref, url = _where(action)
        return [PlanRow("skip", str(side), ref.id, {}, dropped, target, url)]
    match action:
        case CreateAction():
            fields = {name: plain(value) for name, value in action.create.fields.items()}
            return [
                PlanRow(
                    "create", str(action.to), action.source.ref.id, fields, action.reason, target, action.source.url
                )
            ]
        case AdoptAction():
            told = PlanRow(
                "adopt",
                "left",
                action.left.ref.id,
                {"twin": action.right.ref.id},
                action.reason,
                target,
                action.left.url,
            )
            return [told, *_pair(target, action.plan)]
        case UpdateAction():
            return _pair(target, action.plan)
        case DeleteAction():
            end = action.pair.link.end(action.gone.other)
            return [PlanRow(action.policy, str(action.gone.other), end.ref.id, {}, action.reason, target, end.url)]
        case FailAction():
            return [PlanRow("fail", str(action.side), action.ref.id, {}, action.error, target, action.url)]
        case TouchAction() | SkipAction():
            return []
    return []


def _pair(target: str, plan: PairPlan) -> list[PlanRow]:
    rows = []
    for kind, word in ((Kind.CONFLICT, "halt"), (Kind.FAIL, "fail")):
        for key, decision in plan.decisions.items():
            if decision.kind is kind:
                fields = {
                    key: {"left": plain(_value(plan, Side.LEFT, key)), "right": plain(_value(plan, Side.RIGHT, key))}
                }
                rows.append(PlanRow(word, "both", plan.left.ref.id, fields, decision.reason, target, plan.left.url))
    if plan.halted or plan.fatal:
        return rows
    for side in Side:
        writes = {key: d for key, d in plan.decisions.items() if side in d.writes}
        if writes:
            rows.append(_update(target, plan.entity(side), side, writes))
    for key, decision in plan.decisions.items():
        if decision.kind is Kind.HOLD:
            held = decision.after.held
            side = held.side if held else Side.RIGHT
            entity = plan.entity(side)
            rows.append(
                PlanRow(
                    "wait",
                    str(side),
                    entity.ref.id,
                    {key: plain(held.value) if held else None},
                    decision.reason,
                    target,
                    entity.url,
                )
            )
    return rows


def _update(target: str, entity: Entity, side: Side, writes: dict[str, Decision]) -> PlanRow:
    fields = {_name(key, side): plain(decision.writes[side]) for key, decision in writes.items()}
    reason = ", ".join(sorted({decision.reason for decision in writes.values()}))
    return PlanRow("update", str(side), entity.ref.id, fields, reason, target, entity.url)


def _name(key: str, side: Side) -> str:
    left, _, right = key.partition("=")
    return left if side is Side.LEFT else right


def _value(plan: PairPlan, side: Side, key: str) -> Value:
    return plan.entity(side).fields.get(_name(key, side))


def _where(action: Action) -> tuple[Side, EntityRef, str | None]:
    match action:
        case CreateAction():
            return action.to.other, action.source.ref, action.source.url
        case AdoptAction():
            return Side.LEFT, action.left.ref, action.left.url
        case UpdateAction() | TouchAction():
            end = action.pair.link.left
            return Side.LEFT, end.ref, end.url
        case DeleteAction():
            end = action.pair.link.end(action.gone)
            return action.gone, end.ref, end.url
        case FailAction() | SkipAction():
            return action.side, action.ref, action.url
    raise TypeError(type(action).__name__)


def plain(value: Value) -> Any:
    """A value as people read it: text, number, boolean, null, or a list of those."""
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    encoded = encode(value)
    return str(value) if isinstance(encoded, dict) else encoded
