"""The error tree, by what the caller should do.

    ConnectorError
    ├── ConfigurationError        mend the configuration; do not retry
    ├── AuthenticationError       mend the credentials; do not retry
    ├── Unavailable               wait (`retry_after` seconds), then retry
    ├── DirectionNotPermitted     never retry: permitted synchronization refuses the write
    └── EntityError               this entity alone is affected; its neighbours go on
        ├── NotFound              it does not exist (any more)
        ├── Changed               read again, merge again: somebody was faster
        ├── Rejected              these values are not accepted (`fields`: name -> why)
        └── Forbidden             we may not see or touch this entity

No message, repr or cause of an error ever carries a secret.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.entity import EntityRef


class ConnectorError(Exception):
    """`remedy` says what a person can do about it; `system` names the system as configured."""

    remedy: str = ""

    def __init__(self, message: str, *, remedy: str = "", system: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or type(self).remedy
        self.system = system

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class ConfigurationError(ConnectorError):
    """Something that a person configured does not fit the system: name, project, type, field, TLS, version."""

    remedy = "Mend the configuration."


class AuthenticationError(ConnectorError):
    """The system does not accept who we say we are."""

    remedy = "Mend the credentials of this system."


class Unavailable(ConnectorError):
    """The system cannot be reached or is overloaded. `retry_after` in seconds, None where it did not say.

    `sent` is False where it is certain that the request never reached the system.
    """

    remedy = "It is tried again by itself."

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        sent: bool = True,
        remedy: str = "",
        system: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy, system=system)
        self.retry_after = retry_after
        self.sent = sent


class DirectionNotPermitted(ConnectorError):
    """A write in a direction that permitted synchronization does not allow (SPEC A6)."""

    remedy = "Change permitted_synchronization if this direction is wanted."


class EntityError(ConnectorError):
    """Concerns one entity; the others go on."""

    def __init__(self, message: str, *, ref: EntityRef | None = None, remedy: str = "", system: str = "") -> None:
        super().__init__(message, remedy=remedy, system=system)
        self.ref = ref


class NotFound(EntityError):
    """It does not exist, or no longer."""


class Changed(EntityError):
    """It is not the version that the caller expected. Nothing was written."""


class Rejected(EntityError):
    """The system refuses values. `fields`: field name -> the system's own words; empty where it names none."""

    remedy = "Mend the value, or the mapping of this field."

    def __init__(
        self,
        message: str,
        *,
        fields: Mapping[str, str] | None = None,
        ref: EntityRef | None = None,
        remedy: str = "",
        system: str = "",
    ) -> None:
        super().__init__(message, ref=ref, remedy=remedy, system=system)
        self.fields = dict(fields or {})


class Forbidden(EntityError):
    """We may not see or write this entity. It may well exist: never to be taken for deleted."""

    remedy = "Give the account of this system the permission."
