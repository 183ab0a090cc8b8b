"""Where secrets are: environment, file, Prefect block. (A secrets store embedded in a connection comes with A11.)

Rule of this file: a secret is read at the moment it is needed and goes nowhere but into the connector's configuration.
"""

from __future__ import annotations

from typing import cast

from mappings import load


def read_secret(reference: dict[str, str]) -> str:
    """The secret that `{env: X}`, `{file: path}` or `{block: name}` leads to. Raises LookupError or OSError."""
    if "block" in reference:
        return _block(reference["block"])
    return load.read_secret(reference)


def _block(name: str) -> str:
    from prefect.blocks.system import Secret  # half a second, which only a block is worth

    try:
        secret = cast("Secret[str]", Secret.load(name, _sync=True))  # type: ignore[call-arg]
    except ValueError as error:
        raise LookupError(f"Prefect has no Secret block {name!r}") from error
    return secret.get()
