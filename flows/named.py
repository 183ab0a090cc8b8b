"""`flows.named.NAME` is the flow of the integration connector NAME: the entrypoints of `prefect.yaml`.

Rule of this file: it holds nothing else. Prefect names a deployment's flow after the object that it imports.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow

from flows import refresh as _refresh
from mappings.config import NAME as _NAME


def __getattr__(name: str) -> Flow[..., Any]:
    if not _NAME.fullmatch(name):
        raise AttributeError(name)
    flow: Flow[..., Any] = _refresh.refresh.with_options(name=name)
    return flow
