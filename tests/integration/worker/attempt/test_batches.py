"""Jobs that a worker takes and renders together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import Engine

from stylefarm import Farm, Job, JobFailed, State
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import Fence, JobSelector, NewJob
from stylefarm.shared.dispatch.workers import NewWorker
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from stylefarm.worker.attempt import batch, sinks
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.outcome import JobMove
from stylefarm.worker.attempt.runner import Worker
from stylefarm.worker.engine.hardware.budget import USABLE
from stylefarm.worker.engine.methods import iterative
from stylefarm.worker.engine.methods.method import Progress
from tests.integration.worker.attempt.held import until_stopped
from tests.weights_files import squeezenet_state, write_torch

SHALLOW: dict[str, Any] = {
    "content_layers": ["relu2_1"],
    "style_layers": ["relu1_1", "relu2_1"],
    "size": 32,
    "style_loss": "gram",
}
WEIGHTS = (10.0, 100.0, 1000.0)
ITERATIONS = 60

# Jobs that wait half-way to be paused or cancelled: they might be done before.
HELD: set[str] = set()


def new_job(batch_key: str | None = "a", **terms: Any) -> NewJob:
    spec = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)
    return NewJob(spec, "a.png", "s.png", terms=Terms(**terms), batch_key=batch_key)


def test_others_like_it_are_claimed_with_a_job(store: Store, engine: Engine) -> None:
    """Given jobs of one key, if one is claimed, I expect the oldest others with it, as many as are wanted."""
    ids = store.submissions.create([new_job() for _ in range(5)])
    claimed = store.attempts.claim_batch(ids[3], "w", most=3)
    assert claimed[0].id == ids[3]
    assert len({job.id for job in claimed}) == 3
    for job in claimed:
        row = Queries(engine).job(job.id)
        assert (row.state, row.worker, row.attempt) == (State.RUNNING, "w", 1)
        assert [event.reason for event in Queries(engine).events(job.id)] == ["submitted", "claimed"]
        assert [attempt.worker for attempt in Queries(engine).attempts(job.id)] == ["w"]
    left = [job_id for job_id in ids if job_id not in {job.id for job in claimed}]
    assert [Queries(engine).job(job_id).state for job_id in left] == [State.QUEUED] * 2
    assert {job.id for job in store.attempts.claim_batch(ids[3], "w", most=3)} == {job.id for job in claimed}, (
        "asked again"
    )


def test_what_is_not_like_it_is_left(store: Store) -> None:
    """Given jobs of other keys, less urgent, tried before, or of a limited sweep, I expect none claimed with it."""
    first, _, _, _, tried = store.submissions.create(
        [new_job(), new_job("b"), new_job(None), new_job(priority=2), new_job()],
    )
    store.submissions.create_sweep("limited", {}, [new_job(), new_job()], max_running=1)
    job = store.attempts.claim(tried, "v")
    assert job is not None
    assert store.attempts.release(Fence(job.id, job.attempt), "stopped", {})
    assert [job.id for job in store.attempts.claim_batch(first, "w", most=9)] == [first]
    assert [job.id for job in store.attempts.claim_batch(tried, "w", most=9)] == [tried], (
        "what was tried before goes alone"
    )


def test_what_was_left_to_its_lease_is_not_rendered_with_others(store: Store) -> None:
    """Given jobs that a worker left running, if it claims one of another key twice, I expect that one both times."""
    left, alone, other, last = store.submissions.create([new_job("a"), new_job(None), new_job("b"), new_job(None)])
    for job_id in (left, alone, other, last):
        assert [job.id for job in store.attempts.claim_batch(job_id, "w", most=9)] == [job_id]
    assert [job.id for job in store.attempts.claim_batch(other, "w", most=9)] == [other]
    assert [job.id for job in store.attempts.claim_batch(last, "w", most=9)] == [last]


def test_no_job_is_claimed_twice(postgres_url: str) -> None:
    """Given workers that claim batches at the same time, I expect each job claimed by one of them."""
    from stylefarm.shared.db.connection import connect

    store = Store(connect(postgres_url))
    ids = store.submissions.create([new_job() for _ in range(60)])
    barrier = threading.Barrier(4)

    def work(number: int) -> list[str]:
        barrier.wait()
        claimed = []
        for job_id in ids[number::4]:
            claimed += [job.id for job in store.attempts.claim_batch(job_id, f"w{number}:{job_id}", most=4)]
        return claimed

    with ThreadPoolExecutor(4) as pool:
        claimed = [job_id for found in pool.map(work, range(4)) for job_id in found]
    assert sorted(claimed) == sorted(ids)


@pytest.fixture
def fields(pictures: Path) -> dict[str, Any]:
    return {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), **SHALLOW, "snapshot_every": 4}


@pytest.fixture
def batching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    monkeypatch.setenv("STYLEFARM_BATCH", "8")
    monkeypatch.setenv("STYLEFARM_HEARTBEAT_SECONDS", "0.05")
    monkeypatch.setenv("STYLEFARM_CHECKPOINT_SECONDS", "0.1")
    with Farm() as farm:
        yield farm


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the jobs of HELD; what they have done by then is told at each step."""
    monkeypatch.setattr(sinks, "FLUSH_SECONDS", 0.0)
    on_progress = Attempt.on_progress

    def held(attempt: Attempt, progress: Progress) -> None:
        if attempt.job.id in HELD and attempt.job.attempt == 1 and progress.iteration == ITERATIONS // 2:
            until_stopped(attempt)
        on_progress(attempt, progress)

    monkeypatch.setattr(Attempt, "on_progress", held)


