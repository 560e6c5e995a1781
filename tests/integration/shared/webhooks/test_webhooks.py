"""Whom sweeps call: a real server hears it, and says how it answers."""

from __future__ import annotations

import hashlib
import hmac
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, update
from standardwebhooks.webhooks import Webhook

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import Fence, JobSelector
from stylefarm.shared.db.tables import WebhookRow
from stylefarm.shared.errors import InvalidImage, InvalidRequest, NotFound
from stylefarm.shared.store import Store
from stylefarm.shared.webhooks import delivery
from stylefarm.shared.webhooks import subscriptions as module
from stylefarm.shared.webhooks.caller import UNSIGNED, WebhookCaller
from stylefarm.shared.webhooks.deadline import Deadline
from stylefarm.shared.webhooks.delivery import CallFailed, call, check_url
from stylefarm.shared.webhooks.subscriptions import PAUSES, Webhooks
from tests.integration.jobs import RESULT, new_job
from tests.webhook_receiver import WebhookReceiver

SECRET = "a secret of the test"


class CallingFarm:
    """A sweep of two jobs, and who calls for it."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.store, self.webhooks = engine, Store(engine), Webhooks(engine)
        self.caller = WebhookCaller(self.webhooks, SECRET, allow_private=True)
        self.sweep, self.jobs = self.store.submissions.create_sweep("portraits", {"seed": [1, 2]}, [new_job()] * 2)

    def end(self, job_id: str, error: str = "") -> None:
        job = self.store.attempts.claim(job_id, "w")
        assert job is not None
        fence = Fence(job_id, job.attempt)
        assert (
            self.store.attempts.fail(fence, InvalidImage(error), {})
            if error
            else self.store.attempts.finish(fence, RESULT, {})
        )

    def pause_is_over(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(WebhookRow).where(WebhookRow.due_at.is_not(None)).values(due_at=now()))

    def row(self, event: str) -> WebhookRow:
        return next(row for row in self.webhooks.of(self.sweep) if row.event == event)


@pytest.fixture
def farm(engine: Engine) -> CallingFarm:
    return CallingFarm(engine)


def test_a_sweep_calls_once_when_it_has_ended(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given a sweep, if its jobs end well, I expect one call after the last of them, with the counts."""
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.end(farm.jobs[0])
    assert (farm.caller.run(), receiver.calls) == (0, [])
    farm.end(farm.jobs[1])
    assert [farm.caller.run() for _ in range(3)] == [1, 0, 0]
    (document,) = receiver.documents
    assert document == {
        "schema_version": 1,
        "event": "sweep.ended",
        "sweep": {"id": farm.sweep, "name": "portraits"},
        "counts": {"done": 2},
        "failures": [],
    }
    assert farm.row("ended").delivered_at is not None
    assert farm.row("failed").due_at is None


