"""What `python -m connectors.new` writes keeps the whole contract as it stands; breaking it over HTTP is caught."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from connectors import new
from connectors.conformance import ConnectorConformance, Subject
from connectors.entity import Entity, EntityRef, Fields, Gone
from connectors.errors import ConnectorError, Forbidden, Unavailable
from connectors.rest import Http


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[type[Any], ModuleType]]:
    """The connector that the scaffold writes, and its test module with the double."""
    connector, test = new.scaffold("made_up", tmp_path_factory.mktemp("checkout"))
    names = ["connectors.made_up", "test_made_up"]
    yield _load(names[0], connector).MadeUpConnector, _load(names[1], test)
    for name in names:
        del sys.modules[name]


def subject_of(kind: type[Any], module: ModuleType) -> Subject:
    double = module.Double()

    def over(transport: httpx.AsyncBaseTransport) -> Any:
        return kind(module.CONFIG, Http(module.CONFIG, transport=transport))

    def transport() -> httpx.MockTransport:
        return httpx.MockTransport(double)

    return Subject(over(transport()), "ticket", over=over, transport=transport, tick=double.tick)


class TestScaffold(ConnectorConformance):
    @pytest.fixture
    def subject(self, written: tuple[type[Any], ModuleType]) -> Subject:
        return subject_of(*written)


# Each breaks one promise of a connector that speaks HTTP.


def takes_every_failure_for_gone(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
            try:
                return await super().read(refs)  # type: ignore[no-any-return]
            except ConnectorError:
                return {ref: Gone(ref) for ref in refs}

    return Broken


def takes_forbidden_for_gone(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
            found = await super().read(refs)
            return {ref: e if isinstance(e, Entity) else Gone(ref) for ref, e in found.items()}

    return Broken


def repeats_a_create_whose_answer_was_lost(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def create(self, *args: Any, **named: Any) -> Entity:
            try:
                return await super().create(*args, **named)  # type: ignore[no-any-return]
            except Unavailable:
                return await super().create(*args, **named)  # type: ignore[no-any-return]

    return Broken


def only_looks_before_it_writes(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
            now = (await self.read([entity.ref]))[entity.ref]
            assert now.version == expected
            return await super().update(entity, fields, expected=None)  # type: ignore[no-any-return]

    return Broken


def tells_its_key(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def check(self) -> Any:
            try:
                return await super().check()
            except ConnectorError as error:
                key = self.config.credentials.api_key.get_secret_value()
                raise type(error)(f"{error.message} with {key}") from None

    return Broken


def calls_everything_unavailable(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def update(self, *args: Any, **named: Any) -> Entity:
            try:
                return await super().update(*args, **named)  # type: ignore[no-any-return]
            except ConnectorError as error:
                raise Unavailable(error.message) from None

    return Broken


def writes_twice(base: type[Any]) -> type[Any]:
    class Broken(base):  # type: ignore[misc]
        async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
            made = await super().create(scope, entity_type, fields, marker=marker)
            return await self.update(made, fields, expected=None)  # type: ignore[no-any-return]

    return Broken


KIT = ConnectorConformance
CAUGHT: dict[Callable[[type[Any]], type[Any]], Callable[..., Any]] = {
    takes_every_failure_for_gone: partial(KIT.test_nothing_is_gone_because_the_system_failed, answer="401"),
    takes_forbidden_for_gone: KIT.test_what_may_not_be_seen_is_forbidden_and_not_gone,
    repeats_a_create_whose_answer_was_lost: partial(KIT.test_a_create_whose_answer_is_lost_is_not_done_twice, nth=1),
    only_looks_before_it_writes: KIT.test_a_system_with_conditional_writes_refuses_even_the_edit_of_the_last_moment,
    tells_its_key: partial(KIT.test_each_answer_to_a_check_has_its_class_of_error, answer="401"),
    calls_everything_unavailable: partial(KIT.test_each_answer_to_a_write_has_its_class_of_error, answer="422"),
    writes_twice: KIT.test_a_create_costs_no_more_requests_than_limits_say,
}


@pytest.mark.parametrize("broken", CAUGHT, ids=lambda broken: broken.__name__)
async def test_the_kit_catches_over_http(
    broken: Callable[[type[Any]], type[Any]], written: tuple[type[Any], ModuleType]
) -> None:
    kind, module = written
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await CAUGHT[broken](KIT(), subject_of(broken(kind), module))


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
