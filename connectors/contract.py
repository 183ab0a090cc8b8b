"""The contract of a connector: six methods that every system can do, and small optional protocols.

Glossary
    system      one installation of a product, with a URL and credentials
    scope       the project (board, repository …) inside it; "" where a system has none
    entity      a work item, ticket, user … of one `entity_type`
    change      an entity that was created or edited since a moment
    marker      a text of ours, written with a create, by which the created entity can be found again

A connector is *schema + CRUD*: it never plans, merges, maps or decides. The engine asks for optional abilities
with `isinstance(connector, HasComments)`, never by kind. `connectors.conformance` holds a connector to all of this.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.entity import (
    Attachment,
    Comment,
    Edit,
    Entity,
    EntityRef,
    Fields,
    Gone,
    Link,
    Page,
    UserRef,
    Value,
)
from connectors.errors import Forbidden
from connectors.schema import EntitySchema

if TYPE_CHECKING:
    from connectors.rest import Http


class Credentials(BaseModel):
    """Base of a kind's credentials. Fields of type SecretStr are secrets: YAML may only say where they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Basic(Credentials):
    """User name and password."""

    username: str = Field(description="The user name of the account that Syncline works as.")
    password: SecretStr = Field(description="Its password: {env: X}, {file: path}, {block: name} or {secret: name}.")


class ApiKey(Credentials):
    """One key."""

    api_key: SecretStr = Field(description="The API key: {env: X}, {file: path}, {block: name} or {secret: name}.")


class ClientCertificate(BaseModel):
    """A client certificate for mutual TLS, as PEM files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="Path of the certificate (PEM).")
    key: str | None = Field(None, description="Path of its private key (PEM); none if it stands in the same file.")


class SystemConfig(BaseModel):
    """How one system is reached. A kind adds its own keys by subclassing; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(description="The kind of system, or a dotted class of your own (my_file.MyConnector).")
    url: str = Field("", description="Address of the system.")
    proxy: str | None = Field(None, description="Proxy for every request: http://, https:// or socks5://.")
    ca_bundle: str | None = Field(None, description="PEM file of the certificate authorities to trust.")
    client_certificate: ClientCertificate | None = Field(None, description="Certificate we show to the system.")
    timeout: float = Field(30.0, gt=0, description="Seconds that one request may take (YAML: 30s).")
    max_concurrency: int = Field(8, ge=1, description="Requests in flight at the same time, over all connectors.")

    def identity(self) -> str:
        """What tells this system from others: kind and normalised URL. Links and the budget belong to it."""
        parts = urlsplit(self.url)
        place = f"{parts.scheme}://{(parts.netloc.rpartition('@')[2] or '').lower()}{parts.path.rstrip('/')}"
        return f"{self.kind}:{place if parts.netloc else self.url}"


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """What `check` found out. `clock_offset`: the system's clock minus ours, in seconds."""

    product: str
    version: str = ""
    user: UserRef | None = None
    time_zone: str = "UTC"
    clock_offset: float = 0.0
    permissions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a system can and cannot do, as data. The engine plans by it; conformance holds the connector to it.

    timestamp_resolution     smallest step of `modified`; None = no modified time, or one that lies: `changes` lists all
    conditional_writes       `update(expected=…)` is refused by the system itself when stale
    max_page                 most entities in one page
    search_lag               how long a fresh write may be missing from `changes`
    bumps_on_noop            a write that changes nothing moves `modified`
    link_changes_visible     adding a link moves `modified` of both ends
    comment_changes_visible  adding, editing or deleting a comment moves the entity's `modified`
    deletes_visible          a deleted entity shows in `changes`
    writes_per_create        requests that one create costs
    text_format              dialect of rich text: plain, markdown, textile, html, jira, adf
    ids_per_type             ids are unique per type only; False = over all types, so an entity may change its type
    comment_author, comment_time   a new comment can carry the author, the time, of the original
    """

    timestamp_resolution: timedelta | None = timedelta(seconds=1)
    conditional_writes: bool = False
    max_page: int = 100
    search_lag: timedelta = timedelta(0)
    bumps_on_noop: bool = False
    link_changes_visible: bool = True
    comment_changes_visible: bool = True
    deletes_visible: bool = False
    writes_per_create: int = 1
    text_format: str = "plain"
    ids_per_type: bool = True
    comment_author: bool = False
    comment_time: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What `changes` is asked for.

    `since` is inclusive: an entity modified exactly then is included; None = everything.
    `fields`: names of the fields wanted (a hint; more may come); empty = all.
    `native`: a condition in the system's own language (only for connectors that are `Searches`).
    """

    scope: str
    entity_type: str
    since: datetime | None = None
    fields: frozenset[str] = field(default_factory=frozenset)
    native: str | None = None


