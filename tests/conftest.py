"""Fixtures of all rooms: real systems to run against. Each skips, and says why, where it is not installed."""

pytest_plugins = ["tests.systems.redmine", "tests.systems.roundup", "tests.systems.postgresql", "tests.systems.prefect"]
