"""Reading the pydantic models: what may stand at a place of a document.

Rule of this file: an annotation is looked at, never guessed. A place takes one model, or a mapping, a list, a text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from mappings.config import Text

EGERIA_NAMES = {
    "connectorName": "name",
    "catalogTargetName": "name",
    "refreshTimeInterval": "refresh_interval",
    "integrationServiceURLMarker": "service",
    "serviceURLMarker": "service",
    "configurationProperties": "properties",
}
"""Egeria's names for keys of ours that are not the same word in camelCase."""


def arms(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of an annotation, None left out. A text of a value table (`Text`) stays whole."""
    if annotation == Text:
        return (annotation,)
    if get_origin(annotation) is Annotated:
        return arms(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(arm for part in get_args(annotation) for arm in arms(part))
    return () if annotation in (None, NoneType) else (annotation,)


def models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models among the alternatives."""
    return tuple(arm for arm in arms(annotation) if isinstance(arm, type) and issubclass(arm, BaseModel))


def model_for(annotation: Any, keys: Collection[str]) -> type[BaseModel] | None:
    """The model that a mapping with these keys is meant to be: the one that knows most of them."""
    found = models(annotation)
    return max(found, key=lambda model: sum(key_of(model, key) is not None for key in keys), default=None)


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Key as written -> field."""
    return {_written(name, field): field for name, field in model.model_fields.items()}


def _written(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else alias if isinstance(alias, str) else name


def key_of(model: type[BaseModel], key: str) -> str | None:
    """The model's own spelling of a key: as it is, or Egeria's, or camelCase; None where it knows no such key."""
    known = keys(model)
    for spelling in (key, EGERIA_NAMES.get(key, ""), re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()):
        if spelling in known:
            return spelling
    return None


def inside(annotation: Any) -> tuple[Any, Any]:
    """(annotation of keys, annotation of values) of a mapping or list; Any where nothing is said."""
    for arm in arms(annotation):
        match get_origin(arm), get_args(arm):
            case origin, (key, value) if origin is dict:
                return key, value
            case origin, (item, *_) if origin in (list, tuple, set, frozenset):
                return Any, item
    return Any, Any


def takes(annotation: Any, *types: Any) -> bool:
    """Whether one of the types is among the alternatives."""
    return any(arm in types for arm in arms(annotation))


def takes_text_only(annotation: Any) -> bool:
    """Whether a scalar here can only be meant as text: words and texts are, numbers, booleans and Any are not."""
    found = arms(annotation)
    return bool(found) and all(arm is str or arm == Text or get_origin(arm) is Literal for arm in found)


def is_secret(annotation: Any) -> bool:
    return takes(annotation, SecretStr)
