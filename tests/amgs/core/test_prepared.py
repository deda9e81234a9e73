"""A prepared query gives what the queryset gives, with every value, in every shape."""

from __future__ import annotations

import pytest

from amgs.accounts.holders import token_with
from amgs.accounts.models import ApiToken, User
from amgs.core.prepared import Prepared


@pytest.fixture
def ask() -> Prepared:
    """People by address or key, as many as asked for."""

    def make(shape, values):
        rows = User.objects.order_by("pk")
        if "key" in values:
            rows = rows.filter(pk__gte=values["key"])
        if "email" in values:
            rows = rows.filter(email=values["email"])
        return rows.values_list("email", "is_active", "created_at")[: shape["limit"]]

    return Prepared(make)


def test_it_gives_what_the_queryset_gives(ask, alice, bob, cora, django_assert_num_queries):
    rows = list(User.objects.order_by("pk").values_list("email", "is_active", "created_at"))
    for _ in range(2):
        with django_assert_num_queries(4):
            assert ask({}, limit=2) == rows[:2]
            assert ask({"key": bob.pk}, limit=5) == rows[1:]
            assert ask({"key": cora.pk}, limit=5) == rows[2:]
            assert ask({"email": alice.email}, limit=5) == rows[:1]
    assert rows[0][1] is True


def test_a_value_is_a_value_whatever_it_says(ask, alice):
    assert ask({"email": "' OR 1=1 --"}, limit=5) == []
    assert ask({"email": "%s"}, limit=5) == []
    assert ask({"email": alice.email, "key": alice.pk}, limit=5)[0][0] == alice.email


def test_a_value_that_is_not_in_the_query_is_told(alice):
    wrong = Prepared(lambda shape, values: User.objects.values_list("email"))
    with pytest.raises(RuntimeError, match="not every one"):
        wrong({"email": "x"})


def test_a_token_comes_with_its_person_roles_and_labs(
    carl, petra, token_of, lab, django_assert_num_queries
):
    lab("Meadow").members.add(carl)
    for person in (carl, petra):
        prefix = token_of(person).split("_")[1]
        token_with(prefix)
        with django_assert_num_queries(1):
            token = token_with(prefix)
            assert token == ApiToken(pk=token.pk)
            assert token.user == person
            held = token.user.roles, token.user.lab_ids
        fresh = User.objects.get(pk=person.pk)
        assert held == (fresh.roles, fresh.lab_ids)
        stored = ApiToken.objects.get(pk=token.pk)
        for field in ApiToken._meta.concrete_fields:
            assert getattr(token, field.attname) == getattr(stored, field.attname)
    assert token_with("nothing") is None
