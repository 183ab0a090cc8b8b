"""Two systems in memory, the configuration that joins them, and a worker for it: for the tests of flows on Prefect."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun

from connectors.memory import MemorySystem, forget, system
from flows import runtime
from flows.deploy import Reconciled, reconcile
from flows.keep import desired
from flows.prefect_server import PrefectServer
from flows.work import WorkerThread
from tests.systems.prefect import settings

_numbers = itertools.count(1)

GROUP = """
group: pairs
systems:
  ours: {{kind: memory, url: "memory://{folder}/ours.json", latency: {latency}}}
  theirs: {{kind: memory, url: "memory://{folder}/theirs.json"}}
connectors:
  - name: {name}
    left: ours
    right: theirs
    refresh_interval: {interval}
    start_polling: all
    entities:
      - left: ticket
        right: ticket
        fields: [{{left: title, right: title}}, {{left: status, right: status}}]
"""


@dataclass(slots=True)
class Pair:
    """An integration connector with a name and a work pool of its own: tests share one Prefect server in peace."""

    name: str
    folder: Path

    @property
    def pool(self) -> str:
        return f"{self.name}-pool"

    @property
    def left(self) -> MemorySystem:
        return system(f"memory://{self.folder}/ours.json")

    @property
    def right(self) -> MemorySystem:
        return system(f"memory://{self.folder}/theirs.json")

    def configure(self, *, interval: str = "0", latency: float = 0.0) -> None:
        """Write the configuration."""
        text = GROUP.format(folder=self.folder, name=self.name, interval=interval, latency=latency)
        (self.folder / "group.yaml").write_text(text)

    def add(self, *titles: str) -> None:
        """New tickets on the left, made by people."""
        for title in titles:
            self.left.add("", "ticket", {"title": title})

    def titles(self) -> tuple[list[str], list[str]]:
        """The titles on both sides, sorted."""
        return _titles(self.left), _titles(self.right)

    async def deploy(self, client: PrefectClient) -> Reconciled:
        """Its deployment, as the daemon makes it."""
        return await reconcile(client, desired(runtime.shared().configuration, {}, datetime.now(UTC)), self.pool)

    @contextmanager
    def worker(self, server: PrefectServer) -> Iterator[None]:
        """An in-process worker for it, while this is entered."""
        with settings(server):
            worker = WorkerThread(self.pool)
            worker.start()
            try:
                yield
            finally:
                worker.stop()


async def runs_of(client: PrefectClient, pair: Pair) -> list[FlowRun]:
    """All runs of the pair's deployment."""
    wanted = DeploymentFilter(name=DeploymentFilterName(any_=[pair.name]))
    return await client.read_flow_runs(deployment_filter=wanted)


def _titles(side: MemorySystem) -> list[str]:
    side.find("", "ticket", "")  # any reading looks into the file again, which the daemon has written
    return sorted(str(row.fields["title"]) for row in side.rows.values())


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setenv(runtime.CONFIG, str(tmp_path))
    monkeypatch.delenv(runtime.LEDGER, raising=False)
    made = Pair(f"pair-{next(_numbers)}", tmp_path)
    made.configure()
    yield made
    for side in ("ours", "theirs"):
        forget(f"memory://{tmp_path}/{side}.json")
