"""What the benchmarks measure with keeps the contract: a fast connector that cuts corners would measure nothing.

Its pages come ahead, so this is also the kit on `connectors.paging.pages_ahead`, over a real network.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from importlib import import_module

import pytest

from bench.__main__ import NAMES
from bench.connector import BenchConfig, BenchConnector
from bench.stage import tracker
from connectors.conformance import ConnectorConformance, Subject
from connectors.rest import Http


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tracker() as served:
        yield served


class TestBench(ConnectorConformance):
    @pytest.fixture
    async def subject(self, url: str) -> AsyncIterator[Subject]:
        config = BenchConfig(url=url)
        connector, elsewhere = (BenchConnector(config, Http(config)) for _ in range(2))
        yield Subject(
            connector,
            "ticket",
            elsewhere=elsewhere,
            over=lambda transport: BenchConnector(config, Http(config, transport=transport)),
        )
        await connector.close()
        await elsewhere.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_says_why_it_is_fair(name: str) -> None:
    benchmark = import_module(f"bench.{name}")
    assert "\nFair because " in (benchmark.__doc__ or "")
    assert callable(benchmark.run)
