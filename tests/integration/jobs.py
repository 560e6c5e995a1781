"""Jobs as tests of the store need them: a new one, one in a worker's hands, and what is said to come out of it."""

from __future__ import annotations

from stylefarm.shared.db.records import Fence, NewJob, StoredObject
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.store import Store

RESULT = StoredObject("jobs/x/1/result.png", "0" * 64, 10)


def new_job(**changes: object) -> NewJob:
    """A job of the least that a spec needs, changed so."""
    spec = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)
    return NewJob(spec.model_copy(update=changes), "a.png", "s.png", ["a note"])


def claimed(store: Store, job_id: str, worker: str = "w", lease: float = 30) -> Fence:
    """Claim a queued job."""
    job = store.attempts.claim(job_id, worker, lease=lease)
    assert job is not None
    return Fence(job.id, job.attempt)