def test_a_sweep_calls_when_it_first_fails(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given a sweep, if both jobs fail one after the other, I expect a call at the first, and one at the end."""
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.end(farm.jobs[0], "the picture is broken")
    farm.caller.run()
    farm.end(farm.jobs[1], "this one, too")
    farm.caller.run()
    assert receiver.events == ["sweep.failed", "sweep.ended"]
    assert receiver.documents[0]["failures"] == [{"job": farm.jobs[0], "error": "the picture is broken"}]
    assert receiver.documents[1]["counts"] == {"failed": 2}


def test_shared_jobs_count(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given a sweep whose only cell another one has asked for, I expect its call when that job ends."""
    first = farm.store.submissions.submit_sweep("first", {}, [new_job()])
    second = farm.store.submissions.submit_sweep("second", {}, [new_job()])
    assert second.queued == frozenset()
    farm.webhooks.set(second.sweep_id, receiver.url)
    farm.caller.run()
    assert receiver.calls == []
    farm.end(first.ids[0], "broken")
    farm.caller.run()
    assert sorted(receiver.events) == ["sweep.ended", "sweep.failed"]
    assert receiver.documents[0]["counts"] == {"failed": 1}


def test_a_call_can_be_checked_by_whoever_knows_the_secret(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given the header of a call, I expect the HMAC of its moment and body in it, and the query of its address kept."""
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    farm.caller.run()
    headers, body = receiver.calls[0]
    moment, signed = (part.partition("=")[2] for part in headers["x-stylefarm-signature"].split(","))
    assert signed == hmac.new(SECRET.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["content-type"] == "application/json"
    assert Webhook(SECRET.encode()).verify(body, headers)["event"] == "sweep.ended"
    assert headers["webhook-id"].startswith(farm.sweep)


def test_a_call_that_fails_is_made_again(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given a server in trouble, I expect the next try after the pause and not before, and no more after the last."""
    receiver.answer = 503
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    assert [farm.caller.run() for _ in range(2)] == [0, 0]
    assert len(receiver.calls) == 1
    assert (farm.row("ended").tries, farm.row("ended").error) == (1, "127.0.0.1 answers with 503")
    farm.pause_is_over()
    receiver.answer = 204
    assert farm.caller.run() == 1
    assert (farm.row("ended").tries, farm.row("ended").error) == (2, None)
    farm.pause_is_over()
    assert (farm.caller.run(), len(receiver.calls)) == (0, 2)


def test_a_call_is_given_up(farm: CallingFarm, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a server that never answers well, I expect as many tries as there are pauses."""
    monkeypatch.setattr(module, "PAUSES", (0.0,) * len(PAUSES))
    receiver.answer = 500
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    for _ in range(len(PAUSES) + 2):
        farm.caller.run()
    assert len(receiver.calls) == len(PAUSES)


def test_a_redirection_is_not_followed(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given an answer that names another address, I expect that nobody is called there."""
    receiver.answer, receiver.location = 302, receiver.url
    with pytest.raises(CallFailed, match="answers with 302"):
        call(receiver.url, {}, SECRET, "a-call", allow_private=True)
    assert len(receiver.calls) == 1


def test_private_addresses_are_not_called_unless_allowed(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given an address of this machine's network, I expect no call, and the reason and the remedy written down."""
    farm.webhooks.set(farm.sweep, receiver.url.replace("127.0.0.1", "localhost"))
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    assert WebhookCaller(farm.webhooks, SECRET, allow_private=False).run() == 0
    assert receiver.calls == []
    assert "STYLEFARM_WEBHOOK_PRIVATE" in str(farm.row("ended").error)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an address where nobody listens, and a name that does not exist, I expect a failed call, in words."""
    with pytest.raises(CallFailed, match="does not answer"):
        call("http://127.0.0.1:9/", {}, SECRET, "a-call", allow_private=True)

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # The network of this machine might take longer to say so than a call may.
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CallFailed, match="does not answer"):
        call("http://nowhere.invalid/", {}, SECRET, "a-call", allow_private=True)


def test_without_a_secret_it_is_told_what_is_missing(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given workers without a secret, I expect no call, a reason, and the call as soon as one of them has a secret."""
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    assert WebhookCaller(farm.webhooks, None, allow_private=True).run() == 0
    assert (farm.row("ended").error, farm.row("ended").tries, receiver.calls) == (UNSIGNED, 0, [])
    assert farm.caller.run() == 1


def test_two_callers_make_one_call(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given two workers that look at the same moment, I expect one call."""
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    ready = threading.Barrier(2)
    answered: list[int] = []

    def run() -> None:
        ready.wait()
        answered.append(WebhookCaller(Webhooks(farm.engine), SECRET, allow_private=True).run())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(answered), len(receiver.calls)) == ([0, 1], 1)


def test_who_is_stopped_begins_no_more_calls(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given a call that is due, if its worker is being stopped, I expect it left to whoever comes next."""
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    stopped = threading.Event()
    stopped.set()
    assert (farm.caller.run(stopped), receiver.calls) == (0, [])
    assert farm.caller.run() == 1


def test_an_address_can_be_changed_and_removed(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given a sweep with an address, if it gets another one, I expect that called; if it gets none, nobody."""
    farm.webhooks.set(farm.sweep, "http://nowhere.invalid/")
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    assert farm.caller.run() == 1
    farm.webhooks.set(farm.sweep, None)
    assert (farm.webhooks.of(farm.sweep), farm.caller.run()) == ([], 0)
    with pytest.raises(NotFound):
        farm.webhooks.set("0" * 36, receiver.url)


def test_an_address_can_be_changed_while_the_old_one_is_called(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given a call that is being made, if the sweep gets another address, I expect that one called, too."""
    farm.webhooks.set(farm.sweep, "http://nowhere.invalid/")
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    farm.webhooks.mark_due()
    under_way = farm.webhooks.take_due()
    assert under_way is not None
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.webhooks.record_outcome(under_way, None)
    assert (farm.caller.run(), receiver.events) == (1, ["sweep.ended"])


def test_an_answer_without_an_end_is_not_waited_for(farm: CallingFarm, receiver: WebhookReceiver) -> None:
    """Given somebody who answers well and then goes on and on, I expect the call to be made."""
    receiver.endless = True
    farm.webhooks.set(farm.sweep, receiver.url)
    farm.store.commands.cancel(JobSelector(sweep=farm.sweep))
    assert (farm.caller.run(), len(receiver.calls)) == (1, 1)


def test_an_answer_that_trickles_is_given_up(receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given somebody who sends a byte now and then, I expect the call to be given up when its whole time is over."""
    monkeypatch.setattr(delivery, "SECONDS", 0.5)
    receiver.trickles = True
    began = time.monotonic()
    with pytest.raises(CallFailed, match=r"127\.0\.0\.1 has not answered within"):
        call(receiver.url, {}, SECRET, "a-call", allow_private=True)
    # What trickles would come to its end after ten.
    assert time.monotonic() - began < 9


def test_a_call_that_is_given_up_late_says_why(receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given somebody who does not answer, if whoever is to end the call comes too late, I expect the same reason."""
    monkeypatch.setattr(delivery, "SECONDS", 0.2)
    monkeypatch.setattr(Deadline, "_end", lambda _: None)
    receiver.seconds = 1.0
    with pytest.raises(CallFailed, match=r"127\.0\.0\.1 has not answered within"):
        call(receiver.url, {}, SECRET, "a-call", allow_private=True)


def test_calls_are_made_side_by_side(
    farm: CallingFarm, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given several sweeps whose receiver answers none before all have called, I expect all calls to succeed."""
    monkeypatch.setattr(delivery, "SECONDS", 60.0)
    sweeps = [farm.sweep, *(farm.store.submissions.create_sweep(f"{n}", {}, [new_job(seed=n)])[0] for n in range(5))]
    for sweep in sweeps:
        farm.webhooks.set(sweep, receiver.url)
        farm.store.commands.cancel(JobSelector(sweep=sweep))
    receiver.together = threading.Barrier(len(sweeps), timeout=60)
    assert farm.caller.run() == len(sweeps)


def test_a_host_may_be_written_in_any_script(receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an address whose host is not in ASCII, I expect it called, by the name that it has on the network."""
    port = urlsplit(receiver.url).port
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: here)
    call(f"http://例え.example:{port}/", {}, SECRET, "a-call", allow_private=True)
    assert receiver.calls[0][0]["host"] == f"xn--r8jz45g.example:{port}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "portraits",
        "ftp://example.org/",
        "https://",
        "http://user:secret@example.org/",
        "http://example.org:99999/",
        "http://example.org/a b",
        "http://example.org/\n",
        "http://[1::2/",
        "http://portraits..example.org/",
        "http://" + "a" * 64 + ".example.org/",
        "http://example.org/" + "a" * 2000,
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Given something that cannot be called, I expect a sentence that says what an address is."""
    with pytest.raises(InvalidRequest, match="is no address to call: write https://host/path"):
        check_url(url)
