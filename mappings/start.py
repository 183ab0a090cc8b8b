"""Start of polling (SPEC B15): which entities take part, by when they last changed."""

from __future__ import annotations

from datetime import datetime

from connectors.entity import Entity
from mappings.config import EntityRow, IntegrationConnector, StartPolling, Target


def start_polling(connector: IntegrationConnector, target: Target, row: EntityRow) -> StartPolling:
    """What is configured: the entity mapping's word, else the target's, else the connector's."""
    return next(s for s in (row.start_polling, target.start_polling, connector.start_polling) if s is not None)


def takes_part(entity: Entity, start: datetime | None) -> bool:
    """Entities changed strictly after the start take part. No start, or no modified time: all do."""
    return start is None or entity.modified is None or entity.modified > start