def swept(farm: Farm, fields: dict[str, Any], weights: Sequence[float] = WEIGHTS, **changes: Any) -> list[Job]:
    """Queue them, also what was rendered before."""
    return [farm.submit(**{**fields, **changes}, style_weight=weight, force=True) for weight in weights]


def ended(farm: Farm, jobs: Sequence[Job], watch: Callable[[Sequence[Status]], None] | None = None) -> list[Status]:
    return [job.wait(timeout=120, watch=watch) for job in jobs]


def batches(farm: Farm, jobs: Sequence[Job]) -> list[int | None]:
    return [farm.services.queries.attempts(job.id)[-1].record.get("batch") for job in jobs]


@pytest.mark.parametrize("features", ["random", "squeezenet"])
def test_each_gets_what_it_gets_alone(batching: Farm, fields: dict[str, Any], features: str, pictures: Path) -> None:
    """Given jobs that differ in a weight, if they are rendered together, I expect the bytes and curve of each."""
    if features == "squeezenet":
        weights = str(write_torch(pictures / "squeezenet.pth", squeezenet_state()))
        del fields["content_layers"], fields["style_layers"], fields["style_loss"]
        fields.update(features=features, weights=weights, size=64, precision="fp32")
    jobs = swept(batching, fields, iterations=10)
    assert [status.state for status in ended(batching, jobs)] == [State.DONE] * 3
    assert batches(batching, jobs) == [3, 3, 3]
    with Farm(batching.settings.model_copy(update={"batch": 1})) as alone:
        for job, other in zip(jobs, swept(alone, fields, iterations=10), strict=True):
            assert other.result(timeout=120).data == job.result().data
            assert other.losses() == job.losses()
            assert [s.fetch().data for s in other.snapshots()] == [s.fetch().data for s in job.snapshots()]
            assert batches(alone, [other]) == [None]


def test_one_that_diverges_does_not_touch_the_others(batching: Farm, fields: dict[str, Any]) -> None:
    """Given a batch in which one leaves the numbers, I expect it failed, and the others done as they are alone."""
    jobs = swept(batching, fields, (0.001, 1e12, 0.002), iterations=8, optimizer="sgd", learning_rate=0.1)
    statuses = ended(batching, jobs)
    assert batches(batching, jobs) == [3, 3, 3]
    assert [status.state for status in statuses] == [State.DONE, State.FAILED, State.DONE]
    with pytest.raises(JobFailed, match="finite"):
        jobs[1].result()


