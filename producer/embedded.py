"""The farm in one process: a thread that paints what is queued. The one door from here to `worker`."""

from __future__ import annotations

import os
import platform
import queue
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.errors import InvalidSettings
from shared.services import Services

if TYPE_CHECKING:
    from worker.runner import Worker


class Painter:
    """Paints jobs one after the other on a thread of its own; torch is imported when the first one comes."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pending: set[str] = set()
        self._interrupted = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def add(self, job_ids: Iterable[str]) -> None:
        """Queues jobs, in that order, that are not queued here already. Raises what ended the painting before."""
        self.check()
        for job_id in job_ids:
            if job_id not in self._pending:
                self._pending.add(job_id)
                self._queue.put(job_id)
        if self._thread is None:
            # A daemon, so that a program which forgets to close its farm still ends; its job's lease then runs out.
            self._thread = threading.Thread(target=self._work, name="painter", daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Raises what ended the painting, if anything did."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stops: the job at hand goes back into the queue of the farm, with those that have not begun."""
        self._interrupted.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            worker = self._worker()
            while not self._interrupted.is_set():
                job_id = self._queue.get()
                if job_id is None:
                    return
                worker.run(job_id)
                self._pending.discard(job_id)
        except BaseException as error:  # noqa: BLE001 - raised again in `check`, on the thread that waits
            self._error = error

    def _worker(self) -> Worker:
        try:
            import torch

            from worker.log import configure_embedded
            from worker.runner import Worker
        except ModuleNotFoundError as error:
            raise InvalidSettings(
                f"painting on this machine needs the package {error.name}: pip install 'stylefarm[worker]'"
            ) from None
        configure_embedded()
        if self.services.settings.threads is not None:
            torch.set_num_threads(self.services.settings.threads)
        return Worker(self.services, f"{platform.node()}:{os.getpid()}", self._interrupted)
