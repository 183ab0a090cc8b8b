"""The systems of a configuration: held to the model of their kind, and their secrets found when they are needed.

Rule of this file: a secret never stands in a configuration, and never passes through a finding. YAML says where it is:
`{env: NAME}`, `{file: path}`, `{block: name}` or `{secret: name}`. Any other key may be given in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from mappings.config import System, seconds
from mappings.document import Document
from mappings.explain import explain
from mappings.findings import ConfigurationErrors, Where, nearest
from mappings.shape import inside, is_secret, keys, model_for, takes

REFERENCES = ("env", "file", "block", "secret")
Secrets = Callable[[dict[str, str]], str]
"""`{env: X}`, `{file: absolute path}`, … -> the secret. Raises LookupError (in words) or OSError."""

_PATHS = {("ca_bundle",), ("client_certificate", "file"), ("client_certificate", "key")}
_SECRET_WORDS = ("password", "token", "api_key", "secret", "private_key", "passphrase")
_STAND_IN = "secret"


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """A system as configured. `model` is that of its kind; None where nobody told `load` the kinds."""

    name: str
    system: System
    folder: Path
    group: str
    model: type[BaseModel] | None
    document: Document = field(compare=False, repr=False)

    @property
    def where(self) -> Where:
        return ("systems", self.name)

    @property
    def file(self) -> Path:
        return self.document.file


def check_system(document: Document, name: str, data: dict[str, Any], model: type[BaseModel] | None) -> None:
    """Add findings for a system as written: secrets in plain sight, and whatever the model of its kind refuses."""
    at: Where = ("systems", name)
    reader = _Reader(document, at, resolve=None)
    readable = reader.read(model or System, data, ())
    if model is None:
        return
    try:
        model.model_validate(readable)
    except ValidationError as error:
        explain(document, error, readable, at, skip=reader.places)


def resolve_system(entry: SystemEntry, secrets: Secrets | None = None) -> Any:
    """The configuration of a system, secrets resolved and paths absolute: an instance of its kind's model.

    Raises ConfigurationErrors naming every reference that leads nowhere.
    """
    if entry.model is None:
        raise ValueError(f"system {entry.name!r} was loaded without the models of the kinds")
    found = Document(entry.file, lines=entry.document.lines, models=entry.document.models)
    reader = _Reader(found, entry.where, resolve=secrets or read_secret)
    data = reader.read(entry.model, entry.system.model_dump(), ())
    if not found.broken:
        try:
            return entry.model.model_validate(data)
        except ValidationError as error:
            explain(found, error, data, entry.where)
    raise ConfigurationErrors(found.findings)


def read_secret(reference: dict[str, str]) -> str:
    """A secret from the environment or from a file (without its last line end). LookupError for the others."""
    ((kind, name),) = reference.items()
    if kind == "env":
        if name not in os.environ:
            raise LookupError(f"the environment variable {name} is not set")
        return os.environ[name]
    if kind == "file":
        return Path(name).read_text("utf-8").rstrip("\r\n")
    raise LookupError(f"a {kind} can only be read where Prefect is")


@dataclass(slots=True)
class _Reader:
    """Reads a system as written for its model: references replaced, paths absolute, durations in seconds.

    Without `resolve`, a stand-in takes the place of every reference; `places` has where. What is wrong is added to the
    findings of `document`.
    """

    document: Document
    at: Where
    resolve: Secrets | None
    places: set[Where] = field(default_factory=set)

    def read(self, annotation: Any, data: Any, where: Where) -> Any:
        if isinstance(data, dict):
            return self._mapping(annotation, data, where)
        if isinstance(data, list) and not is_secret(annotation):
            item = inside(annotation)[1]
            return [self.read(item, member, (*where, i)) for i, member in enumerate(data)]
        return self._scalar(annotation, data, where)

    def _mapping(self, annotation: Any, data: dict[str, Any], where: Where) -> Any:
        model = model_for(annotation, data)
        if model is not None:
            fields = keys(model)
            return {
                key: self.read(fields[key].annotation if key in fields else Any, value, (*where, key))
                for key, value in data.items()
            }
        if len(data) == 1 and next(iter(data)) in REFERENCES:
            return self._reference({key: str(value) for key, value in data.items()}, where)
        if is_secret(annotation):
            words = nearest(next(iter(data), ""), REFERENCES, "Write one of")
            self._complain(where, "bad_reference", "this does not say where the secret is", words)
            return self._stand_in(where)
        item = inside(annotation)[1]
        return {key: self.read(item, value, (*where, key)) for key, value in data.items()}

    def _reference(self, reference: dict[str, str], where: Where) -> str:
        if self.resolve is None:
            return self._stand_in(where)
        if "file" in reference:
            reference = {"file": self._absolute(reference["file"])}
        try:
            return self.resolve(reference)
        except (LookupError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.args[0] if error.args else "not found"
            place = ": ".join(*reference.items())
            self._complain(where, "unresolved_reference", f"nothing can be read from {{{place}}}: {reason}")
            return self._stand_in(where)

    def _scalar(self, annotation: Any, data: Any, where: Where) -> Any:
        if data is None:
            return None
        secret_by_name = takes(annotation, Any) and str(where[-1]).lower() in _SECRET_WORDS
        if is_secret(annotation) or secret_by_name:
            self._complain(where, "plain_secret", f"{where[-1]} stands in the configuration itself")
            return self._stand_in(where)
        if not isinstance(data, str):
            return data
        if _has_password(data):
            self._complain(where, "plain_secret", f"{where[-1]} contains a password", _NOT_IN_URL)
            return self._stand_in(where)
        if where in _PATHS or takes(annotation, Path):
            return self._absolute(data)
        return seconds(data) if takes(annotation, float) and not takes(annotation, str) else data

    def _absolute(self, path: str) -> str:
        return str(self.document.file.parent / Path(path).expanduser())

    def _stand_in(self, where: Where) -> str:
        self.places.add((*self.at, *where))
        return _STAND_IN

    def _complain(self, where: Where, code: str, problem: str, remedy: str = "") -> None:
        self.document.add((*self.at, *where), code, problem, remedy)


_NOT_IN_URL = "Take it out and use `credentials:`, or give the whole address as {env: NAME}."


def _has_password(text: str) -> bool:
    try:
        return "://" in text and bool(urlsplit(text).password)
    except ValueError:
        return False
