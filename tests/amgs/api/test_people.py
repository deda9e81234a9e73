"""Members of labs and roles of people over HTTP."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from amgs.accounts.closing import close_account
from amgs.accounts.models import User


@pytest.fixture
def ask(token_of):
    """Ask the API as a person and expect a status."""

    def make(user, method: str, path: str, body=None, expect: int = 200, scope: str = ""):
        scopes = (scope,) if scope else ()
        client = Client(headers={"Authorization": f"Bearer {token_of(user, *scopes)}"})
        text = "" if body is None else json.dumps(body)
        answer = client.generic(method, f"/api/{path}", text, content_type="application/json")
        assert answer.status_code == expect, answer.content.decode()
        return answer.json() if answer.content else None

    return make


def test_heads_let_people_in_and_go(ask, petra, rita, bob):
    lab = ask(petra, "POST", "labs", {"name": "Ridge"}, 201)["id"]
    members = f"labs/{lab}/members"
    ask(petra, "POST", members, {"email": rita.email}, 201)
    rows = ask(rita, "GET", members)["results"]
    assert {row["name"]: row["is_head"] for row in rows} == {petra.name: True, rita.name: False}
    ask(bob, "GET", members, expect=404)
    ask(rita, "PATCH", f"{members}/{rita.public_id}", {"is_head": True}, 403)
    ask(petra, "DELETE", f"{members}/{petra.public_id}", expect=400)
    made = ask(petra, "PATCH", f"{members}/{rita.public_id}", {"is_head": True})
    assert made == {"id": rita.public_id, "name": rita.name, "is_head": True}
    ask(petra, "DELETE", f"{members}/{petra.public_id}", expect=204)
    ask(rita, "DELETE", f"{members}/{petra.public_id}", expect=404)
    assert [row["id"] for row in ask(rita, "GET", members)["results"]] == [rita.public_id]


def test_maintainers_let_people_into_a_lab_that_nobody_belongs_to(ask, petra, rita, mia):
    lab = ask(petra, "POST", "labs", {"name": "Ridge"}, 201)["id"]
    close_account(user=petra, by=petra)
    members = f"labs/{lab}/members"
    ask(rita, "POST", members, {"email": rita.email}, 404)
    ask(mia, "POST", members, {"email": rita.email}, 201)
    ask(mia, "PATCH", f"{members}/{rita.public_id}", {"is_head": True})
    assert [row["id"] for row in ask(rita, "GET", members)["results"]] == [rita.public_id]


def test_maintainers_give_and_take_roles(ask, petra, rita, mia):
    found = ask(mia, "GET", f"people?q={petra.email}")["results"]
    assert [(row["id"], row["email"], row["roles"]) for row in found] == [
        (petra.public_id, petra.email, [])
    ]
    roles = f"people/{petra.public_id}/roles"
    assert ask(mia, "POST", roles, {"role": "rater"})["roles"] == ["rater"]
    assert ask(mia, "POST", roles, {"role": "rater"})["roles"] == ["rater"]
    assert User.objects.get(pk=petra.pk).roles == {"rater"}
    assert ask(mia, "POST", roles, {"role": "contributor"}, 400)["field"] == "role"
    ask(mia, "DELETE", f"{roles}/rater", expect=204)
    ask(mia, "DELETE", f"{roles}/rater", expect=404)
    ask(mia, "DELETE", f"people/{mia.public_id}/roles/maintainer", expect=400)
    ask(mia, "POST", "people/nobody/roles", {"role": "rater"}, 404)
    ask(rita, "GET", "people", expect=403)
    ask(mia, "POST", roles, {"role": "rater"}, 403, scope="read")
    ask(mia, "GET", "people", expect=403, scope="read")
