"""YAML text -> plain data, with the line of every key.

Rule of this file: YAML never decides what a text means. A plain scalar becomes a boolean or a whole number only where
that gives back the very text as written (`true`, `5`); `No`, `01`, `12:30`, `1.0`, `2026-11-21` stay text, and so do
all keys. Value tables are text altogether. The models convert the rest. (YAML 1.2; the traps of 1.1 cannot bite.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mappings.config import Text
from mappings.findings import CODES, Finding, Severity, Where, file_text, path_text
from mappings.shape import inside, key_of, keys, model_for, takes_text_only

MAX_NODES = 500_000
"""More places than any configuration has: aliases of aliases could make them without end."""

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_CORE_TAGS = ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "merge", "value")

Refine = Callable[[type[BaseModel], dict[str, str], Where], type[BaseModel]]
"""Asked for every mapping: may put a more exact model for its texts (a system's kind) in the place of the general."""


@dataclass(slots=True)
class Document:
    """One YAML file. `data` has the keys in the spelling of the models; `lines` their lines, from 1."""

    file: Path
    data: Any = None
    lines: dict[Where, int] = field(default_factory=dict)
    models: dict[Where, type[BaseModel]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, where: Where) -> int:
        """The line of a place, or of the nearest place above it that stands in the file."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def line_of_text(self, path: str) -> int:
        """As `line`, for a path as findings show it (`connectors[0].left`)."""
        lines = {path_text(where): line for where, line in self.lines.items()}
        while path and path not in lines:
            path = re.sub(r"(\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", path)
        return lines.get(path, 1)

    def add(
        self, where: Where, code: str, problem: str, remedy: str = "", *, severity: Severity = "error", line: int = 0
    ) -> None:
        """A finding at a place of this file. `remedy`: empty = the code's general one."""
        self.findings.append(self.finding(where, code, problem, remedy, severity=severity, line=line))

    def finding(
        self, where: Where, code: str, problem: str, remedy: str = "", *, severity: Severity = "error", line: int = 0
    ) -> Finding:
        line = line or self.line(where)
        return Finding(file_text(self.file), line, path_text(where), severity, code, problem, remedy or CODES[code])

    @property
    def broken(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


def read(file: Path, text: str, model: type[BaseModel], refine: Refine | None = None) -> Document:
    """The document in `text`, read for `model`. What is wrong with the YAML itself is in its findings."""
    document = Document(file)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = error.problem if isinstance(error, MarkedYAMLError) and error.problem else "this is not YAML"
        document.add((), "yaml_syntax", str(problem), line=mark.line + 1 if mark else 1)
        return document
    if node is not None:
        document.data = _Builder(document, refine).build(node, model, ())
    return document


class _Builder:
    def __init__(self, document: Document, refine: Refine | None) -> None:
        self._document = document
        self._refine = refine
        self._open: list[int] = []
        self._left = MAX_NODES

    def build(self, node: Node, annotation: Any, where: Where) -> Any:
        """The data of a node, read for `annotation`."""
        self._left -= 1
        if id(node) in self._open or self._left < 0:
            self._complain(where, "an alias contains itself or is repeated without end", node)
            return None
        self._document.lines.setdefault(where, _line(node))
        self._check_tag(node, where)
        self._open.append(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, annotation, where)
            if isinstance(node, SequenceNode):
                item = inside(annotation)[1]
                return [self.build(child, item, (*where, i)) for i, child in enumerate(node.value)]
            return _scalar(node, annotation)  # type: ignore[arg-type]  # the third and last kind of node
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, annotation: Any, where: Where) -> dict[str, Any]:
        pairs = list(self._pairs(node, where))
        model = self._model(annotation, pairs, where)
        value_annotation = inside(annotation)[1]
        data: dict[str, Any] = {}
        for key_node, key, value_node in pairs:
            known = key_of(model, key) if model else None
            name = known or key
            place = (*where, name)
            if name in data:
                first = self._document.lines[place]
                self._document.add(
                    place, "duplicate_key", f"{key!r} stands here twice, first in line {first}", line=_line(key_node)
                )
                continue
            self._document.lines[place] = _line(key_node)
            kind = keys(model)[known].annotation if model and known else Any if model else value_annotation
            data[name] = self.build(value_node, kind, place)
        return data

    def _model(self, annotation: Any, pairs: list[tuple[Node, str, Node]], where: Where) -> type[BaseModel] | None:
        model = model_for(annotation, [key for _, key, _ in pairs])
        if model is None:
            return None
        if self._refine is not None:
            texts = {key: value.value for _, key, value in pairs if isinstance(value, ScalarNode)}
            model = self._refine(model, texts, where)
        self._document.models[where] = model
        return model

    def _pairs(self, node: MappingNode, where: Where) -> Iterator[tuple[Node, str, Node]]:
        """Key node, key, value node; then those of `<<: *alias` that the mapping does not have itself."""
        own = {key.value for key, _ in node.value if isinstance(key, ScalarNode)}
        merged: list[MappingNode] = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._complain(where, "a key is a text", key)
            elif key.style is None and key.value == "<<":
                merged += self._merged(value, where)
            else:
                yield key, key.value, value
        for source in merged:
            if id(source) in self._open:
                self._complain(where, "an alias contains itself", source)
                continue
            for key_node, key, value in self._pairs(source, where):
                if key not in own:
                    own.add(key)
                    yield key_node, key, value

    def _merged(self, value: Node, where: Where) -> list[MappingNode]:
        sources = value.value if isinstance(value, SequenceNode) else [value]
        if not all(isinstance(source, MappingNode) for source in sources):
            self._complain(where, "<< takes a mapping or a list of mappings", value)
        return [source for source in sources if isinstance(source, MappingNode)]

    def _check_tag(self, node: Node, where: Where) -> None:
        prefix, _, name = str(node.tag or "").rpartition(":")
        if node.tag and not (prefix == "tag:yaml.org,2002" and name in _CORE_TAGS):
            self._complain(where, f"the tag {node.tag} means nothing here", node)

    def _complain(self, where: Where, problem: str, node: Node) -> None:
        self._document.add(where, "yaml_syntax", problem, line=_line(node))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _scalar(node: ScalarNode, annotation: Any) -> Any:
    text: str = node.value
    if annotation == Text or node.style is not None or str(node.tag).endswith(":str"):
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if takes_text_only(annotation):
        return text
    if text in ("true", "false"):
        return text == "true"
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else text
