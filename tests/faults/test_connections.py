"""A rendering process shares no connection with the slot's process that forked it."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from stylefarm import Farm
from stylefarm.shared.db.states import State
from tests.faults.environment import SHORT, Environment, start_environment
from tests.faults.submissions import SHORT as QUICK
from tests.faults.submissions import submit
from tests.servers.processes import wait_until

SECONDS = 60.0
CONNECTION = re.compile(r"socket:|anon_inode:\[eventpoll\]")


@pytest.mark.timeout(300)
def test_a_painter_in_the_place_of_one_that_died_has_no_connection_of_its_slot(tmp_path: Path) -> None:
    """Given a slot, if its renderer dies, I expect the next one to render, and to hold none of the slot's connections.

    It would keep open what the slot closes, and the slot would wait for its data without end.
    """
    with start_environment(tmp_path, SHORT, workers=1) as farm:
        worker = farm.workers["w0"]
        worker.start()
        _render(farm, "before")
        (embedded_worker,) = worker.renderers()
        embedded_worker.kill()
        wait_until(lambda: any(other.pid != embedded_worker.pid for other in worker.renderers()), SECONDS)
        _render(farm, "after")
        (slot,), (successor,) = worker.slots(), worker.renderers()
        assert len(_connections(slot)) > 1
        assert not _connections(slot) & _connections(successor)
        assert worker.drain(SECONDS) == 0


def _render(farm: Environment, name: str) -> None:
    with Farm(farm.direct) as producer:
        jobs = [producer.find_job(job_id) for job_id in submit(farm, producer, name, QUICK, [1.0])]
        producer.wait(jobs, SECONDS)
        assert {job.status().state for job in jobs} == {State.DONE}


def _connections(process: psutil.Process) -> set[tuple[str, str]]:
    """Its descriptors of sockets and epolls: their number, which a child has inherited with it, and what they are."""
    found = set()
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            what = str(descriptor.readlink())
        except FileNotFoundError:  # closed since
            continue
        if CONNECTION.match(what):
            found.add((descriptor.name, what))
    return found
