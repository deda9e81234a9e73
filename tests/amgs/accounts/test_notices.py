"""The inbox and the mail written from it: by whose choice, once, and with a way out."""

from __future__ import annotations

import re
import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.utils import timezone

from amgs.accounts import notices
from amgs.accounts.models import Mail, Notice, User
from amgs.core import jobs
from amgs.core.errors import NotFound

UNTOUCHED = {"read_at": None, "mailed_at": None}


@pytest.fixture
def told(alice, bob, cora, harbour):
    """Tell Alice and Bob something about the lab."""

    def tell(title="AMGS-000001/1 is accepted", **given):
        return notices.tell([alice, bob], title=title, text="Well done.\n", about=harbour, **given)

    return tell


@pytest.fixture
def digest(run_jobs):
    """Let the daily mails be asked for and sent."""

    def send():
        jobs.enqueue(notices.ask_for_digests)
        run_jobs()

    return send


def _choose(user, choice):
    notices.choose_mail(user=user, mail=choice)


def test_what_is_told_is_a_row_first_and_no_mail_by_default(told, alice, bob, run_jobs):
    assert told() == 2
    run_jobs()
    assert mail.outbox == []
    assert Notice.objects.filter(**UNTOUCHED).count() == 2
    assert notices.unread(alice) == 1


def test_the_same_is_told_to_the_same_person_once(told):
    told(key="decision:7")
    told(key="decision:7")
    assert Notice.objects.count() == 2


def test_nobody_is_told_of_what_they_did_themselves(told, alice, bob):
    assert told(by=alice) == 1
    assert not Notice.objects.filter(user=alice).exists()


def test_the_daily_mail_holds_what_is_new_and_comes_once_a_day(told, digest, alice, bob):
    told("The first")
    told("The second")
    notices.mark(user=bob)
    digest()
    (message,) = mail.outbox
    assert message.to == [alice.email]
    assert message.subject == "[aMGS] 2 things happened"
    assert "The first" in message.body
    assert "The second" in message.body
    told("The third")
    digest()
    assert [row.to for row in mail.outbox[1:]] == [[bob.email]]
    User.objects.update(digest_at=timezone.now() - timedelta(hours=24))
    digest()
    assert [row.to for row in mail.outbox[2:]] == [[alice.email]]
    assert "The first" not in mail.outbox[-1].body
    digest()
    assert len(mail.outbox) == 3


def test_who_wants_it_gets_each_at_once_and_others_never(told, digest, run_jobs, alice, bob):
    _choose(alice, Mail.AT_ONCE)
    _choose(bob, Mail.NEVER)
    told("The first")
    told("The second")
    run_jobs()
    digest()
    assert [message.to for message in mail.outbox] == [[alice.email]] * 2
    assert {message.subject for message in mail.outbox} == {
        "[aMGS] The first",
        "[aMGS] The second",
    }
    assert notices.unread(bob) == 2


def test_every_mail_says_how_to_end_it_and_the_address_does(told, digest, alice):
    told()
    digest()
    message = next(row for row in mail.outbox if row.to == [alice.email])
    address = re.search(r"http\S+/mail/stop/\S+", message.body)[0]
    assert f"<{address}>" == message.extra_headers["List-Unsubscribe"]
    path = "/" + address.split("/", 3)[3]
    browser = Client()
    assert "End it" in browser.get(path).content.decode()
    alice.refresh_from_db()
    assert alice.mail == Mail.DAILY
    browser.post(path)
    alice.refresh_from_db()
    assert alice.mail == Mail.NEVER
    assert browser.get(path[:-5] + "/").status_code == 404


def test_a_worker_that_dies_before_the_server_took_the_mail_is_followed_by_another(
    told, run_jobs, alice, monkeypatch
):
    _choose(alice, Mail.AT_ONCE)
    told()

    def refuse(self, messages):
        raise smtplib.SMTPServerDisconnected("gone")

    def busy(self, messages):
        raise smtplib.SMTPDataError(451, "later")

    monkeypatch.setattr(EmailBackend, "send_messages", busy)
    (ended,) = run_jobs(broken=True)
    assert ended.state == ended.State.QUEUED
    row = Notice.objects.get(user=alice)
    assert row.mailed_at is None
    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    type(ended).objects.filter(pk=ended.pk).update(due_at=timezone.now() - timedelta(minutes=1))
    run_jobs(broken=True)
    monkeypatch.undo()
    # The server may have taken it, so it is not sent again.
    type(ended).objects.filter(pk=ended.pk).update(due_at=timezone.now() - timedelta(minutes=1))
    run_jobs(broken=True)
    assert mail.outbox == []
    assert Notice.objects.get(user=alice).mailed_at is not None


def test_a_line_belongs_to_one_person(told, alice, petra):
    told()
    row = Notice.objects.get(user=alice)
    with pytest.raises(NotFound):
        notices.find(petra, row.public_id)
    assert notices.mark(user=petra, notices=[row.public_id]) == 0
    notices.mark(user=alice, notices=[row.public_id])
    assert notices.unread(alice) == 0
    notices.mark(user=alice, notices=[row.public_id], read=False)
    assert notices.unread(alice) == 1


def test_the_inbox_page_counts_marks_and_leads_on(told, alice, rows_of):
    version = rows_of("changes_requested")
    notices.tell([alice], title="It needs changes", text="", about=version)
    told()
    browser = Client()
    browser.force_login(alice)
    page = browser.get("/inbox/").content.decode()
    assert "Inbox, 2 unread" in page
    assert "Changes are asked for" in page
    row = Notice.objects.get(title="It needs changes")
    answer = browser.get(f"/inbox/{row.public_id}/")
    assert answer["Location"] == f"/datasets/{version.identifier.replace('/', '.')}/"
    assert "Inbox, 1 unread" in browser.get("/inbox/").content.decode()
    browser.post("/inbox/mark", {"notice": row.public_id, "as": "unread"})
    assert notices.unread(alice) == 2
    browser.post("/inbox/mark")
    assert notices.unread(alice) == 0
    assert "All is read" in browser.get("/inbox/?unread=1").content.decode()
    browser.post("/account/mail", {"mail": "never"})
    alice.refresh_from_db()
    assert alice.mail == Mail.NEVER
