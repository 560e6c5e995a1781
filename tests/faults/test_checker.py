"""The checker finds violations: each invariant is broken by hand in the facts of a healthy farm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stylefarm.shared.db.states import State
from tests.faults.checker import violations
from tests.faults.facts import AttemptFacts, EventFacts, Facts, JobFacts, NamedObject

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
INPUTS = frozenset({"inputs/a", "inputs/s"})

Entries = list[dict[str, Any]]


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def done(job_id: str) -> JobFacts:
    result = NamedObject(job_id, f"jobs/{job_id}/2/result.png", "5ha", 7)
    return JobFacts(job_id, "key", State.DONE, 2, 2, result=result, inputs=INPUTS)


def event(job_id: str, seconds: float, attempt: int, state: State, reason: str = "") -> EventFacts:
    return EventFacts(job_id, at(seconds), attempt, state, reason)


def attempt(job_id: str, number: int, started: float, ended: float | None, outcome: str | None) -> AttemptFacts:
    return AttemptFacts(job_id, number, "w0", at(started), None if ended is None else at(ended), outcome)


def events(job_id: str) -> list[EventFacts]:
    return [
        event(job_id, 0, 0, State.QUEUED, "submitted"),
        event(job_id, 1, 1, State.RUNNING, "claimed"),
        event(job_id, 2, 1, State.QUEUED, "the lease ran out"),
        event(job_id, 3, 2, State.RUNNING, "claimed"),
        event(job_id, 4, 2, State.DONE, "rendered"),
    ]


def attempts(job_id: str) -> list[AttemptFacts]:
    return [attempt(job_id, 1, 1, 2, "expired"), attempt(job_id, 2, 3, 4, "done")]


CURVE = [(0, 3.0), (1, 2.0), (2, 1.0)]


@pytest.fixture
def history() -> Entries:
    return [{"kind": "acknowledged", "jobs": ["j", "k"]}]


@pytest.fixture
def facts() -> Facts:
    """Two jobs of one spec, each rendered by its second attempt."""
    jobs = {name: done(name) for name in "jk"}
    named = [job.result for job in jobs.values() if job.result is not None]
    return Facts(
        jobs,
        {name: attempts(name) for name in "jk"},
        {name: events(name) for name in "jk"},
        dict.fromkeys("jk", CURVE),
        named,
        {**{one.key: one.sha256 for one in named}, **dict.fromkeys(INPUTS, "")},
    )


def with_job(facts: Facts, **changes: Any) -> Facts:
    return replace(facts, jobs={**facts.jobs, "j": replace(facts.jobs["j"], **changes)})


def with_events(facts: Facts, found: Sequence[EventFacts]) -> Facts:
    return replace(facts, events={**facts.events, "j": found})


def with_attempts(facts: Facts, found: Sequence[AttemptFacts]) -> Facts:
    return replace(facts, attempts={**facts.attempts, "j": found})


def with_objects(facts: Facts, objects: Mapping[str, str]) -> Facts:
    return replace(facts, objects=objects)


def test_nothing_is_wrong_with_a_farm_that_keeps_its_promises(facts: Facts, history: Entries) -> None:
    assert violations(facts, history) == []


def test_promises(facts: Facts, history: Entries) -> None:
    lost = [*history, {"kind": "acknowledged", "jobs": ["gone"]}]
    assert violations(facts, lost) == ["job gone was acknowledged and is not there"]
    hanging = with_events(with_job(facts, state=State.RUNNING, result=None), events("j")[:-1])
    assert "job j is running, and has not ended" in violations(hanging, history)


def test_poison_that_was_rendered(facts: Facts, history: Entries) -> None:
    found = violations(facts, [*history, {"kind": "poison", "job": "j"}])
    assert found == ["job j is poison, and is done (None)"]


def test_moves(facts: Facts, history: Entries) -> None:
    revived = [*events("j"), event("j", 5, 2, State.QUEUED, "out of nothing")]
    assert "job j went from done to queued (out of nothing)" in violations(with_events(facts, revived), history)
    skipped = [*events("j")[:3], events("j")[4]]
    assert "job j went from queued to done (rendered)" in violations(with_events(facts, skipped), history)
    back = [*events("j")[:4], event("j", 4, 1, State.DONE, "rendered")]
    assert "job j went back from attempt 2 to 1" in violations(with_events(facts, back), history)
    assert "job j has no events" in violations(with_events(facts, []), history)
    assert "job j is done, but its last event is running" in violations(with_events(facts, events("j")[:4]), history)


def test_begun_afresh_is_no_second_claim(facts: Facts, history: Entries) -> None:
    restarted = [*events("j")[:4], event("j", 3.5, 2, State.RUNNING, "begun afresh: damaged"), events("j")[4]]
    assert violations(with_events(facts, restarted), history) == []


def test_attempts(facts: Facts, history: Entries) -> None:
    both = [attempt("j", 1, 1, 3.5, "expired"), attempts("j")[1]]
    assert violations(with_attempts(facts, both), history) == ["attempts 1 and 2 of job j ran at the same time"]
    open_ended = [attempt("j", 1, 1, None, None), attempts("j")[1]]
    assert violations(with_attempts(facts, open_ended), history) == ["attempt 1 of job j has not ended"]
    assert violations(with_attempts(facts, attempts("j")[1:]), history) == ["job j is at attempt 2, and has [2]"]
    twice = [*events("j")[:4], event("j", 3.5, 2, State.RUNNING, "claimed"), events("j")[4]]
    assert violations(with_events(facts, twice), history) == ["job j is at attempt 2, and was claimed for [1, 2, 2]"]


def test_commits(facts: Facts, history: Entries) -> None:
    twice = [*events("j"), event("j", 5, 2, State.DONE, "rendered")]
    assert "job j is done, and was committed 2 times" in violations(with_events(facts, twice), history)
    both = [attempt("j", 1, 1, 2, "done"), attempts("j")[1]]
    assert violations(with_attempts(facts, both), history) == [
        "job j is done, and its attempts ended as ['done', 'done']"
    ]
    assert "job j is done, and names no result" in violations(with_job(facts, result=None), history)
    zombie = NamedObject("j", "jobs/j/1/result.png", "5ha", 7)
    assert "job j names jobs/j/1/result.png, which is not of its attempt 2" in violations(
        with_job(facts, result=zombie), history
    )


@pytest.mark.parametrize(
    ("curve", "odd"),
    [([0, 1], "[2]"), ([0, 2], "[1]"), ([0, 1, 1, 2], "[1]"), ([0, 1, 2, 3], "[3]"), ([], "[0, 1, 2]")],
)
def test_curves(facts: Facts, history: Entries, curve: list[int], odd: str) -> None:
    damaged = replace(facts, curves={**facts.curves, "j": [(iteration, 3.0 - iteration) for iteration in curve]})
    sentence = f"the curve of job j, which is done, has {len(curve)} points; look at {odd}"
    assert sentence in violations(damaged, history)


def test_reasons(facts: Facts, history: Entries) -> None:
    ended = [*events("j")[:4], event("j", 4, 2, State.CANCELLED)]
    stopped = with_attempts(with_events(facts, ended), [attempts("j")[0], attempt("j", 2, 3, 4, "cancelled")])
    cancelled = with_job(stopped, state=State.CANCELLED, result=None)
    swept = replace(cancelled, named=cancelled.named[1:])
    swept = with_objects(swept, {key: value for key, value in facts.objects.items() if not key.startswith("jobs/j")})
    assert violations(swept, history) == ["job j was cancelled, and nobody asked for that"]
    assert violations(swept, [*history, {"kind": "command", "job": "j", "command": "cancel"}]) == []

    failed = with_events(swept, [*events("j")[:4], event("j", 4, 2, State.FAILED)])
    puzzled = with_job(failed, state=State.FAILED, error="internal error", error_class="internal")
    assert violations(puzzled, history) == ["job j failed for internal: internal error"]
    orphan = with_job(failed, state=State.FAILED, error="job k failed", error_class="parent")
    orphan = replace(orphan, parents={"j": ["k"]})
    assert violations(orphan, history) == [f"job j failed for a parent, and its parents are {[State.DONE]}"]
    away = with_job(failed, state=State.FAILED, error="S3 is away", error_class="infrastructure")
    assert violations(away, history) == []


def test_objects(facts: Facts, history: Entries) -> None:
    key = "jobs/j/2/result.png"
    others = {name: value for name, value in facts.objects.items() if name != key}
    assert violations(with_objects(facts, others), history) == [f"{key} is named by job j, and is not there"]
    damaged = with_objects(facts, {**others, key: "other"})
    assert violations(damaged, history) == [f"{key} has other bytes than job j names"]
    litter = with_objects(facts, {**facts.objects, "jobs/j/1/result.png": "5ha", "inputs/x": ""})
    assert violations(litter, history) == [
        "jobs/j/1/result.png is neither named nor swept",
        "inputs/x is neither named nor swept",
    ]


def test_same_bytes(facts: Facts, history: Entries) -> None:
    curves = replace(facts, curves={**facts.curves, "k": [(0, 3.0), (1, 2.5), (2, 1.0)]})
    assert violations(curves, history) == ["jobs j and k are of the same spec, and their curves differ"]
    other = NamedObject("k", "jobs/k/2/result.png", "other", 7)
    changed = replace(facts, jobs={**facts.jobs, "k": replace(facts.jobs["k"], result=other)})
    assert "jobs j and k are of the same spec, and their results differ" in violations(changed, history)


def test_limits(facts: Facts, history: Entries) -> None:
    limited = {name: replace(job, sweep="s") for name, job in facts.jobs.items()}
    assert violations(replace(facts, jobs=limited, limits={"s": 2}), history) == []
    assert violations(replace(facts, jobs=limited, limits={"s": 1}), history) == [
        "of sweep s 2 jobs ran at a time, and only 1 may"
    ]
