"""Conditions over an entity's fields: `{labels: {contains: sync}}` (SPEC B12, and `if` of a field row).

Rule of this file: a condition is parsed once, every mistake in it named at once; a parsed one can only answer yes or
no. Every `not_` operator is the exact opposite of its twin, so a missing field is an empty one everywhere.

    {field: {operator: operand, …}, …}    all of them hold
    {field: text}  {field: [a, b]}        short for equals, for in
    {all: […]}  {any: […]}  {not: {…}}    conditions of conditions

Of a field with several values, `equals` and `empty` look at the whole, everything else at any member. `contains` looks
for a member in several values, for a part in one text. Numbers meet as numbers, dates and times as moments (`now`,
`now - 7d`; a date alone means the whole day, UTC), users by email, user name, id or name, choices by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from connectors.entity import Fields
from mappings.operators import OPERATORS, Relative, operand_at, shown

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a condition: where (from its top), which code of docs/words.md, and in words."""

    path: Path
    code: str
    problem: str
    remedy: str


class ConditionError(ValueError):
    """A condition with mistakes; `problems` has all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{one.problem}. {one.remedy}" for one in problems))
        self.problems = problems


class Criterion(ABC):
    """A parsed condition."""

    @abstractmethod
    def holds(self, fields: Fields, now: datetime | None = None) -> bool:
        """Whether it holds for these fields. `now` (aware) is needed where `relative`; ValueError without it."""

    @property
    @abstractmethod
    def fields(self) -> frozenset[str]:
        """Names of the fields that it looks at."""

    @property
    @abstractmethod
    def relative(self) -> bool:
        """Whether the answer depends on the present moment."""

    @abstractmethod
    def describe(self) -> str:
        """In words, for reports: `labels contains "sync" and not (status equals "Done")`."""


@dataclass(frozen=True, slots=True)
class _Several(Criterion):
    parts: tuple[Criterion, ...]
    every: bool

    def holds(self, fields: Fields, now: datetime | None = None) -> bool:
        return (all if self.every else any)(part.holds(fields, now) for part in self.parts)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields for part in self.parts))

    @property
    def relative(self) -> bool:
        return any(part.relative for part in self.parts)

    def describe(self) -> str:
        if not self.parts:
            return "always" if self.every else "never"
        words = [f"({p.describe()})" if isinstance(p, _Several) and p.parts else p.describe() for p in self.parts]
        return (" and " if self.every else " or ").join(words)


@dataclass(frozen=True, slots=True)
class _Not(Criterion):
    part: Criterion

    def holds(self, fields: Fields, now: datetime | None = None) -> bool:
        return not self.part.holds(fields, now)

    @property
    def fields(self) -> frozenset[str]:
        return self.part.fields

    @property
    def relative(self) -> bool:
        return self.part.relative

    def describe(self) -> str:
        return f"not ({self.part.describe()})"


@dataclass(frozen=True, slots=True)
class _Test(Criterion):
    field: str
    operator: str
    operand: Any

    def holds(self, fields: Fields, now: datetime | None = None) -> bool:
        return OPERATORS[self.operator].judge(fields.get(self.field), operand_at(self.operand, now))

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({self.field})

    @property
    def relative(self) -> bool:
        return isinstance(self.operand, Relative)

    def describe(self) -> str:
        if self.operator == "empty":
            return f"{self.field} is {'' if self.operand else 'not '}empty"
        return f"{self.field} {self.operator.replace('_', ' ')} {shown(self.operand)}"


def parse(condition: Mapping[str, Any]) -> Criterion:
    """The condition, ready to be asked. Raises ConditionError with every mistake in it."""
    problems: list[Problem] = []
    criterion = _parse(condition, (), problems)
    if problems:
        raise ConditionError(tuple(problems))
    return criterion


def _parse(condition: object, path: Path, problems: list[Problem]) -> Criterion:
    if not isinstance(condition, Mapping):
        problems.append(Problem(path, "bad_condition", "a condition is a mapping", "Write {field: {operator: value}}."))
        return _Several((), True)
    parts = [_parse_key(str(key), value, (*path, str(key)), problems) for key, value in condition.items()]
    return parts[0] if len(parts) == 1 else _Several(tuple(parts), True)


def _parse_key(key: str, value: object, path: Path, problems: list[Problem]) -> Criterion:
    if key == "not":
        return _Not(_parse(value, path, problems))
    if key in ("all", "any"):
        if not isinstance(value, list | tuple):
            problems.append(
                Problem(path, "bad_condition", f"{key} takes a list of conditions", f"Write {key}: [{{…}}, {{…}}].")
            )
            return _Several((), True)
        return _Several(tuple(_parse(part, (*path, i), problems) for i, part in enumerate(value)), key == "all")
    if isinstance(value, list | tuple):
        return _test(key, "in", value, path, problems)
    if not isinstance(value, Mapping):
        return _test(key, "equals", value, path, problems)
    tests = [_test(key, str(name), operand, (*path, str(name)), problems) for name, operand in value.items()]
    return tests[0] if len(tests) == 1 else _Several(tuple(tests), True)


def _test(field: str, name: str, operand: object, path: Path, problems: list[Problem]) -> Criterion:
    operator = OPERATORS.get(name)
    if operator is None:
        near = get_close_matches(name, OPERATORS, n=3, cutoff=0.5)
        remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(OPERATORS)}."
        problems.append(Problem(path, "unknown_operator", f"unknown operator {name!r} for field {field!r}", remedy))
        return _Several((), True)
    try:
        return _Test(field, name, operator.prepare(operand))
    except ValueError as error:
        problems.append(Problem(path, "bad_operand", f"{name} of field {field!r}: {error}", operator.remedy))
        return _Several((), True)
