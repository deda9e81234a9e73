"""Figures of agreement follow a rating at once; their intervals when the job is done."""

from __future__ import annotations

from django.test import Client

from amgs.core import jobs
from amgs.review.agreeing import agreement_now
from amgs.review.models import Audit
from amgs.review.services import next_assignment, rate, start_audit
from models.scale import load_scale

UNIT = load_scale().unit_keys[0]


def _audit() -> Audit:
    return Audit.objects.select_related("version").get()


def _rate(rater, grade):
    keys = load_scale().unit_keys
    rate(assignment=next_assignment(rater=rater), by=rater, grades=dict.fromkeys(keys, grade))


def test_a_rating_is_in_the_figures_before_any_job_ran(rows_of, rita, cora, run_jobs):
    version = rows_of(votes=(0, 2))
    start_audit(version=version)
    assert agreement_now(_audit()) == {"intervals_follow": False}
    _rate(rita, 1)
    first = agreement_now(_audit())
    assert first["intervals_follow"]
    assert first["n_raters"] == 3
    assert first["units"][UNIT]["n_votes"] == 3
    assert "kappa_pairwise_quadratic_interval" not in first["units"][UNIT]
    _rate(rita, 2)
    assert agreement_now(_audit())["units"][UNIT]["n_votes"] == 6
    browser = Client()
    browser.force_login(cora)
    address = f"/review/{version.identifier.replace('/', '.')}/audit"
    page = browser.get(address).content.decode()
    assert "intervals follow in a moment" in page
    assert 'hx-trigger="every 3s"' in page
    jobs.enqueue("review.update_agreement", audit=_audit().public_id)
    run_jobs()
    last = agreement_now(_audit())
    assert not last["intervals_follow"]
    assert "kappa_pairwise_quadratic_interval" in last["units"][UNIT]
    page = browser.get(address).content.decode()
    assert "Rater 1" in page
    assert rita.full_name not in page
    assert "intervals follow" not in page
    # Of one animal or two no interval is told, and the page says so.
    assert "too few animals for intervals" in page


def test_who_rates_in_the_audit_sees_no_figure_of_it(rows_of, person, rita):
    both = person("Rune Roos", "rater", "curator")
    version = rows_of(votes=(0, 2))
    start_audit(version=version)
    _rate(both, 1)
    browser = Client()
    browser.force_login(both)
    base = f"/review/{version.identifier.replace('/', '.')}/"
    page = browser.get(f"{base}audit").content.decode()
    assert "you see its figures when the review is over" in page
    assert "Agreement" not in page
    assert browser.get(f"{base}disagreements").status_code == 403
