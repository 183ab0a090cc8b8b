"""What goes wrong, in Egeria's form: an exception inside an answer whose transport status is 200.

Rule of this file: where Egeria has a message for it, the id, the parameters and the exception are Egeria's (recorded
answers of 5.3 hold them); the words are our own, and say what to do.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from connectors.errors import AuthenticationError, ConnectorError, DirectionNotPermitted, Forbidden, Unavailable
from console.problems import Refused, problem_of
from mappings.findings import ConfigurationErrors

log = logging.getLogger("syncline.console")

_FFDC = "org.odpi.openmetadata.frameworks.openmetadata.ffdc"
INVALID = f"{_FFDC}.InvalidParameterException"
NOT_AUTHORIZED = f"{_FFDC}.UserNotAuthorizedException"
SERVER = f"{_FFDC}.PropertyServerException"

Json = dict[str, Any]


@dataclass(slots=True)
class Told(Exception):
    """An error as Egeria tells it. `parameter`: the name of what was wrong in the request."""

    code: int
    kind: str
    id: str
    text: str
    parameters: tuple[str, ...]
    system_action: str
    user_action: str
    parameter: str | None = None
    properties: Json | None = None
    transport: int = 200

    def __str__(self) -> str:
        return f"{self.id} {self.text}"

    def as_json(self, action: str) -> Json:
        """The exception fields of an answer."""
        named = {"parameterName": self.parameter} if self.parameter else {}
        return {
            "relatedHTTPCode": self.code,
            "exceptionClassName": self.kind,
            "actionDescription": action,
            "exceptionErrorMessage": str(self),
            "exceptionErrorMessageId": self.id,
            "exceptionErrorMessageParameters": list(self.parameters),
            "exceptionSystemAction": self.system_action,
            "exceptionUserAction": self.user_action,
            "exceptionProperties": {**(self.properties or {}), **named},
        }


def server_not_available(server: str, user: str) -> Told:
    """There is no such server here, or it is stopped."""
    return Told(
        404, INVALID, "OMAG-MULTI-TENANT-404-001",
        f"The OMAG Server {server} is not available to service a request from user {user}", (server, user),
        "Nothing was done: no server of this name is running here.",
        "Use the name that `syncline start --server-name` gave, or start the server, then send the request again.",
        "serverName", {"serverName": server},
    )  # fmt: skip


def unknown_connector(name: str, server: str, near: str) -> Told:
    return Told(
        400, INVALID, "INTEGRATION-DAEMON-SERVICES-400-031",
        f"Integration connector named {name} is not running in the integration daemon {server}", (name, server),
        "Nothing was done: the integration connector is not known to the integration daemon.",
        f"{near} `GET …/integration-daemon/…/status` lists all of them.", "connectorName",
    )  # fmt: skip


def unknown_service(marker: str, server: str, near: str) -> Told:
    return Told(
        400, INVALID, "INTEGRATION-DAEMON-SERVICES-400-030",
        f"Integration service with URL marker {marker} is not registered in the integration daemon {server}",
        (marker, server),
        "Nothing was done: no connector of this daemon belongs to that integration service.",
        f"{near} `GET …/registered-services/integration-services` lists all of them.", "serviceURLMarker",
    )  # fmt: skip


def unknown_group(name: str, server: str, near: str) -> Told:
    return Told(
        400, INVALID, "INTEGRATION-DAEMON-SERVICES-400-034",
        f"Integration group named {name} is not running in the integration daemon {server}", (name, server),
        "Nothing was done: the integration group is not known to the integration daemon.",
        f"{near} `GET …/integration-groups/summary` lists all of them.", "integrationGroupName",
    )  # fmt: skip


def user_not_known(user: str, remedy: str) -> Told:
    """No token, or a wrong one: the one case in which the transport tells it too."""
    return Told(
        401, NOT_AUTHORIZED, "OPEN-METADATA-SECURITY-401-001", f"User {user} is not recognized", (user,),
        "Nothing was done: the request does not prove who sends it.", remedy, transport=401,
    )  # fmt: skip


def not_authorized(user: str, action: str, needed: str) -> Told:
    return Told(
        403, NOT_AUTHORIZED, "OPEN-METADATA-SECURITY-403-001", f"User {user} is not authorized to issue {action}",
        (user, action), "Nothing was done, and the refusal is in the audit log.",
        f"Send the token of an {needed}, or ask one.",
    )  # fmt: skip


def invalid(parameter: str, problem: str, remedy: str) -> Told:
    """Something in the request cannot be used."""
    return Told(
        400, INVALID, "SYNCLINE-400-001", f"{parameter}: {problem.rstrip('.')}", (parameter,),
        "Nothing was changed.", remedy, parameter,
    )  # fmt: skip


def refused(errors: ConfigurationErrors, place: str) -> Told:
    """A configuration with errors; all of them are told. `place`: the path of the first one, as the caller knows it."""
    told = "; ".join(f"{f.path}: {f.problem.rstrip('.')}. {f.remedy}" for f in errors.findings)
    return Told(
        400, INVALID, "SYNCLINE-400-002", f"The configuration would have errors: {told}", (place,),
        "Nothing was changed: the last good configuration is in force.", "Mend what is named, and send it again.",
        place, {"findings": [finding.as_json() for finding in errors.findings]},
    )  # fmt: skip


def of_error(error: Exception) -> Told:
    """Any other error, as Egeria would class it."""
    problem = problem_of(error, "")
    if isinstance(error, Refused) or not isinstance(error, ConnectorError):
        if problem.status == 500:
            log.error("A request on Egeria's paths failed", exc_info=error)
        kind = INVALID if problem.status < 500 else SERVER
    else:
        unable = isinstance(error, Unavailable | AuthenticationError | Forbidden)
        kind = NOT_AUTHORIZED if isinstance(error, DirectionNotPermitted) else SERVER if unable else INVALID
    code = 403 if kind == NOT_AUTHORIZED else problem.status
    return Told(
        code, kind, f"SYNCLINE-{code}-000", problem.what, (), "The request was not carried out.", problem.remedy
    )
