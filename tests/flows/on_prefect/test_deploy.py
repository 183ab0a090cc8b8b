"""What is configured becomes deployments; what operators do in Prefect's UI stays."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule

from flows.deploy import Reconciled, Wanted, reconcile, wanted
from flows.prefect_server import PrefectServer
from mappings.config import IntegrationConnector

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROW = {"left": "a", "right": "b", "fields": [{"left": "x", "right": "y"}]}
_numbers = itertools.count(1)


def connector(name: str = "bugs", **more: Any) -> Wanted:
    config = IntegrationConnector.model_validate(
        {"name": name, "left": "jira", "right": "devops", "refresh_interval": 5, "entities": [ROW], **more}
    )
    return wanted(config, ["delivery"], NOW)


class Deployed:
    """A work pool of one's own on the shared server."""

    def __init__(self, url: str) -> None:
        self.url, self.pool = url, f"deploy-{next(_numbers)}"

    async def be(self, *deployments: Wanted) -> Reconciled:
        async with PrefectClient(self.url) as client:
            return await reconcile(client, deployments, self.pool)

    async def find(self, name: str = "bugs") -> DeploymentResponse:
        async with PrefectClient(self.url) as client:
            return await client.read_deployment_by_name(f"{name}/{name}")

    async def interval(self, name: str = "bugs") -> float | None:
        found = (await self.find(name)).schedules
        schedules = [one.schedule for one in found if isinstance(one.schedule, IntervalSchedule)]
        return schedules[0].interval.total_seconds() if schedules else None

    async def pause(self, name: str = "bugs") -> None:
        async with PrefectClient(self.url) as client:
            await client.pause_deployment((await self.find(name)).id)

    async def switch_off(self, name: str = "bugs") -> None:
        found = await self.find(name)
        async with PrefectClient(self.url) as client:
            await client.update_deployment_schedule(found.id, found.schedules[0].id, active=False)


@pytest.fixture
def deployed(prefect_server: PrefectServer) -> Deployed:
    return Deployed(prefect_server.url)


@pytest.fixture(autouse=True)
def clean(prefect_server: PrefectServer) -> Iterator[None]:
    """Names are global in Prefect: each test begins without the deployments of the one before."""
    yield

    async def remove() -> None:
        async with PrefectClient(prefect_server.url) as client:
            for found in await client.read_deployments():
                await client.delete_deployment(found.id)

    asyncio.run(remove())


def test_runs_of_connectors_with_one_interval_are_spread_over_it() -> None:
    seconds = {(connector(f"c{n}").anchor - connector("c0").anchor).total_seconds() % 300 for n in range(100)}
    assert len(seconds) > 80
    assert connector("c7").anchor == connector("c7").anchor


@pytest.mark.parametrize(
    ("more", "active"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"start_date": NOW + timedelta(days=1)}, False),
        ({"start_date": NOW}, True),
        ({"stop_date": NOW + timedelta(days=1)}, True),
        ({"stop_date": NOW}, False),
    ],
)
def test_outside_its_dates_a_connector_is_inactive(more: dict[str, Any], active: bool) -> None:
    assert connector(**more).active is active


async def test_a_deployment_says_what_it_is_for(deployed: Deployed) -> None:
    done = await deployed.be(connector())
    found = await deployed.find()
    assert done.created == ("bugs",)
    assert set(found.tags) == {"syncline", "group:delivery", "system:jira", "system:devops"}
    assert await deployed.interval() == 300
    assert found.entrypoint == "flows.refresh.refresh"
    assert "Keeps jira and devops in agreement" in str(found.description)


async def test_the_parameter_form_explains_every_parameter(deployed: Deployed) -> None:
    await deployed.be(connector())
    form = (await deployed.find()).parameter_openapi_schema
    assert form is not None
    assert list(form["properties"]) == ["targets", "entities", "full", "since", "dry_run"]
    assert all(one["description"] for one in form["properties"].values())


async def test_reconciling_touches_only_what_differs(deployed: Deployed) -> None:
    await deployed.be(connector("same"), connector("slower"), connector("gone"))
    before = await deployed.find("same")
    done = await deployed.be(connector("same"), connector("slower", refresh_interval=10), connector("new"))
    assert (done.created, done.updated, done.removed) == (("new",), ("slower",), ("gone",))
    assert await deployed.interval("slower") == 600
    assert (await deployed.find("same")).updated == before.updated
    assert set(done.ids) == {"same", "slower", "new"}


async def test_the_deployments_of_another_daemon_are_left_alone(
    deployed: Deployed, prefect_server: PrefectServer
) -> None:
    other = Deployed(prefect_server.url)
    await other.be(connector("theirs"))
    await deployed.be(connector("ours"))
    assert (await other.find("theirs")).work_pool_name == other.pool


async def test_interval_zero_is_a_deployment_without_a_schedule(deployed: Deployed) -> None:
    await deployed.be(connector(refresh_interval=0))
    assert await deployed.interval() is None
    await deployed.be(connector(refresh_interval=5))
    assert await deployed.interval() == 300
    await deployed.be(connector(refresh_interval=0))
    assert await deployed.interval() is None


async def test_a_pause_of_the_operator_survives_a_new_interval(deployed: Deployed) -> None:
    await deployed.be(connector())
    await deployed.pause()
    done = await deployed.be(connector(refresh_interval=10))
    assert (await deployed.find()).paused
    assert await deployed.interval() == 600
    assert done.paused == ("bugs",)


async def test_a_schedule_that_the_operator_switched_off_stays_off(deployed: Deployed) -> None:
    await deployed.be(connector())
    await deployed.switch_off()
    done = await deployed.be(connector(refresh_interval=10))
    assert [schedule.active for schedule in (await deployed.find()).schedules] == [False]
    assert await deployed.interval() == 600
    assert done.paused == ("bugs",)


async def test_a_deactivated_connector_keeps_its_deployment_and_starts_again_when_activated(deployed: Deployed) -> None:
    await deployed.be(connector())
    done = await deployed.be(connector(active=False))
    found = await deployed.find()
    assert [schedule.active for schedule in found.schedules] == [False]
    assert "inactive" in found.tags
    assert done.paused == ()
    await deployed.be(connector())
    assert [schedule.active for schedule in (await deployed.find()).schedules] == [True]
