"""Value tables: which value of one side is which value of the other.

Rule of this file: a table answers what its rows say, or nothing. It never guesses: where several values become one and
no way back is chosen, there is no way back.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property

from connectors.entity import Choice, Ref, RichText, Scalar, Url, UserRef, normal_text
from connectors.schema import FieldType
from mappings.config import Side

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_BOOLEANS = {"true": "true", "yes": "true", "on": "true", "1": "true"} | {
    "false": "false",
    "no": "false",
    "off": "false",
    "0": "false",
}


def text_of(value: Scalar) -> str:
    """The text that stands for a value in a table: a choice's name, a canonical number, `true`/`false`, "" for empty.

    A user is its email (case-folded), else user name, else id: `user_texts` has all that a row may name it by.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return format_number(Decimal(value))
    if isinstance(value, UserRef):
        return user_texts(value)[0]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | RichText):
        return normal_text(str(value))
    return _label(value)


def _label(value: Choice | Ref | Url) -> str:
    return value.name if isinstance(value, Choice) else str(value)


def user_texts(user: UserRef) -> tuple[str, ...]:
    """What an explicit row may name a user by, surest first: email (case-folded), user name, id, displayed name."""
    known = (user.email.casefold() if user.email else None, user.username, user.id, user.name)
    return tuple(dict.fromkeys(text for text in known if text)) or ("",)


def texts_of(value: Scalar) -> tuple[str, ...]:
    """Every text by which a person may name this value."""
    if isinstance(value, UserRef):
        return user_texts(value)
    if isinstance(value, Ref):
        return tuple(dict.fromkeys((text_of(value), value.id)))
    return (text_of(value),)


def number_of(text: str) -> Decimal | None:
    """The number that a text is, None where it is none. Underscores, commas and NaN are no numbers."""
    stripped = text.strip()
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def boolean_of(text: str) -> bool | None:
    """true, yes, on and 1, false, no, off and 0, in any case; None for anything else."""
    word = _BOOLEANS.get(text.strip().casefold())
    return None if word is None else word == "true"


def format_number(number: Decimal) -> str:
    """One text per number: 1, 1.0 and 1.00 are all "1"."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def key_of(text: str, type: FieldType | None) -> str:
    """The text under which a table finds `text`, for a field of this type.

    Numbers meet as numbers and booleans as booleans only where the schema says so: elsewhere `01` is not `1`.
    """
    if type is FieldType.NUMBER:
        number = number_of(text)
        return text if number is None else format_number(number)
    if type is FieldType.BOOLEAN:
        return _BOOLEANS.get(text.strip().casefold(), text)
    if type is FieldType.USER and "@" in text:
        return text.casefold()
    return text


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well a table covers the values that a system offers. `unknown`: values that only the table has."""

    mapped: tuple[str, ...]
    unmapped: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def share(self) -> float:
        """Mapped of offered, 0 to 1; 1 where nothing is offered."""
        offered = len(self.mapped) + len(self.unmapped)
        return len(self.mapped) / offered if offered else 1.0


