"""Refreshes that no schedule asks for: at start, when added, when activated; and what an operator paused."""

from __future__ import annotations

from prefect.client.orchestration import PrefectClient

from flows.keep import Keeper
from flows.prefect_server import PrefectServer
from flows.runtime import close_shared, shared
from tests.flows.on_prefect.pairs import Pair, runs_of


async def test_a_connector_is_refreshed_once_at_start_and_not_again(prefect_server: PrefectServer, pair: Pair) -> None:
    async with PrefectClient(prefect_server.url) as client:
        keeper = Keeper(client, shared(), pair.pool)
        await keeper.look_again()
        await keeper.look_again()
        assert len(await runs_of(client, pair)) == 1
        await Keeper(client, shared(), pair.pool).look_again()
        assert len(await runs_of(client, pair)) == 2
    await close_shared()


async def test_a_connector_is_refreshed_when_it_is_activated(prefect_server: PrefectServer, pair: Pair) -> None:
    ledger = shared().ledger
    async with PrefectClient(prefect_server.url) as client:
        keeper = Keeper(client, shared(), pair.pool)
        with ledger.begin() as tx:
            tx.set_active(pair.name, False)
        await keeper.look_again()
        assert await runs_of(client, pair) == []
        with ledger.begin() as tx:
            tx.set_active(pair.name, True)
        await keeper.look_again()
        assert len(await runs_of(client, pair)) == 1
    await close_shared()


async def test_what_an_operator_paused_is_not_refreshed_at_start(prefect_server: PrefectServer, pair: Pair) -> None:
    async with PrefectClient(prefect_server.url) as client:
        done = await pair.deploy(client)
        await client.pause_deployment(done.ids[pair.name])
        await Keeper(client, shared(), pair.pool).look_again()
        assert await runs_of(client, pair) == []
        assert (await client.read_deployment(done.ids[pair.name])).paused
    await close_shared()
