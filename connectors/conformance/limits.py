"""`limits` are data that the engine plans by. Here they are held to the truth."""

# mypy: disable-error-code="type-abstract"
# Asking for a protocol by its name is what `able` is for; mypy only knows that for isinstance.

from __future__ import annotations

import httpx
import pytest

from connectors.conformance.abilities import link_between
from connectors.conformance.failures import Tampering, over
from connectors.conformance.subject import Subject, as_text, token
from connectors.contract import HasLinks
from connectors.errors import Changed


class LimitRules:
    """What a connector declares about its system."""

    async def test_a_write_that_changes_nothing_moves_the_time_where_limits_say_so(self, subject: Subject) -> None:
        subject.timed()
        field = await subject.text_field()
        made = await subject.make()
        await subject.next_tick()
        await subject.connector.update(made, {field.name: made.fields[field.name]}, expected=None)
        moved = (await subject.now(made.ref)).modified != made.modified
        assert moved == subject.connector.limits.bumps_on_noop, "limits.bumps_on_noop"

    async def test_a_link_moves_both_ends_where_limits_say_so(self, subject: Subject) -> None:
        subject.timed()
        linker = subject.able(HasLinks)
        one, two = await subject.make(), await subject.make()
        await subject.next_tick()
        await link_between(linker, one, two)
        moved = [(await subject.now(end.ref)).modified != end.modified for end in (one, two)]
        assert all(moved) == subject.connector.limits.link_changes_visible, "limits.link_changes_visible"

    async def test_a_system_with_conditional_writes_refuses_even_the_edit_of_the_last_moment(
        self, subject: Subject
    ) -> None:
        """Somebody edits after the connector has looked and before its write arrives."""
        if not subject.connector.limits.conditional_writes or subject.over is None:
            pytest.skip("the system has no conditional writes, or speaks no HTTP")
        field = await subject.text_field()
        made = await subject.make()
        await subject.next_tick()
        ours, theirs = (as_text(field, f"{whose} {token()}") for whose in ("Ours", "Theirs"))
        edited = False

        async def meddle(request: httpx.Request) -> httpx.Response | None:
            nonlocal edited
            if not subject.reads(request) and not edited:
                edited = True
                await subject.edit_elsewhere(made, {field.name: theirs})
            return None

        async with over(subject, Tampering(subject.transport(), meddle)) as connector:
            with pytest.raises(Changed):
                await connector.update(made, {field.name: ours}, expected=made.version)
        assert (await subject.now(made.ref)).fields[field.name] == theirs

    async def test_a_create_costs_no_more_requests_than_limits_say(self, subject: Subject) -> None:
        writes = 0

        async def count(request: httpx.Request) -> httpx.Response | None:
            nonlocal writes
            writes += not subject.reads(request)
            return None

        async with over(subject, Tampering(subject.transport(), count)) as connector:
            sample = await subject.sample()
            await connector.create(subject.scope, subject.entity_type, sample, marker=f"syncline-{token()}")
        assert writes <= subject.connector.limits.writes_per_create
