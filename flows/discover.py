"""Ask two live systems for what a first mapping needs: projects, entity types, fields (`syncline init`, SPEC B1).

Rule of this file: it reads only, and guesses nothing: where names do not tell what belongs together, it asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from connectors import registry
from connectors.contract import Closes, Connector, HasComments, ListsScopes
from connectors.errors import ConfigurationError
from flows.runtime import config_model
from flows.secret_store import read_secret
from mappings.check import check
from mappings.config import Side
from mappings.findings import ConfigurationErrors, file_text
from mappings.first import FirstMapping, TypePair, equal, pair_fields
from mappings.first_text import first_text, systems_text
from mappings.load import Loaded, load, resolve_system
from mappings.shape import is_secret, keys, models

Pairs = tuple[tuple[str, str], ...]


class Unclear(ConfigurationError):
    """Names alone do not tell what belongs together. `wanted`: projects or types, whichever has to be said."""

    def __init__(self, wanted: str, problem: str, found: Mapping[Side, Sequence[str]]) -> None:
        told = "; ".join(f"{side}: {', '.join(map(repr, names)) or 'none'}" for side, names in found.items())
        option = "--project" if wanted == "projects" else "--types"
        super().__init__(problem, remedy=f"Say {option} LEFT=RIGHT. There are, {told}.")
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person said belongs together; `NAME` for both sides, or `LEFT=RIGHT`. Empty: equal names."""

    projects: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


def system_keys(
    kind: str, url: str, username: str | None, secret: dict[str, str] | None, folder: Path
) -> dict[str, Any]:
    """How a system is reached, as YAML has it. Raises ConfigurationError for an unknown kind, or keys that do not fit.

    `secret` says where the password or key is: `{env: NAME}`, `{file: path}` …
    """
    told: dict[str, Any] = {"kind": kind, **({"url": url} if url else {})}
    field = keys(config_model(kind, folder)).get("credentials")
    if field is None or (username is None and secret is None):
        return told
    fits = [model for model in models(field.annotation) if ("username" in keys(model)) is (username is not None)]
    named = [key for model in fits for key in _secrets(model)]
    if len(named) != 1 or secret is None:
        raise ConfigurationError(
            f"The credentials given do not fit systems of the kind {kind}",
            remedy=f"They are {' or '.join(', '.join(keys(model)) for model in models(field.annotation))}.",
        )
    return told | {"credentials": {**({"username": username} if username else {}), named[0]: secret}}


def _secrets(model: type[BaseModel]) -> list[str]:
    return [key for key, field in keys(model).items() if is_secret(field.annotation)]


async def discover(systems: Mapping[str, Mapping[str, Any]], file: Path, wish: Wish) -> FirstMapping:
    """A first mapping of the two systems (left, right), as if it stood in `file`.

    Raises ConfigurationErrors for what the systems' keys lack, Unclear where a person has to say what belongs together,
    and what the connectors raise.
    """
    sides = dict(zip(Side, systems, strict=True))
    async with _opened(systems, file) as connectors:
        ends = {side: connectors[name] for side, name in sides.items()}
        await asyncio.gather(*(end.check() for end in ends.values()))
        places = {side: await _places(end) for side, end in ends.items()}
        targets = _projects(wish.projects, places)
        types = {side: await _types(ends[side], scope) for side, scope in zip(Side, targets[0], strict=True)}
        chosen = _chosen_types(wish.types, types)
        entities = tuple([await _pair(ends, targets, pair) for pair in chosen])
    lonely = {
        side: {
            "projects": _without(places[side], [target[i] for target in targets]),
            "entity types": _without(types[side], [pair[i] for pair in chosen]),
        }
        for i, side in enumerate(Side)
    }
    if not (fit := tuple(pair for pair in entities if pair.rows)):
        raise Unclear("types", "No field of these entity types has an equal on the other side", types)
    return FirstMapping(sides, targets, fit, lonely)


def written(name: str, systems: Mapping[str, Mapping[str, Any]], first: FirstMapping, file: Path, config: Path) -> str:
    """The text of the file. Raises ConfigurationErrors if `check` would find an error in it, beside its neighbours."""
    text = first_text(name, systems, first)
    beside = config if config.is_dir() and config.resolve() == file.parent.resolve() else file
    found = check(
        load(beside, system_model=config_model, instead={beside / file.name if beside.is_dir() else file: text})
    )
    names = {file_text(file), file_text(beside / file.name)}
    if errors := [one for one in found if one.severity == "error" and one.file in names]:
        raise ConfigurationErrors(errors)
    return text


@asynccontextmanager
async def _opened(systems: Mapping[str, Mapping[str, Any]], file: Path) -> AsyncIterator[dict[str, Connector]]:
    """A connector for each system, closed afterwards."""
    loaded: Loaded = load(file, system_model=config_model, instead={file: systems_text("first", systems)})
    if not loaded.ok:
        raise ConfigurationErrors(one for one in loaded.findings if one.severity == "error")
    opened: dict[str, Connector] = {}
    try:
        for name, entry in loaded.systems.items():
            opened[name] = registry.build(resolve_system(entry, read_secret), folder=entry.folder)
        yield opened
    finally:
        for connector in opened.values():
            if isinstance(connector, Closes):
                await connector.close()


async def _places(end: Connector) -> tuple[str, ...]:
    return tuple(await end.scopes()) if isinstance(end, ListsScopes) else ("",)


async def _types(end: Connector, scope: str) -> tuple[str, ...]:
    return await end.entity_types(scope) if isinstance(end, ListsScopes) else ()


def _projects(wished: Sequence[str], places: Mapping[Side, tuple[str, ...]]) -> Pairs:
    """The pairs of projects: as said, else the only ones, else those of equal name."""
    left, right = places[Side.LEFT], places[Side.RIGHT]
    if wished:
        return tuple(_project(text, left, right) for text in wished)
    if len(left) == len(right) == 1:
        return ((left[0], right[0]),)
    if pairs := equal(left, right):
        return tuple(pairs)
    raise Unclear("projects", "No project has the same name on both sides", places)


def _project(text: str, left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, str]:
    """`LEFT=RIGHT`, or one name; a system with no projects of its own, or one alone, needs no name."""
    here, equals, there = text.partition("=")
    if equals:
        return here, there
    one, other = (only[0] if len(only) == 1 and text not in only else text for only in (left, right))
    return one, other


def _chosen_types(wished: Sequence[str], types: Mapping[Side, tuple[str, ...]]) -> Pairs:
    """The pairs of entity types: as said, else those of equal name, else the only ones."""
    if wished:
        split = [text.partition("=") for text in wished]
        return tuple((left, right if equals else left) for left, equals, right in split)
    if pairs := equal(types[Side.LEFT], types[Side.RIGHT]):
        return tuple(pairs)
    if all(len(own) == 1 for own in types.values()):
        return ((types[Side.LEFT][0], types[Side.RIGHT][0]),)
    raise Unclear("types", "No entity type has the same name on both sides", types)


async def _pair(ends: Mapping[Side, Connector], targets: Pairs, types: tuple[str, str]) -> TypePair:
    """One pair of entity types, over all pairs of projects."""
    schemas = [
        {side: await ends[side].schema(target[i], types[i]) for i, side in enumerate(Side)} for target in targets
    ]
    return pair_fields(types, schemas, comments=all(isinstance(end, HasComments) for end in ends.values()))


def _without(names: Sequence[str], taken: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in taken)
