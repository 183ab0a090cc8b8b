"""Who may do what: three roles, each with a token (INTERFACE.md, "REST").

Rule of this file: a token is compared in constant time, is never stored where others can read it, and never appears in
an answer, a log or the audit log. What a caller says of their name is kept beside the role, which alone decides.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from connectors.errors import ConfigurationError

log = logging.getLogger("syncline.console")

SHORTEST = 16
"""Characters below which a token is called weak at start."""


class Role(IntEnum):
    """Each role may do what the lower ones may."""

    MONITOR = 1
    """Look at everything."""
    OPERATOR = 2
    """Also refresh, activate, deactivate, settle conflicts and failures, bring value tables."""
    ADMINISTRATOR = 3
    """Also change what is configured, start and stop the server."""

    @property
    def word(self) -> str:
        return self.name.lower()


VARIABLES: Mapping[Role, str] = {
    Role.ADMINISTRATOR: "SYNCLINE_TOKEN",
    Role.OPERATOR: "SYNCLINE_TOKEN_OPERATOR",
    Role.MONITOR: "SYNCLINE_TOKEN_MONITOR",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the role that a token proved, and the name that they gave themselves."""

    role: Role
    name: str = ""

    @property
    def who(self) -> str:
        """As the audit log has it: `operator/ann`."""
        return f"{self.role.word}/{self.name}" if self.name else self.role.word

    def named(self, name: str | None) -> Caller:
        """The same caller under another name, cut to what a log can bear."""
        return Caller(self.role, re.sub(r"[^\w.@ -]", "", name or "")[:64].strip())


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of the roles. `made`: the file of the one that was made because none was given."""

    of: Mapping[Role, str]
    made: Path | None = None

    def __repr__(self) -> str:
        return f"Tokens({', '.join(role.word for role in self.of)})"

    def role(self, given: str) -> Role | None:
        """The role that a token proves; None for a wrong one. Takes as long for a wrong one as for a right one."""
        found = [role for role, token in self.of.items() if _same(token, given)]
        return found[0] if found else None

    @classmethod
    def load(cls, folder: Path, environment: Mapping[str, str] = os.environ) -> Tokens:
        """The tokens that the environment names; where it names none, one for administrators, kept in `folder`.

        Raises ConfigurationError where two roles have the same token.
        """
        given = {role: environment[name] for role, name in VARIABLES.items() if environment.get(name)}
        if len(set(given.values())) < len(given):
            told = ", ".join(VARIABLES[role] for role in given)
            raise ConfigurationError(f"Two roles have the same token ({told})", remedy="Give each a token of its own.")
        for role, token in given.items():
            if len(token) < SHORTEST:
                log.warning("%s is shorter than %d characters: easy to guess.", VARIABLES[role], SHORTEST)
        return cls(given) if given else cls._made(folder / "token")

    @classmethod
    def _made(cls, file: Path) -> Tokens:
        """The token of an earlier start, or a new one, readable by its owner alone."""
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
                new.write(f"{secrets.token_urlsafe(32)}\n")
        except FileExistsError:
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
        token = file.read_text().strip()
        if not token:
            raise ConfigurationError(f"{file} is empty", remedy="Delete it: a new token is made at the next start.")
        return cls({Role.ADMINISTRATOR: token}, file)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
