"""Target look-up: is there a twin already, before one is created? (SPEC B13, DESIGN.md rule 8)

Rule of this file: it looks over the target *and* the batch's own unlinked entities, so that two entities made by hand
on both sides are paired, each at most once. A twin that other connectors' links lead to is always adopted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from connectors.contract import Query
from connectors.entity import Entity, EntityRef, empty, members
from flows.actions import Action, FailAction, Single, SkipAction
from flows.fetch import matches, read
from flows.job import End, Job
from mappings.config import LookUp, Side
from mappings.plan import Rules
from mappings.values import text_of

MOST_HOPS = 8
"""How many connectors a chain of links is followed through."""

Twins = tuple[Single, Single]
"""A pair that belongs together: (left, right)."""


async def find_twins(job: Job, rules: Rules, singles: Sequence[Single]) -> tuple[list[Single], list[Action | Twins]]:
    """Split what is new into entities that need a twin created, and twins (or refusals) that the look-up found."""
    found: list[Action | Twins] = []
    taken: set[tuple[Side, EntityRef]] = set()
    for twins in await _through_others(job, singles):
        found.append(twins)
        taken |= {(single.side, single.entity.ref) for single in twins}
    look_up = rules.config.look_up
    if look_up is not None and look_up.left is not None and look_up.right is not None:
        found += await _LookUp(job, look_up, singles, taken).run(rules)
    return [s for s in singles if (s.side, s.entity.ref) not in taken], found


class _LookUp:
    """One run of a look-up over the singles of a batch. What it settles goes into `taken`."""

    def __init__(self, job: Job, policy: LookUp, singles: Sequence[Single], taken: set[tuple[Side, EntityRef]]) -> None:
        self.job, self.policy, self.singles, self.taken = job, policy, singles, taken
        self.names = {Side.LEFT: policy.left or "", Side.RIGHT: policy.right or ""}
        self.crowd = Counter((s.side, _key(s.entity, self.names[s.side])) for s in singles)

    async def run(self, rules: Rules) -> list[Action | Twins]:
        found: list[Action | Twins] = []
        for single in self.singles:
            if (single.side, single.entity.ref) in self.taken or not matches(rules, single.side, single.entity):
                continue
            twins = await self.twins(single)
            policy = self.answer(single, twins)
            if policy == "create":
                continue
            self.taken.add((single.side, single.entity.ref))
            found.append(self.pair(single, twins[0]) if policy == "adopt" else _refused(single, policy, len(twins)))
        return found

    async def twins(self, single: Single) -> list[Entity]:
        key, to = _key(single.entity, self.names[single.side]), single.side.other
        index = await _index(self.job, to, self.names[to]) if key else {}
        return [twin for twin in index.get(key, []) if (to, twin.ref) not in self.taken]

    def answer(self, single: Single, twins: Sequence[Entity]) -> str:
        if not twins:
            return self.policy.none
        # One twin wanted by several is as unclear as several twins for one.
        several = len(twins) > 1 or self.crowd[single.side, _key(single.entity, self.names[single.side])] > 1
        return self.policy.many if several else self.policy.one

    def pair(self, single: Single, twin: Entity) -> Twins:
        to = single.side.other
        other = next(
            (s for s in self.singles if s.side is to and s.entity.ref == twin.ref),
            Single(to, twin, self.job.ends[to].clock()),
        )
        self.taken.add((to, twin.ref))
        return (single, other) if single.side is Side.LEFT else (other, single)


def _refused(single: Single, policy: str, count: int) -> Action:
    entity = single.entity
    if policy == "skip":
        word = "no_twin" if not count else "one_twin" if count == 1 else "many_twins"
        return SkipAction(single.side, entity.ref, word, entity.url)
    told = f"the look-up found {count or 'no'} twin{'' if count == 1 else 's'}, and the policy for that says fail"
    return FailAction(single.side, entity.ref, "look_up", told, entity.url)


def _key(entity: Entity, name: str) -> str:
    value = entity.fields.get(name)
    return "" if empty(value) else "\n".join(sorted(text_of(member) for member in members(value)))


async def _index(job: Job, side: Side, name: str) -> dict[str, list[Entity]]:
    """The unlinked entities of a side by their look-up value, oldest first; read once per refresh."""
    if side not in job.look_ups:
        end, index = job.ends[side], defaultdict(list)
        async for page in end.connector.changes(Query(end.scope, end.type)):
            linked = job.ledger.links_of(job.name, side, [end.ident(entity.ref) for entity in page.entities])
            for entity in page.entities:
                if end.ident(entity.ref) not in linked:
                    index[_key(entity, name)].append(entity)
        for twins in index.values():
            twins.sort(key=lambda e: (e.created.isoformat() if e.created else "", len(e.ref.id), e.ref.id))
        job.look_ups[side] = dict(index)
    return job.look_ups[side]


async def _through_others(job: Job, singles: Sequence[Single]) -> list[Twins]:
    """Pairs that the links of other connectors already make: A -> B -> C leads back to A."""
    pairs: list[Twins] = []
    for side, end in job.ends.items():
        other = job.ends[side.other]
        for single in _linked_by_others(job, end, [s for s in singles if s.side is side]):
            if any(single in pair for pair in pairs):
                continue
            for ref in _reachable(job, end, single.entity.ref, other):
                twin = (await read(other, [ref])).get(ref)
                if isinstance(twin, Entity) and (twin.ref.type, twin.ref.scope) == (other.type, other.scope):
                    known = next((s for s in singles if s.side is other.side and s.entity.ref == ref), None)
                    pair = (single, known or Single(other.side, twin, other.clock()))
                    pairs.append(pair if side is Side.LEFT else pair[::-1])
                    break
    return pairs


def _linked_by_others(job: Job, end: End, singles: Sequence[Single]) -> list[Single]:
    """Those that other connectors have linked. Mostly there are none, and one question for all of them tells."""
    links = job.ledger.linked_elsewhere(end.identity, [end.ident(s.entity.ref) for s in singles], connector=job.name)
    known = {(e.system, e.ident) for link in links for e in (link.left, link.right)}
    return [single for single in singles if (end.identity, end.ident(single.entity.ref)) in known]


def _reachable(job: Job, end: End, ref: EntityRef, other: End) -> list[EntityRef]:
    """Entities of `other`'s system that a chain of other connectors' links leads to, and that we have not linked."""
    seen = {(end.identity, end.ident(ref))}
    edge, found = set(seen), []
    for _ in range(MOST_HOPS):
        links = [
            link for system, ident in edge for link in job.ledger.linked_elsewhere(system, [ident], connector=job.name)
        ]
        ends = {(e.system, e.ident): e.ref for link in links for e in (link.left, link.right)}
        edge = set(ends) - seen
        seen |= edge
        found += [ends[place] for place in edge if place[0] == other.identity]
        if not edge:
            break
    linked = job.ledger.links_of(job.name, other.side, [other.ident(r) for r in found])
    return [r for r in found if other.ident(r) not in linked]
