"""The farm in one process: a thread that renders queued jobs. Only this module imports from `worker`."""

from __future__ import annotations

import atexit
import os
import platform
import queue
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stylefarm.shared.errors import InvalidRequest, InvalidSettings
from stylefarm.shared.services import Services
from stylefarm.shared.settings import Settings

if TYPE_CHECKING:
    from PIL import Image

    from stylefarm.shared.spec.spec import JobSpec
    from stylefarm.shared.spec.training import TrainingSpec
    from stylefarm.worker.attempt.runner import Worker
    from stylefarm.worker.attempt.training_estimate import TrainingEstimate
    from stylefarm.worker.render.estimates import Estimate


class EmbeddedWorker:
    """Render jobs one after the other on a thread of its own; torch is imported when the first one comes.

    Args:
        services: the farm's.

    Example:
        worker = EmbeddedWorker(farm.services)
        worker.add([job.id for job in jobs])  # returns at once
        farm.wait(jobs)
        worker.close()
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pending: set[str] = set()
        self._interrupted = threading.Event()
        self._starting = threading.Lock()
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self.times_emptied = 0
        """How often all queued jobs had been rendered."""
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def add(self, job_ids: Iterable[str]) -> None:
        """Queue jobs, in that order, that are not queued here already.

        Args:
            job_ids: whole ids.

        Raises:
            InvalidRequest: the farm is closed.
            BaseException: what ended the thread before; raised once.
        """
        with self._starting:
            self._raise_error()
            if self._interrupted.is_set():
                raise InvalidRequest("this farm is closed and renders no more: open another one")
            for job_id in job_ids:
                if job_id not in self._pending:
                    self._pending.add(job_id)
                    self._queue.put(job_id)
            if self._thread is None:
                # So that a program that forgets to close its farm still ends, and requeues the running job.
                atexit.register(self.close)
                self._ended.clear()
                self._thread = threading.Thread(target=self._work, name="renderer", daemon=True)
                self._thread.start()

    def wait_until_emptied(self, times_emptied: int, seconds: float) -> None:
        """Wait until all queued jobs have been rendered once more, at most so long.

        Args:
            times_emptied: what `times_emptied` was before; if it is another number already, this returns at once.
            seconds: the longest time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.times_emptied != times_emptied, seconds)

    def close(self) -> None:
        """Stop: the running job goes back into the queue of the farm, with those that have not begun."""
        self._interrupted.set()
        self._queue.put(None)
        if self._thread is not None:
            # A join that Ctrl-C interrupts marks the thread as ended, and Python would then exit while it still runs.
            self._ended.wait()
            self._thread.join()
            atexit.unregister(self.close)

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            self._thread = None
            self._pending.clear()
            raise error

    def _work(self) -> None:
        try:
            worker = self._worker()
            while not self._interrupted.is_set():
                job_id = self._queue.get()
                if job_id is None:
                    return
                worker.run(job_id)
                self._pending.discard(job_id)
                if not self._pending:
                    self._tell_emptied()
        except BaseException as error:  # noqa: BLE001 - raised again in `add`, on the thread that waits
            self._error = error
        finally:
            self._ended.set()
            self._tell_emptied()

    def _tell_emptied(self) -> None:
        with self._changed:
            self.times_emptied += 1
            self._changed.notify_all()

    def _worker(self) -> Worker:
        with _needs_worker():
            # Before torch, which reads the variables that this sets only once.
            from stylefarm.worker.attempt.runner import Worker
            from stylefarm.worker.host.log import configure_embedded

            import torch  # isort: skip
        configure_embedded()
        if self.services.settings.threads is not None:
            torch.set_num_threads(self.services.settings.threads)
        return Worker(self.services, f"{platform.node()}:{os.getpid()}:{secrets.token_hex(2)}", self._interrupted)


def estimate(spec: JobSpec, fetch: Callable[[str], Image.Image], settings: Settings) -> Estimate:
    """Estimate the time and the memory that a resolved spec takes on this machine.

    Args:
        spec: its pictures are content hashes.
        fetch: returns the picture of a content hash.
        settings: the memory and the threads that may be used.

    Raises:
        OutOfMemory: it cannot fit; the sentence names the size that can.
        InvalidSettings: the worker's packages are not installed.

    Example:
        found = estimate(job.spec, resolver.picture, farm.settings)
        print(found.seconds, found.bytes)
    """
    # Imported here, since rendering needs no spinner.
    from stylefarm.producer.terminal.progress import working

    with working("timing a few iterations"):
        with _needs_worker():
            from stylefarm.worker.render.estimate import estimate as estimated
        return estimated(spec, fetch, settings)


def estimate_training(spec: TrainingSpec, services: Services) -> TrainingEstimate:
    """Estimate the time and the memory that a resolved training takes on this machine, by a few of its steps.

    Args:
        spec: what it names is in the farm's object store.
        services: the farm's.

    Raises:
        OutOfMemory: it cannot fit.
        InvalidSettings: the worker's packages are not installed.

    Example:
        found = estimate_training(job.spec, farm.services)
        print(found.seconds, found.bytes)
    """
    from stylefarm.producer.terminal.progress import working

    with working("timing a few steps"):
        with _needs_worker():
            from stylefarm.worker.attempt.training_estimate import estimate_training as estimated
        return estimated(spec, services)


@contextmanager
def _needs_worker() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidSettings(
            f"rendering on this machine needs the package {error.name}: pip install 'stylefarm[worker]'"
        ) from None