class ValueTable:
    """A two-way look-up of texts.

    `pairs`: (left, right) as written. `back`: right -> left, the chosen way back where several left values become one
    right value; it may also hold right values of its own (a workbook with other columns for the way back).
    `left_type`, `right_type`: types of the two fields where a schema is known; see `key_of`.
    """

    def __init__(
        self,
        pairs: Iterable[tuple[str, str]],
        back: Mapping[str, str] | None = None,
        *,
        left_type: FieldType | None = None,
        right_type: FieldType | None = None,
    ) -> None:
        self.pairs: Sequence[tuple[str, str]] = tuple(pairs)
        self.back: Mapping[str, str] = dict(back or {})
        self._types = {Side.LEFT: left_type, Side.RIGHT: right_type}
        self._chosen = {self.key(Side.RIGHT, right): left for right, left in self.back.items()}
        self._typed: dict[tuple[FieldType | None, FieldType | None], ValueTable] = {}

    def typed(self, *, left_type: FieldType | None = None, right_type: FieldType | None = None) -> ValueTable:
        """The same rows, for fields of these types. Made once: a table may be large, and every refresh asks for it."""
        types = (left_type, right_type)
        if types not in self._typed:
            self._typed[types] = ValueTable(self.pairs, self.back, left_type=left_type, right_type=right_type)
        return self._typed[types]

    def key(self, side: Side, text: str) -> str:
        return key_of(text, self._types[side])

    @cached_property
    def _found(self) -> Mapping[Side, dict[str, dict[str, str]]]:
        return {side: self._index(side) for side in Side}

    def _index(self, side: Side) -> dict[str, dict[str, str]]:
        """Value of the other side -> the values of `side` that the rows give for it, each once (by key)."""
        index: dict[str, dict[str, str]] = {}
        for left, right in self.pairs:
            here, there = (left, right) if side is Side.LEFT else (right, left)
            index.setdefault(self.key(side.other, there), {}).setdefault(self.key(side, here), here)
        return index

    def to(self, side: Side, text: str) -> str | None:
        """The value of `side` for this text of the other side; None without a row, and where rows contradict.

        "" is a value like others: it may be mapped, and be mapped to.
        """
        key = self.key(side.other, text)
        if side is Side.LEFT and key in self._chosen:
            return self._chosen[key]
        found = self._found[side].get(key, {})
        return next(iter(found.values())) if len(found) == 1 else None

    def find(self, side: Side, value: Scalar) -> str | None:
        """As `to`, for a canonical value of the other side: a user is found by any text that names it."""
        for text in texts_of(value):
            found = self.to(side, text)
            if found is not None:
                return found
        return None

    def values(self, side: Side) -> tuple[str, ...]:
        """The values of a side that the table names, in its order, each once."""
        chosen = self.back.values() if side is Side.LEFT else self.back.keys()
        return self._each(side, [*self.values_of_pairs(side), *chosen])

    def values_of_pairs(self, side: Side) -> tuple[str, ...]:
        """As `values`, without those that only `back` names."""
        return self._each(side, [left if side is Side.LEFT else right for left, right in self.pairs])

    def _each(self, side: Side, texts: Iterable[str]) -> tuple[str, ...]:
        each: dict[str, str] = {}
        for text in texts:
            each.setdefault(self.key(side, text), text)
        return tuple(each.values())

    def lossy(self, side: Side) -> dict[str, tuple[str, ...]]:
        """Values of `side` that several values of the other side become, without a chosen way back: value -> those."""
        shown = {self.key(side, text): text for text in self.values(side)}
        return {
            shown[key]: tuple(others.values())
            for key, others in self._found[side.other].items()
            if len(others) > 1 and not (side is Side.RIGHT and key in self._chosen)
        }

    @property
    def duplicates(self) -> tuple[tuple[str, str], ...]:
        """Pairs that stand in the table more than once."""
        count = Counter((self.key(Side.LEFT, left), self.key(Side.RIGHT, right)) for left, right in self.pairs)
        return tuple(pair for pair, times in count.items() if times > 1)

    @property
    def stray_back(self) -> tuple[str, ...]:
        """Right values of `back` whose way back the rows contradict: value unknown, or not what that left becomes."""
        known = self._found[Side.LEFT]
        return tuple(
            right
            for right, left in self.back.items()
            if self.key(Side.LEFT, left) not in known.get(self.key(Side.RIGHT, right), {})
        )

    def coverage(self, side: Side, offered: Iterable[str]) -> Coverage:
        """How the values that `side` offers are covered: mapped means that they can flow to the other side."""
        offered = tuple(dict.fromkeys(offered))
        mapped = tuple(text for text in offered if self.to(side.other, text) is not None)
        keys = {self.key(side, text) for text in offered} | {""}
        return Coverage(
            mapped=mapped,
            unmapped=tuple(text for text in offered if text not in set(mapped)),
            unknown=tuple(text for text in self.values(side) if self.key(side, text) not in keys),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Changes exactly when an answer of the table can change; the order of rows does not matter."""
        content = json.dumps([sorted(set(self.pairs)), sorted(self.back.items())], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def auto(left: Iterable[str], right: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """A first table: values of equal name, then those that differ only in case where that is unique on both sides."""
    lefts, rights = list(dict.fromkeys(left)), list(dict.fromkeys(right))
    pairs = {text: text for text in lefts if text in set(rights)}
    lefts_by_fold = _unique(text for text in lefts if text not in pairs)
    rights_by_fold = _unique(text for text in rights if text not in pairs)
    pairs |= {text: rights_by_fold[fold] for fold, text in lefts_by_fold.items() if fold in rights_by_fold}
    return tuple((text, pairs[text]) for text in lefts if text in pairs)


def _unique(texts: Iterable[str]) -> dict[str, str]:
    """Case-folded -> text, where no other text folds to the same."""
    folded: dict[str, list[str]] = {}
    for text in texts:
        folded.setdefault(text.strip().casefold(), []).append(text)
    return {fold: same[0] for fold, same in folded.items() if len(same) == 1}
