"""What can still be read of a connector that has mistakes, so that `check` names its other mistakes in the same go.

Rule of this file: what is wrong is taken out, and nothing is said about the part that it was taken out of.
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mappings.config import IntegrationConnector
from mappings.findings import Where

ROUNDS = 5
"""Taking something out may show the next mistake; after so many the connector is given up."""


def draft(data: object) -> tuple[IntegrationConnector, frozenset[Where]] | None:
    """The connector in `data` without what is wrong in it, and the parts that lack something. None: too little left."""
    remaining = copy.deepcopy(data)
    doubtful: set[Where] = set()
    for _ in range(ROUNDS):
        try:
            return IntegrationConnector.model_validate(remaining), frozenset(doubtful)
        except ValidationError as error:
            for details in error.errors(include_url=False, include_input=False):
                part = _take_out(remaining, details)
                if part is not None:
                    doubtful.add(part)
    return None


def _take_out(data: Any, details: ErrorDetails) -> Where | None:
    """Remove the key that an error is about; answers the part that it belonged to. An unknown key harms no part."""
    where: list[str | int] = []
    holder, path = None, []
    for part in details["loc"]:
        if isinstance(data, dict) and part in data:
            holder, path = data, [*where]
            key, data = part, data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            break
        where.append(part)
    if holder is not None:
        holder.pop(key, None)
    return None if details["type"] == "extra_forbidden" else tuple(path)
