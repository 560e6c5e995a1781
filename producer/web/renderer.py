"""The process that renders the jobs of an embedded farm while its dashboard runs.

Its input is a line with the farm's settings as JSON, and ends when the process is to end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from stylefarm.producer.client.farm import Farm
from stylefarm.shared.db.states import State
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
    with Farm(settings) as farm:
        while not ended.is_set():
            try:
                job = farm.services.queries.next_queued()
                if job is None:
                    ended.wait(PAUSE_SECONDS)
                    continue
                _render(farm, job, ended)
            except FarmError as error:
                sys.stderr.write(f"stylefarm web: rendering is paused: {error}\n")
                ended.wait(5)


def _render(farm: Farm, job_id: str, ended: threading.Event) -> None:
    worker = farm.database.embedded_worker
    if worker is None:
        raise RuntimeError("only an embedded farm is rendered here")
    worker.add([job_id])
    while not ended.is_set() and farm.services.queries.job(job_id).state in {State.QUEUED, State.RUNNING}:
        worker.add([])  # raises what has ended the thread
        ended.wait(PAUSE_SECONDS)


def _wait_for_end(ended: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ended.set()


if __name__ == "__main__":
    main()
