"""What the two live systems offer for the value tables of an integration connector: types, look-up values, users.

Rule of this file: a system that cannot be asked is no error; what it would have told is unknown, and said to be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from connectors.contract import HasUsers, ListsUsers
from connectors.errors import ConnectorError
from connectors.schema import FieldSchema, FieldType
from flows.runtime import Runtime
from mappings.check import permitted_anywhere
from mappings.check_rows import feeds
from mappings.config import EntityRow, FieldRow, Side, ValuesFrom
from mappings.load import ConnectorEntry
from mappings.values import user_texts
from mappings.workbook.checking import Checked, UserCell
from mappings.workbook.content import SideFacts, TableRows, Use
from mappings.workbook.findings import CellFinding

_LISTED = frozenset({FieldType.CHOICE, FieldType.USER})
USERS_ASKED = 200
"""Users of a table that are looked up in their system; of the others it is said that they were not."""
AT_ONCE = 8


def mapped_rows(entry: ConnectorEntry) -> Iterator[tuple[EntityRow, FieldRow, ValuesFrom]]:
    """The field rows that take their values from the workbook."""
    for row in entry.config.entities:
        for field in row.fields:
            if field.values_from is not None:
                yield row, field, field.values_from


def offline_uses(entry: ConnectorEntry) -> list[Use]:
    """The tables of a connector as far as its configuration tells."""
    return [
        _use(
            entry, field, source, {side: SideFacts(entry.config.system(side), field.name(side) or "") for side in Side}
        )
        for _, field, source in mapped_rows(entry)
    ]


async def live_uses(runtime: Runtime, entry: ConnectorEntry) -> list[Use]:
    """The tables of a connector with what both systems say of their fields now."""
    return [
        _use(entry, field, source, {side: await _facts(runtime, entry, row, field, side) for side in Side})
        for row, field, source in mapped_rows(entry)
    ]


async def template_uses(runtime: Runtime, entry: ConnectorEntry) -> tuple[list[Use], dict[str, TableRows]]:
    """As `live_uses`, and every other look-up or user field of the mapping with a sheet of its own name.

    The second answer holds the value tables that stand in the YAML, as a start for those sheets.
    """
    uses = [
        _use(entry, field, source, {side: await _offering(runtime, entry, row, field, side) for side in Side})
        for row, field, source in mapped_rows(entry)
    ]
    inline: dict[str, TableRows] = {}
    taken = {source.sheet for _, _, source in mapped_rows(entry)}
    for row in entry.config.entities:
        for field in row.fields:
            if field.values_from is not None or not (field.left and field.right):
                continue
            sides = {side: await _offering(runtime, entry, row, field, side) for side in Side}
            if field.values is None and not {facts.type for facts in sides.values()} & _LISTED:
                continue
            sheet = field.left if field.left not in taken else f"{row.left} {field.left}"
            use = _use(entry, field, ValuesFrom(sheet=sheet[:31]), sides)
            taken.add(use.source.sheet)
            uses.append(use)
            inline[use.key] = TableRows(tuple((field.values or {}).items()), field.back or {})
    return uses, inline


def _use(entry: ConnectorEntry, field: FieldRow, source: ValuesFrom, sides: dict[Side, SideFacts]) -> Use:
    to = frozenset(side for side in permitted_anywhere(entry.config) if feeds(field, side))
    return Use(source, sides, to, field.on_unmapped == "hold")


async def _facts(runtime: Runtime, entry: ConnectorEntry, row: EntityRow, field: FieldRow, side: Side) -> SideFacts:
    system, name = entry.config.system(side), field.name(side) or ""
    try:
        schemas = await _schemas(runtime, entry, row, name, side)
    except ConnectorError:
        return SideFacts(system, name, asked=False)
    if not schemas:
        return SideFacts(system, name)
    lists = [schema.choices for schema in schemas]
    choices = None
    if None not in lists:
        choices = tuple(dict.fromkeys(choice.name for listed in lists for choice in listed or ()))
    return SideFacts(system, name, schemas[0].type, choices)


async def _offering(runtime: Runtime, entry: ConnectorEntry, row: EntityRow, field: FieldRow, side: Side) -> SideFacts:
    """As `_facts`, with the users of a field of users where the system lists them: by email, else by user name."""
    facts = await _facts(runtime, entry, row, field, side)
    if facts.type is not FieldType.USER or facts.choices is not None:
        return facts
    connector = runtime.end(entry, side).connector
    if not isinstance(connector, ListsUsers):
        return facts
    scopes = dict.fromkeys(target.scope(side) for target in entry.config.each_target())
    try:
        users = [user for scope in scopes for user in await connector.users(scope)]
    except ConnectorError:
        return replace(facts, asked=False)
    return replace(facts, users=tuple(dict.fromkeys(user_texts(user)[0] for user in users)))


async def _schemas(runtime: Runtime, entry: ConnectorEntry, row: EntityRow, name: str, side: Side) -> list[FieldSchema]:
    """The field as each target's project has it."""
    connector = runtime.end(entry, side).connector
    scopes = dict.fromkeys(target.scope(side) for target in entry.config.each_target())
    schemas = [await connector.schema(scope, row.type(side)) for scope in scopes]
    return [schema.fields[name] for schema in schemas if name in schema.fields]


async def check_users(runtime: Runtime, entry: ConnectorEntry, checked: Checked) -> None:
    """Look the users of a checked workbook up in their systems; adds findings for those that are not there."""
    for side in Side:
        named = [user for user in checked.users if user.side is side]
        if not named:
            continue
        connector = runtime.end(entry, side).connector
        if isinstance(connector, HasUsers):
            for one in await _look_up(connector, entry.config.system(side), named[:USERS_ASKED]):
                checked.findings.add(one)
            if len(named) > USERS_ASKED:
                problem = (
                    f"of {len(named):,} users of {entry.config.system(side)} the first {USERS_ASKED} were looked up"
                )
                checked.findings.tell("note", "too_many_users", problem, sheet=named[0].sheet)


async def _look_up(connector: HasUsers, system: str, named: Sequence[UserCell]) -> list[CellFinding]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def find(user: UserCell) -> CellFinding | None:
        async with gate:
            found = await connector.find_user(user.text)
        if len(found) == 1:
            return None
        problem = f"{len(found)} users of {system} are" if found else f"{system} has no user"
        return CellFinding.of("warning", "unknown_value", f"{problem} called {user.text!r}",
                              "Name the user by the email or user name.", sheet=user.sheet, cell=user.cell)  # fmt: skip

    try:
        return [finding for finding in await asyncio.gather(*map(find, named)) if finding is not None]
    except ConnectorError:
        problem = f"{system} could not be asked, so that its users were not looked up"
        return [CellFinding.of("warning", "system_not_asked", problem, sheet=named[0].sheet)]
