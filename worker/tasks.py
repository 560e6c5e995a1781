"""What Celery calls: a message carries a job's id and nothing else.

Importing this module must not import torch: the parent of a worker's pool does, and a process that has started CUDA
cannot fork. The child imports the runner when it starts.
"""

from __future__ import annotations

import importlib
import os
import secrets
import signal
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import structlog
from celery import Task, shared_task
from celery.signals import setup_logging, worker_process_init, worker_ready

from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.queue.messages import TASK
from stylefarm.shared.queue.routes import HIGHEST, to_redis
from stylefarm.shared.services import Services, connect_services
from stylefarm.shared.settings import load_settings
from stylefarm.worker.host import parent_watch, shutdown

# Common to the processes that one slot has one after the other: the parent imports this module before it forks them.
FAMILY = secrets.token_hex(4)

log = structlog.get_logger("stylefarm.worker")

BARRED_SECONDS = 5.0

INTERRUPTED = threading.Event()

if TYPE_CHECKING:
    from stylefarm.worker.attempt.outcome import JobMove
    from stylefarm.worker.attempt.runner import Worker


@shared_task(name=TASK, bind=True)
def render(self: Task[..., None], job_id: str) -> None:
    """Render the job, if it is still to be rendered."""
    from stylefarm.worker.attempt.outcome import JobMove

    worker = this_worker(str(self.request.hostname))
    step = (self.request.delivery_info or {}).get("priority")
    outcomes = worker.run(job_id, to_redis(HIGHEST if step is None else step))
    if JobMove.BARRED in outcomes.values():
        # The supervisor is about to stop this process; until then it must not take one hint after the other.
        time.sleep(BARRED_SECONDS)
    for each, outcome in outcomes.items():
        _announce(worker.services, each, outcome)
    if worker.broken.is_set():
        os.kill(os.getpid(), signal.SIGKILL)


def _announce(services: Services, job_id: str, outcome: JobMove) -> None:
    """Announce what can be claimed now; if Redis does not answer, the reconciler does it later."""
    from stylefarm.worker.attempt.outcome import JobMove

    if services.announcer is None or outcome is JobMove.NOT_OURS:
        return
    try:
        if outcome in {JobMove.RELEASED, JobMove.BARRED}:
            services.announcer.announce([job_id])
        else:
            services.announcer.announce_after(job_id)
    except ServiceUnavailable as error:
        log.warning("not announced", reason=str(error))


@lru_cache(maxsize=1)
def this_worker(name: str) -> Worker:
    """Return the worker that this process is; `name` is what Celery calls it ("name@host").

    No other worker ever has the same name: process ids are reused when a container restarts.
    """
    import torch

    from stylefarm.worker.attempt.runner import Worker

    settings = load_settings()
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    return Worker(connect_services(settings), f"{name}:{FAMILY}:{os.getpid()}:{secrets.token_hex(2)}", INTERRUPTED)


@worker_process_init.connect
def _warm_up(**_options: Any) -> None:
    """Tie the rendering process to its parent, and import torch before the first job comes.

    What the process before it was rendering when it died is taken back at once, without waiting for the lease.
    """
    parent_watch.end_with(os.getppid())
    shutdown.set_on_request(INTERRUPTED)
    _ignore_hangup()
    services = connect_services(load_settings())
    try:
        lost = services.store.maintenance.reclaim_dead(f":{FAMILY}:")
        # Celery has logged that the process died, but not at which job.
        for job in services.queries.jobs(lost):
            log.warning("its process died", job=job.id, attempt=job.attempt, state=str(job.state))
        if lost and services.announcer is not None:
            services.announcer.announce(lost)
    except ServiceUnavailable as error:
        log.warning("not taken back before the lease runs out", reason=str(error))
    importlib.import_module("stylefarm.worker.attempt.runner")


@worker_ready.connect
def _ignore_hangup(**_options: Any) -> None:
    """Leave it to the supervisor what follows from a closed terminal: Celery would start itself again."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@setup_logging.connect
def _own_log(**_options: Any) -> None:
    """Keep Celery from setting up a log of its own: `stylefarm.worker.cli.start` has set up ours."""
