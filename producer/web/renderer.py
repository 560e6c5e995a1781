"""The process that renders the jobs of an embedded farm while its dashboard runs.

Its input is a line with the farm's settings as JSON, and ends when the process is to end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from stylefarm.producer.backends.wait_tasks import DatabaseWaitTasks
from stylefarm.producer.client.farm import Farm
from stylefarm.shared.errors import FarmError
from stylefarm.shared.settings import Settings

# Between two looks at the queue.
PAUSE_SECONDS = 0.5


def main() -> None:
    """Render queued jobs, the most urgent first, until the input ends."""
    ended = threading.Event()
    # Ctrl-C reaches every process of the terminal; this one is told to end by the one that began it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = Settings(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    last: str | None = None
    with Farm(settings) as farm:
        # As a program that waits does: nobody else requeues what was left by a process that was killed.
        tasks = farm.database.wait_tasks(())
        while not ended.is_set():
            try:
                tasks.before_poll()
                job = farm.services.queries.next_queued()
                # That it is the last one once more means that it could not be claimed, has failed, or is tried again.
                if job is None or job == last:
                    ended.wait(PAUSE_SECONDS)
                if job is not None:
                    _render(farm, job, tasks, ended)
                last = job
            except FarmError as error:
                sys.stderr.write(f"stylefarm web: rendering is paused: {error}\n")
                ended.wait(5)


def _render(farm: Farm, job_id: str, tasks: DatabaseWaitTasks, ended: threading.Event) -> None:
    """Have the embedded worker try one job, whatever comes of it; return then, or when the process is to end."""
    worker = farm.database.embedded_worker
    if worker is None:
        raise RuntimeError("only an embedded farm is rendered here")
    emptied = worker.times_emptied
    worker.add([job_id])
    while not ended.is_set() and worker.times_emptied == emptied:
        worker.wait_until_emptied(emptied, PAUSE_SECONDS)
        tasks.before_poll()
    worker.add([])  # raises what has ended the thread


def _wait_for_end(ended: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ended.set()


if __name__ == "__main__":
    main()
