"""The registered integration services."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.registry import known_kinds
from mappings.config import PermittedSynchronization
from mappings.services import SERVICES, permitted_by_service, service

RECORDED = Path(__file__).parents[3] / "shared/data/egeria-5.3/registered-services-integration-services.json"


@pytest.mark.parametrize(
    ("marker", "permitted"),
    [
        ("work-item-integrator", "BOTH_DIRECTIONS"),
        ("itsm-integrator", "BOTH_DIRECTIONS"),
        ("test-integrator", "BOTH_DIRECTIONS"),
        ("scm-integrator", "FROM_THIRD_PARTY"),
        ("build-integrator", "FROM_THIRD_PARTY"),
        ("database-integrator", "FROM_THIRD_PARTY"),
        ("catalog-integrator", "BOTH_DIRECTIONS"),
        ("security-integrator", "TO_THIRD_PARTY"),
    ],
)
def test_a_service_gives_the_default_direction(marker: str, permitted: str) -> None:
    assert permitted_by_service(marker) == PermittedSynchronization(permitted)


def test_ids_markers_and_names_are_unique_and_the_kinds_exist() -> None:
    for attribute in ("id", "marker", "full_name"):
        assert len({getattr(one, attribute) for one in SERVICES}) == len(SERVICES)
    assert {kind for one in SERVICES for kind in one.kinds} <= set(known_kinds())
    assert service("no-such-integrator") is None


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers of a real Egeria are not here")
def test_egerias_services_are_as_a_real_egeria_lists_them() -> None:
    for recorded in json.loads(RECORDED.read_text())["answer"]["services"]:
        ours = service(recorded["serviceURLMarker"])
        assert ours
        assert (ours.id, ours.full_name, ours.status, ours.partner) == (
            recorded["serviceId"],
            recorded["serviceName"],
            recorded["serviceDevelopmentStatus"],
            recorded["partnerServiceName"],
        )
