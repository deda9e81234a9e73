"""Calls for data: opened by hand, shown where data are contributed, raising matching frames."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from amgs.core.errors import Conflict, NotAllowed, Refused
from amgs.review.calls import close_call, is_called, open_call, open_calls
from models.scale import load_scale

COAT = load_scale().coat_keys[1]


def test_a_call_stands_where_data_are_contributed_until_it_is_closed(client, cora, alice):
    call = open_call(by=cora, reason="Mice in infrared light are wanted.", coat=COAT)
    client.force_login(alice)
    for address in ("/datasets/", "/datasets/new"):
        assert "Mice in infrared light are wanted." in client.get(address).content.decode()
    client.force_login(cora)
    assert "Mice in infrared" in client.get("/review/").content.decode()
    close_call(by=cora, call=call, why="Enough came.")
    assert not open_calls()
    assert "infrared" not in client.get("/datasets/").content.decode()
    with pytest.raises(Conflict, match="before you"):
        close_call(by=cora, call=call, why="Enough came.")


def test_the_inbox_leads_to_the_page_watch(client, cora, mia):
    from amgs.accounts.models import Notice

    open_call(by=cora, reason="Older mice are wanted.")
    notice = Notice.objects.get(user=mia)
    client.force_login(mia)
    assert client.get(f"/inbox/{notice.public_id}/")["Location"] == "/watch/"


def test_a_call_needs_a_reason_a_known_coat_and_a_role(cora, petra):
    with pytest.raises(Refused, match="which data"):
        open_call(by=cora, reason=" ")
    with pytest.raises(Refused, match="Choose a coat"):
        open_call(by=cora, reason="x", coat="plaid")
    with pytest.raises(NotAllowed):
        open_call(by=petra, reason="x")
    call = open_call(by=cora, reason="x")
    with pytest.raises(Refused, match="why the call"):
        close_call(by=cora, call=call, why="")


def test_a_call_asks_for_its_coat_and_lab_alone(cora, harbour, meadow):
    assert not is_called([open_call(by=cora, reason="anything")], harbour.pk, COAT)
    coat = open_call(by=cora, reason="x", coat=COAT)
    assert is_called([coat], harbour.pk, COAT)
    assert not is_called([coat], harbour.pk, "")
    own = open_call(by=cora, reason="x", coat=COAT, lab=meadow)
    assert is_called([own], meadow.pk, COAT)
    assert not is_called([own], harbour.pk, COAT)


def test_calls_over_the_api(cora, petra, token_of):
    api = APIClient()
    assert api.get("/api/calls").json()["results"] == []
    assert api.post("/api/calls", {"reason": "x"}, format="json").status_code == 401
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(petra)}")
    assert api.post("/api/calls", {"reason": "x"}, format="json").status_code == 403
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(cora)}")
    made = api.post("/api/calls", {"reason": "Black mice", "coat": COAT}, format="json").json()
    assert (made["state"], made["coat"]) == ("open", COAT)
    api.credentials()
    assert [row["id"] for row in api.get("/api/calls").json()["results"]] == [made["id"]]
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(cora)}")
    closed = api.post(f"/api/calls/{made['id']}/close", {"why": "Enough."}, format="json").json()
    assert (closed["state"], closed["closed_why"]) == ("closed", "Enough.")


def test_the_pages_open_and_close_calls(client, cora):
    client.force_login(cora)
    assert client.post("/watch/calls", {"reason": ""}).status_code == 422
    client.post("/watch/calls", {"reason": "Older mice", "coat": ""})
    (call,) = open_calls()
    refused = client.post(f"/watch/calls/{call.public_id}/close", {"why": ""})
    assert refused.status_code == 422
    client.post(f"/watch/calls/{call.public_id}/close", {"why": "Enough came."})
    assert not open_calls()
    assert "Enough came." in client.get("/watch/").content.decode()
