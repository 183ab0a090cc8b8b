"""What the four stages hand on to each other: batches, pairs, and actions.

fetch   -> Batch     what changed, with counterparts and comments
map     -> [Action]  what should happen, with a reason
filter  -> [Action]  what may happen now; everything dropped is counted with its reason
write                carries the actions out, one by one recorded
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.entity import Comment, Entity, EntityRef, Gone
from connectors.errors import Forbidden
from ledger.model import Cursor, Feed, Link
from mappings.config import Side
from mappings.plan import Create, PairPlan

Found = Entity | Gone | Forbidden | None
"""An entity as read; `Gone` and `Forbidden` as its system said; None where nobody asked."""


@dataclass(slots=True)
class Pair:
    """A linked pair that is looked at. `comments`: those of the sides where they may have changed."""

    link: Link
    left: Found = None
    right: Found = None
    comments: dict[Side, tuple[Comment, ...]] = field(default_factory=dict)
    seen: dict[Side, datetime] = field(default_factory=dict)
    """The system's clock just before each side was read."""
    moved: bool = True
    """False: no mapped value differs from what was agreed; only versions or comments moved."""
    talked: bool = False
    """A comment is known to have changed."""
    whole: bool = False
    """Both sides were read for a comparison of everything (scrub, full, remapped)."""

    def found(self, side: Side) -> Found:
        return self.left if side is Side.LEFT else self.right

    def put(self, side: Side, found: Found, seen: datetime) -> None:
        self.seen[side] = seen
        if side is Side.LEFT:
            self.left = found
        else:
            self.right = found

    def entity(self, side: Side) -> Entity | None:
        found = self.found(side)
        return found if isinstance(found, Entity) else None


@dataclass(slots=True)
class Single:
    """An entity without a twin."""

    side: Side
    entity: Entity
    seen: datetime
    comments: tuple[Comment, ...] = ()


@dataclass(slots=True)
class Batch:
    """What fetch found. `cursors` move when every outcome of the batch is recorded."""

    pairs: list[Pair] = field(default_factory=list)
    singles: list[Single] = field(default_factory=list)
    cursors: list[tuple[Feed, Cursor]] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        return not (self.pairs or self.singles)


@dataclass(slots=True)
class CreateAction:
    """Create the twin of `source` on side `to`."""

    to: Side
    source: Entity
    create: Create
    seen: datetime
    comments: tuple[Comment, ...] = ()
    reason: str = "new"


@dataclass(slots=True)
class AdoptAction:
    """Link two entities that exist: found by the look-up."""

    left: Entity
    right: Entity
    plan: PairPlan
    seen: Mapping[Side, datetime]
    comments: Mapping[Side, tuple[Comment, ...]] = field(default_factory=dict)
    reason: str = "look_up"


@dataclass(slots=True)
class UpdateAction:
    """Carry out the decisions for a linked pair; where there is nothing to write, record what was seen."""

    pair: Pair
    plan: PairPlan
    reason: str = "changed"


@dataclass(slots=True)
class TouchAction:
    """Nothing differs: remember the versions seen, and look at the comments."""

    pair: Pair
    reason: str = "unchanged"


@dataclass(slots=True)
class DeleteAction:
    """The entity on `gone` no longer exists; the policy says what becomes of its twin on the other side."""

    pair: Pair
    gone: Side
    policy: str
    reason: str = "deleted"


@dataclass(slots=True)
class FailAction:
    """Cannot be done as it is: goes to the failure list and waits there."""

    side: Side
    ref: EntityRef
    action: str
    error: str
    url: str | None = None
    link: int | None = None
    reason: str = "failed"


@dataclass(slots=True)
class SkipAction:
    """Not done, on purpose."""

    side: Side
    ref: EntityRef
    reason: str
    url: str | None = None


Action = CreateAction | AdoptAction | UpdateAction | TouchAction | DeleteAction | FailAction | SkipAction
