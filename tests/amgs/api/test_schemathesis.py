"""Whatever is sent to the API, it answers as its OpenAPI schema says, and never breaks.

For every operation requests are made up from the schema, right and wrong ones, with names of
things that exist and with others, and sent as each kind of caller.
"""

from __future__ import annotations

import warnings

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

EXAMPLES = {"nobody": 1, "contributor": 2, "office": 2}
"""Requests for each operation, caller, kind (right or wrong) and kind of name."""


@pytest.fixture
def names(draft, alice, rolf) -> dict[str, dict[str, str]]:
    """Names of things that exist, published and drafted, by the first part of their address."""
    from amgs.files.models import Upload
    from amgs.repository.models import LabelImport, Recording, Version

    version = draft(animals=1)
    Version.objects.filter(pk=version.pk).update(state="published", published_at=timezone.now())
    other = draft(animals=1, seed=1)
    recording = Recording.objects.filter(versions=version).first()
    return {
        "versions": {"name": "AMGS-000001.1", "public_id": recording.public_id, "action": "submit"},
        "datasets": {"name": "AMGS-000001"},
        "labs": {"public_id": alice.labs.first().public_id},
        "tools": {"name": "motion-index"},
        "uploads": {"public_id": Upload.objects.latest("pk").public_id},
        "recordings": {"public_id": Recording.objects.filter(versions=other).first().public_id},
        "labels": {"public_id": LabelImport.objects.latest("pk").public_id},
    }


@pytest.fixture
def application():
    """The site as a WSGI application on this test's transaction, which must outlive requests."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("caller", EXAMPLES)
def test_the_api_answers_as_its_schema_says(
    caller, application, names, person, harbour, token_of, settings
):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that schemathesis is built of
        import schemathesis
        from schemathesis import GenerationMode
        from schemathesis import checks as of_all
        from schemathesis.specs.openapi import checks as of_openapi

        checks = [
            of_all.not_a_server_error,
            of_openapi.status_code_conformance,
            of_openapi.content_type_conformance,
            of_openapi.response_headers_conformance,
            of_openapi.response_schema_conformance,
        ]
    settings.DEBUG_PROPAGATE_EXCEPTIONS = True  # the traceback says more than a page
    headers = {}
    if caller == "contributor":
        headers = {"Authorization": f"Bearer {token_of(person('Ada Abel', lab=harbour))}"}
    elif caller == "office":
        office = person("Oona Office", "rater", "curator", "maintainer")
        headers = {"Authorization": f"Bearer {token_of(office)}"}
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)
    told: list[str] = []
    for operation in (result.ok() for result in schema.get_all_operations()):
        known = names.get(operation.path.split("/")[2] if "/api/" in operation.path else "", {})
        wanted = {key: known[key] for key in known if f"{{{key}}}" in operation.path}
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for given_names in ({}, wanted) if wanted else ({},):
                told += _try(operation, mode, given_names, headers, checks, EXAMPLES[caller])
    assert not told, "\n\n".join(told[:20]) + f"\n\n{len(told)} in all"


def _try(operation, mode, path_parameters, headers, checks, examples) -> list[str]:
    """Send made-up requests; return what was wrong with the answers, once per operation."""
    found: dict[str, str] = {}

    @hypothesis_settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode, path_parameters=path_parameters or None))
    def send(case) -> None:
        try:
            response = case.call(headers=headers)
            case.validate_response(response, checks=checks)
        except (Exception, BaseExceptionGroup) as problem:
            found.setdefault(type(problem).__name__, f"{operation.label} ({mode.value}): {problem}")

    try:
        send()
    except Exception as problem:
        if type(problem).__name__ not in {"Unsatisfiable", "NoTests"}:
            raise
    return list(found.values())