@pytest.mark.usefixtures("holding")
def test_one_that_is_cancelled_ends_at_once(batching: Farm, fields: dict[str, Any]) -> None:
    """Given a running batch, if one job is cancelled and one paused, I expect both let go, and the third done."""
    jobs = swept(batching, fields, iterations=ITERATIONS)
    HELD.update(job.id for job in jobs[1:])
    let_go: list[bool] = []

    def watch(statuses: Sequence[Status]) -> None:
        if not let_go and all(job.status().iteration > 0 for job in jobs):
            let_go.extend([jobs[1].cancel(), jobs[2].pause()])

    jobs[0].wait(timeout=120, watch=watch)
    assert let_go == [True, True]
    first, cancelled, paused = (job.status() for job in jobs)
    assert (first.state, cancelled.state, paused.state) == (State.DONE, State.CANCELLED, State.PAUSED)
    assert 0 < cancelled.iteration < first.iteration
    assert jobs[2].resume()
    resumed = jobs[2].wait(timeout=120)
    assert (resumed.state, resumed.attempt) == (State.DONE, 2)
    attempt = batching.services.queries.attempts(jobs[2].id)[-1]
    assert attempt.record["resumed"]["iteration"] > 0, "it goes on from a checkpoint that was stored in the batch"
    assert jobs[2].losses().iteration.tolist() == list(range(ITERATIONS + 1))


@pytest.mark.usefixtures("holding")
def test_a_resumed_member_of_a_batch_gets_the_bytes_of_one_that_ran_through(
    batching: Farm, fields: dict[str, Any]
) -> None:
    """Given a batch, if one is paused and resumed alone, I expect the bytes that it has without a pause."""
    expected = swept(batching, fields, WEIGHTS[:1], iterations=ITERATIONS)[0].result(timeout=120).data
    jobs = swept(batching, fields, iterations=ITERATIONS)
    HELD.add(jobs[0].id)
    asked: list[bool] = []

    def watch(statuses: Sequence[Status]) -> None:
        if statuses[0].state is State.RUNNING and statuses[0].iteration > 0 and not asked:
            asked.append(jobs[0].pause())
        if statuses[0].state is State.PAUSED:
            jobs[0].resume()

    assert jobs[0].wait(timeout=120, watch=watch).attempt == 2
    assert asked == [True]
    assert jobs[0].result().data == expected


def test_what_does_not_fit_together_is_rendered_one_by_one(
    batching: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given memory for one picture, if three are claimed together, I expect each rendered alone, and well."""
    (job,) = swept(batching, fields, WEIGHTS[:1], iterations=2, size=128)
    job.wait(timeout=120)
    (plan,) = batching.services.queries.attempts(job.id)[0].record["path"]["memory"]
    monkeypatch.setattr(batch, "available_memory", lambda device, limit: round(plan["bytes"] / USABLE) + 1)
    jobs = swept(batching, fields, iterations=2, size=128)
    assert [status.state for status in ended(batching, jobs)] == [State.DONE] * 3
    records = [batching.services.queries.attempts(job.id)[0].record for job in jobs]
    assert [(record.get("batch"), len(record["path"]["memory"])) for record in records] == [(None, 1)] * 3


def test_a_gpu_that_fails_under_a_batch_is_one_failure(
    batching: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given three jobs that are rendered together, if the GPU fails, I expect one failure counted, and all queued."""

    def fails(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(iterative, "optimize", fails)
    jobs = swept(batching, fields, iterations=2)
    batching.services.workers.register([NewWorker("slot", "host", "gpu")])
    worker = Worker(batching.services, "slot:1", threading.Event())
    assert list(worker.run(jobs[0].id).values()) == [JobMove.RELEASED] * 3
    (listed,) = batching.services.workers.listed()
    assert (listed.state, listed.worker.failures, worker.broken.is_set()) == ("active", 1, True)
    assert [job.status().state for job in jobs] == [State.QUEUED] * 3


def test_a_batch_is_let_go_together(engine: Engine, pictures: Path) -> None:
    """Given jobs of one key, if all are cancelled before they begin, I expect nothing left to claim."""
    store = Store(engine)
    ids = store.submissions.create([new_job() for _ in range(3)])
    for job_id in ids:
        assert store.commands.cancel(JobSelector(job=job_id))
    assert store.attempts.claim_batch(ids[0], "w", most=3) == []
