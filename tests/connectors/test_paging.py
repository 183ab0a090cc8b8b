"""Key paging loses nothing, whatever is edited between two pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from connectors.paging import ByModified, Seen

START = datetime(2026, 11, 21, 8, tzinfo=UTC)

# Seconds between neighbours: many share one.
GAPS = st.lists(st.sampled_from([0, 0, 0, 0, 1, 2]), max_size=40)
# Which entities are edited after each page: places in that page, from its end.
EDITS = st.lists(st.lists(st.integers(0, 8), max_size=4), max_size=30)


class Tracker:
    """Entities with a modified time in whole seconds, and a finer one by which the listing is sorted."""

    def __init__(self, gaps: list[int], *, fine: bool) -> None:
        self.clock, self.fine = START, fine
        self.times: dict[int, datetime] = {}
        for number, gap in enumerate(gaps):
            self.clock += timedelta(seconds=gap, microseconds=1)
            self.times[number] = self.clock

    def edit(self, number: int) -> None:
        if number in self.times:
            self.clock += timedelta(seconds=1)
            self.times[number] = self.clock

    def listed(self, since: datetime | None, offset: int, size: int) -> list[tuple[Seen, int]]:
        """As Redmine does it: with fine times, `since` lets in the second before as well."""
        floor = since - timedelta(seconds=1) if since and self.fine else since
        rows = sorted((at if self.fine else second(at), n) for n, at in self.times.items())
        found = [(at, n) for at, n in rows if floor is None or (at > floor if self.fine else at >= floor)]
        return [(Seen((n, at), second(at)), n) for at, n in found[offset : offset + size]]


def second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


@given(gaps=GAPS, edits=EDITS, size=st.integers(2, 7), fine=st.booleans(), back=st.none() | st.integers(0, 60))
def test_every_entity_arrives_as_it_is_in_the_end(
    gaps: list[int], edits: list[list[int]], size: int, fine: bool, back: int | None
) -> None:
    tracker = Tracker(gaps, fine=fine)
    since = None if back is None else second(START + timedelta(seconds=back))
    pages: ByModified[int] = ByModified(since, size)
    edits = list(edits)
    arrived: dict[int, datetime] = {}
    turns = 0
    while not pages.done:
        listed = tracker.listed(pages.since, pages.offset, size)
        at = {row: seen.key for seen, row in listed}
        arrived |= {row: at[row][1] for row in pages.fresh(listed)}  # type: ignore[index]
        for place in edits.pop(0) if edits else ():
            tracker.edit(listed[-1 - place % len(listed)][1] if listed else place)
        turns += 1
        assert turns < 500, "it must come to an end"
    last = tracker.listed(since, 0, 1000)
    # What was edited after the last page is the next refresh's: it is younger than all that arrived.
    young = max(arrived.values(), default=START)
    assert all(row in arrived for seen, row in last if seen.key[1] <= young)  # type: ignore[index]


def test_a_short_first_page_ends_it() -> None:
    pages: ByModified[int] = ByModified(None, 3)
    assert pages.fresh([(Seen(1, START), 1), (Seen(2, START), 2)]) == [1, 2]
    assert pages.done


def test_an_entity_that_moved_away_from_before_the_offset_makes_us_step_back() -> None:
    pages: ByModified[str] = ByModified(START, 2)
    assert pages.fresh([(Seen("a", START), "a"), (Seen("b", START), "b")]) == ["a", "b"]
    assert pages.offset == 1
    # `a` was edited: the list is now b, c, a', and our offset would begin with c.
    assert pages.fresh([(Seen("c", START), "c"), (Seen("a'", START), "a'")]) == []
    assert pages.offset == 0
    assert pages.fresh([(Seen("b", START), "b"), (Seen("c", START), "c")]) == ["c"]
