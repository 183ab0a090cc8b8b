from tests.flows.on_prefect.pairs import pair
from tests.systems.prefect import prefect_server

__all__ = ["pair", "prefect_server"]
