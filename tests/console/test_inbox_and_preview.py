"""The inbox of unresolved users in `status`, and what `plan` shows before anything is adopted or left out."""

from __future__ import annotations

from connectors.entity import UserRef
from connectors.memory import define, forget
from tests.console.desk import NAME, Desk

CAROL = UserRef("u9", "carol", "Carol@Example.org", "Carol")
TITLES = [{"left": "title", "right": "title"}]


def entity(**more: object) -> dict[str, object]:
    return {"left": "ticket", "right": "ticket", "fields": TITLES, **more}


def test_users_that_nobody_is_on_the_other_side_wait_in_status(desk: Desk) -> None:
    fields = [*TITLES, {"left": "assignee", "right": "assignee"}]
    desk.connector = {"entities": [entity(fields=fields)]}
    desk.write()
    desk.left.users = (*desk.left.users, CAROL)
    define(desk.left)
    for title in ("Boiler leaks", "Valve 7 leaks"):
        desk.make(title, assignee=CAROL)
    desk.make("Roof leaks")
    desk.answer("refresh", NAME, "--local", code=3)
    (told,) = desk.answer("status")["connectors"]
    unknown = {"side": "left", "user": "carol@example.org", "code": "unknown_user", "pairs": 2}
    assert (told["held"], told["unresolved_users"]) == (2, [unknown])
    assert "carol@example.org" in desk.run("status").out
    forget(desk.left.url)


def test_without_such_users_the_inbox_is_empty(desk: Desk) -> None:
    desk.pair()
    assert desk.answer("status")["connectors"][0]["unresolved_users"] == []
    assert "Users to be mapped" not in desk.run("status").out


def test_a_plan_names_what_would_be_adopted_and_by_which_twin(desk: Desk) -> None:
    desk.connector = {"entities": [entity(look_up={"left": "title", "right": "title"})]}
    desk.write()
    left = desk.make("Boiler leaks")
    right = desk.right.add("", "ticket", {"title": "Boiler leaks"}, by=CAROL).ref
    (row,) = desk.answer("plan", NAME)
    assert (row["action"], row["entity"], row["fields"], row["reason"]) == (
        "adopt",
        left.id,
        {"twin": right.id},
        "look_up",
    )
    done = desk.run("plan", NAME)
    assert "1 adopted" in done.out
    assert f"twin {right.id}" in done.out


def test_a_plan_counts_what_the_criteria_leave_out_and_json_names_it(desk: Desk) -> None:
    criteria = {"left": {"native": "title=Boiler leaks"}}, {"left": {"if": {"title": {"equals": "Boiler leaks"}}}}
    for given in criteria:
        desk.connector = {"entities": [entity(criteria=given)]}
        desk.write()
        for title in ("Boiler leaks", "Valve 7 leaks", "Roof leaks"):
            if len(desk.living(desk.left)) < 3:
                desk.make(title)
        rows = desk.answer("plan", NAME)
        assert sorted((row["action"], row["reason"]) for row in rows) == [
            ("create", "new"),
            ("skip", "criteria"),
            ("skip", "criteria"),
        ]
        assert "2 left out (criteria)" in desk.run("plan", NAME).out