class Connector(Protocol):
    """The six things every system can do.

    Built as `cls(config, http)`: `config` is an instance of `cls.Config` with secrets resolved, `http` the shared
    seam of `connectors.rest` (a connector that speaks no HTTP ignores it). All methods raise only errors of
    `connectors.errors`.
    """

    kind: ClassVar[str]
    Config: ClassVar[type[SystemConfig]]
    limits: Limits

    def __init__(self, config: Any, http: Http) -> None: ...

    async def check(self) -> SystemInfo:
        """Who we are, what we may. Raises ConfigurationError, AuthenticationError or Unavailable, naming the cause."""

    async def schema(self, scope: str, entity_type: str) -> EntitySchema:
        """The fields of `entity_type` in `scope`. Raises ConfigurationError, naming the nearest known names."""

    def changes(self, query: Query) -> AsyncIterator[Page]:
        """Everything modified at or after `query.since`, oldest change first, in pages.

        Complete although entities are edited meanwhile: an entity edited between two pages may come twice, never not
        at all. Deleted entities need not come.
        """

    async def read(self, refs: Sequence[EntityRef]) -> dict[EntityRef, Entity | Gone | Forbidden]:
        """The entities as they are now, in bulk where the system can. Every ref asked for is a key of the answer."""

    async def create(self, scope: str, entity_type: str, fields: Fields, *, marker: str | None) -> Entity:
        """Create one entity; answers it as the system now holds it. `marker` may be ignored by who cannot store it.

        Raises Rejected(fields) where values are refused. A value that the system silently ignores is *not* an error:
        it shows in the answer.
        """

    async def update(self, entity: Entity, fields: Fields, *, expected: str | None) -> Entity:
        """Write these fields and no others; answers the entity as the system now holds it.

        `entity` is as last read. With `expected` (a version), raises Changed if it is no longer that version.
        Fields that the system itself would move along with this write are sent with their present value.
        """


@runtime_checkable
class FindsMarkers(Protocol):
    """Can find an entity by the marker that its create carried, in a consistent way (not a lagging search)."""

    async def find(self, scope: str, entity_type: str, marker: str) -> EntityRef | None: ...


@runtime_checkable
class Deletes(Protocol):
    """Can delete (or retire) an entity: afterwards `read` answers Gone."""

    async def delete(self, entity: Entity) -> None: ...


@runtime_checkable
class Archives(Protocol):
    """Can put an entity out of sight so that people can bring it back."""

    async def archive(self, entity: Entity) -> None: ...


@runtime_checkable
class HasComments(Protocol):
    """Entities have comments. Every write answers the entity as it stands afterwards (its version moves)."""

    async def comments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Comment, ...]]:
        """All comments of these entities, oldest first, in bulk where the system can.

        An entity that cannot be read any more is left out of the answer.
        """

    async def add_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        """Add a comment. Fields that the system would move along are sent with the value `entity` has."""

    async def edit_comment(self, entity: Entity, comment: Comment) -> tuple[Comment, Entity]:
        """Replace the text of the comment with this id. Raises Rejected where the system cannot."""

    async def delete_comment(self, entity: Entity, comment_id: str) -> Entity: ...


@runtime_checkable
class FeedsComments(Protocol):
    """For systems where an edited comment does not move its entity: the entities whose comments changed."""

    def comment_changes(self, query: Query) -> AsyncIterator[Page]:
        """Entities that have a comment changed at or after `query.since`. At most one request when there is none."""


@runtime_checkable
class HasAttachments(Protocol):
    async def attachments(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Attachment, ...]]: ...

    def open_attachment(self, entity: Entity, attachment: Attachment) -> AsyncIterator[bytes]:
        """The content, in chunks: a large file is never held in memory."""

    async def add_attachment(
        self, entity: Entity, attachment: Attachment, content: AsyncIterator[bytes]
    ) -> tuple[Attachment, Entity]: ...

    async def delete_attachment(self, entity: Entity, attachment_id: str) -> Entity: ...


@runtime_checkable
class HasLinks(Protocol):
    async def link_types(self) -> tuple[str, ...]: ...

    async def links(self, entities: Sequence[Entity]) -> dict[EntityRef, tuple[Link, ...]]: ...

    async def add_link(self, entity: Entity, link_type: str, target: EntityRef) -> Link: ...

    async def delete_link(self, entity: Entity, link: Link) -> None: ...


@runtime_checkable
class HasUsers(Protocol):
    async def find_user(self, text: str) -> Sequence[UserRef]:
        """The active users whose email (case-folded), user name or id is exactly `text`: none, one or several."""


@runtime_checkable
class ListsUsers(Protocol):
    async def users(self, scope: str) -> Sequence[UserRef]:
        """The active users whom a field of an entity in this scope may name, as far as the account may see them."""


@runtime_checkable
class HasHistory(Protocol):
    async def history(self, entity: Entity, since: datetime | None) -> Sequence[Edit]:
        """Edits of fields at or after `since`, oldest first, with who made them."""


@runtime_checkable
class Normalises(Protocol):
    def normalise(self, entity_type: str, field: str, value: Value) -> Value:
        """The value as `read` would show it after it was written: what the system always does to it. Pure."""


@runtime_checkable
class Searches(Protocol):
    """`Query.native` is understood."""

    native_language: ClassVar[str]


@runtime_checkable
class ListsScopes(Protocol):
    async def scopes(self) -> Mapping[str, str]:
        """Scope -> title."""

    async def entity_types(self, scope: str) -> tuple[str, ...]: ...


@runtime_checkable
class Listens(Protocol):
    def events(self) -> AsyncIterator[EntityRef]:
        """Entities that just changed. May block for ever; ends when its task is cancelled."""


@runtime_checkable
class WritesInBulk(Protocol):
    async def create_many(
        self, scope: str, entity_type: str, rows: Sequence[tuple[Fields, str | None]]
    ) -> Sequence[Entity | Exception]: ...


@runtime_checkable
class CountsRequests(Protocol):
    """Tells how many requests it has made. Where a connector does not, its calls are counted."""

    @property
    def requests(self) -> int: ...


@runtime_checkable
class Closes(Protocol):
    async def close(self) -> None: ...
