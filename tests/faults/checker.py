"""The invariants of the farm, which must hold after any fault; each violation is one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from stylefarm.shared.db.states import FINAL, MOVES, Move, State
from stylefarm.shared.images.thumbnails import thumbnail_keys
from stylefarm.shared.spec.spec import JobSpec
from tests.faults.facts import AttemptFacts, EventFacts, Facts, JobFacts
from tests.faults.history import Entry

# The allowed changes of state, without those that only a user's retry makes.
STEPS = {(source, target) for move, (sources, target) in MOVES.items() if move is not Move.RETRY for source in sources}
STEPS -= {step for step in STEPS if step[0] in FINAL}

# The classes of failure that may end a job here: every spec can be rendered, so that "input" or "internal" is a bug.
BLAMELESS = {"infrastructure", "poison", "parent"}


def violations(facts: Facts, history: Sequence[Entry]) -> list[str]:
    """Return a sentence for every invariant that was broken."""
    return [
        *promises(facts, history),
        *poison(facts, history),
        *objects(facts),
        *same_bytes(facts),
        *limits(facts),
        *(sentence for job in facts.jobs.values() for sentence in of_job(facts, history, job)),
    ]


def promises(facts: Facts, history: Sequence[Entry]) -> Iterator[str]:
    """Check that every acknowledged job exists, and that all jobs have ended, acknowledged or not."""
    for entry in history:
        if entry["kind"] == "acknowledged":
            for job_id in entry["jobs"]:
                if job_id not in facts.jobs:
                    yield f"job {job_id} was acknowledged and is not there"
    for job in facts.jobs.values():
        if job.state not in FINAL:
            yield f"job {job.id} is {job.state}, and has not ended"


def poison(facts: Facts, history: Sequence[Entry]) -> Iterator[str]:
    """Check that a job that kills its process fails in the end."""
    for entry in history:
        if entry["kind"] == "poison" and entry["job"] in facts.jobs:
            job = facts.jobs[entry["job"]]
            if job.state is not State.FAILED or job.error_class not in BLAMELESS:
                yield f"job {job.id} is poison, and is {job.state} ({job.error_class})"


def of_job(facts: Facts, history: Sequence[Entry], job: JobFacts) -> Iterator[str]:
    """Check the invariants of a single job."""
    events, attempts = facts.events.get(job.id, ()), facts.attempts.get(job.id, ())
    yield from _moves(job, events)
    yield from _attempts(job, attempts, events)
    yield from _committed_once(job, events, attempts)
    yield from _curve(job, [iteration for iteration, _ in facts.curves.get(job.id, ())])
    yield from _reason(facts, history, job)


def _moves(job: JobFacts, events: Sequence[EventFacts]) -> Iterator[str]:
    """Check that a job makes only the moves of the table of states, and none after its end."""
    if not events:
        yield f"job {job.id} has no events"
        return
    for before, after in pairwise(events):
        restarted = before.state is after.state is State.RUNNING and before.attempt == after.attempt
        if not restarted and (before.state, after.state) not in STEPS:
            yield f"job {job.id} went from {before.state} to {after.state} ({after.reason})"
        if after.attempt < before.attempt:
            yield f"job {job.id} went back from attempt {before.attempt} to {after.attempt}"
    if events[-1].state is not job.state:
        yield f"job {job.id} is {job.state}, but its last event is {events[-1].state}"


def _attempts(job: JobFacts, attempts: Sequence[AttemptFacts], events: Sequence[EventFacts]) -> Iterator[str]:
    """Check that attempts are numbered from 1 without a gap, each claimed once, and ended before the next."""
    numbers = list(range(1, job.attempt + 1))
    if [attempt.attempt for attempt in attempts] != numbers:
        yield f"job {job.id} is at attempt {job.attempt}, and has {[attempt.attempt for attempt in attempts]}"
    claims = [event.attempt for event in events if event.reason == "claimed"]
    if claims != numbers:
        yield f"job {job.id} is at attempt {job.attempt}, and was claimed for {claims}"
    for attempt in attempts:
        if attempt.ended_at is None or attempt.outcome is None:
            yield f"attempt {attempt.attempt} of job {job.id} has not ended"
    for before, after in pairwise(attempts):
        if before.ended_at is not None and before.ended_at > after.started_at:
            yield f"attempts {before.attempt} and {after.attempt} of job {job.id} ran at the same time"


def _committed_once(job: JobFacts, events: Sequence[EventFacts], attempts: Sequence[AttemptFacts]) -> Iterator[str]:
    """Check that a done job, and no other, was committed once, by its last attempt, and names its result."""
    expected = [job.attempt] if job.state is State.DONE else []
    if [event.attempt for event in events if event.state is State.DONE] != expected:
        yield f"job {job.id} is {job.state}, and was committed {sum(e.state is State.DONE for e in events)} times"
    if [attempt.attempt for attempt in attempts if attempt.outcome == State.DONE] != expected:
        yield f"job {job.id} is {job.state}, and its attempts ended as {[attempt.outcome for attempt in attempts]}"
    if (job.result is not None) is not (job.state is State.DONE):
        yield f"job {job.id} is {job.state}, and names {'a' if job.result else 'no'} result"
    elif job.result is not None and not job.result.key.startswith(f"jobs/{job.id}/{job.attempt}/"):
        yield f"job {job.id} names {job.result.key}, which is not of its attempt {job.attempt}"


def _curve(job: JobFacts, iterations: Sequence[int]) -> Iterator[str]:
    """Check that the curve has each point once, without a gap, and that of a done job is complete."""
    complete = job.iterations + 1 if job.has_curve else 0
    length = complete if job.state is State.DONE else len(iterations)
    if list(iterations) != list(range(length)):
        wrong = sorted({*range(length)} ^ {*iterations}) or sorted(i for i in {*iterations} if iterations.count(i) > 1)
        yield f"the curve of job {job.id}, which is {job.state}, has {len(iterations)} points; look at {wrong[:5]}"


def _reason(facts: Facts, history: Sequence[Entry], job: JobFacts) -> Iterator[str]:
    """Check that a cancelled job was asked to be, and that a failed one has a legitimate reason."""
    if job.state is State.CANCELLED:
        asked = {entry["job"] for entry in history if entry["kind"] == "command" and entry["command"] == "cancel"}
        if job.id not in asked:
            yield f"job {job.id} was cancelled, and nobody asked for that"
    if job.state is State.FAILED:
        if not job.error or job.error_class not in BLAMELESS:
            yield f"job {job.id} failed for {job.error_class}: {job.error}"
        parents = [facts.jobs[parent].state for parent in facts.parents.get(job.id, ())]
        if job.error_class == "parent" and not {State.FAILED, State.CANCELLED} & {*parents}:
            yield f"job {job.id} failed for a parent, and its parents are {parents}"


def objects(facts: Facts) -> Iterator[str]:
    """Check that every object that a row names exists with its hash, and that no other object does."""
    for named in facts.named:
        if named.key not in facts.objects:
            yield f"{named.key} is named by job {named.job}, and is not there"
        elif facts.objects[named.key] != named.sha256:
            yield f"{named.key} has other bytes than job {named.job} names"
    known = {named.key for named in facts.named}.union(*(job.inputs for job in facts.jobs.values()))
    inputs = {key.removeprefix("inputs/") for key in known if key.startswith("inputs/")}
    known |= facts.held
    known |= thumbnail_keys({named.sha256 for named in facts.named} | inputs)
    for key in facts.objects:
        if key not in known:
            yield f"{key} is neither named nor swept"


def same_bytes(facts: Facts) -> Iterator[str]:
    """Check that jobs of one spec have the same result and the same curve, whatever interrupted them."""
    first: dict[str, JobFacts] = {}
    for job in facts.jobs.values():
        if job.state is not State.DONE or job.result is None:
            continue
        other = first.setdefault(job.spec_key, job)
        # The picture of samples of a training tells the name of its model.
        renders = job.kind == JobSpec.kind
        if renders and other.result is not None and other.result.sha256 != job.result.sha256:
            yield f"jobs {other.id} and {job.id} are of the same spec, and their results differ"
        if facts.curves.get(other.id) != facts.curves.get(job.id):
            yield f"jobs {other.id} and {job.id} are of the same spec, and their curves differ"


def limits(facts: Facts) -> Iterator[str]:
    """Check that a limited sweep never runs more jobs than its limit."""
    for sweep, limit in facts.limits.items():
        changes = []
        for job in facts.jobs.values():
            for attempt in facts.attempts.get(job.id, ()) if job.sweep == sweep else ():
                changes.append((attempt.started_at, 1))
                changes += [] if attempt.ended_at is None else [(attempt.ended_at, -1)]
        running = most = 0
        for _, change in sorted(changes):
            running += change
            most = max(most, running)
        if most > limit:
            yield f"of sweep {sweep} {most} jobs ran at a time, and only {limit} may"
