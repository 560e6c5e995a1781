"""Wall time of the commands that show a large sweep."""

from __future__ import annotations

import subprocess
import time

from benchmarks.farm.environment import BenchmarkFarm, format_spread
from benchmarks.farm.store import MANY, new_job, vacuum
from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.records import Fence, StoredObject
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.store import Store
from tests.programs import PROGRAM

# So many jobs are done, and as many have failed, which the commands must find among all others.
ENDED = 2_000


def sweep_commands(setup: BenchmarkFarm) -> list[tuple[str, str, str]]:
    """`sweep show`, `sweep list` and `job list` beside a sweep of 100,000 jobs, of which some are done or failed."""
    store = Store(connect(setup.settings.database))
    sweep, ids = store.submissions.create_sweep(
        "many", {"seed": list(range(MANY))}, [new_job(number) for number in range(MANY)]
    )
    result = StoredObject("jobs/bench/1/result.png", "0" * 64, 1)
    for number, job_id in enumerate(ids[: 2 * ENDED]):
        job = store.attempts.claim(job_id, "bench")
        assert job is not None
        fence = Fence(job_id, job.attempt)
        if number % 2:
            store.attempts.finish(fence, result, {"seconds": 1.0})
        else:
            store.attempts.fail(fence, InvalidImage("made to fail"), {})
    vacuum(setup)
    commands = {
        f"`sweep show`, {MANY:,} jobs, the whole command": (["sweep", "show", sweep], "0.5 s"),
        "the same with --json": (["sweep", "show", sweep, "--json"], "0.5 s"),
        "`sweep list`": (["sweep", "list"], "0.5 s"),
        "`job list`": (["job", "list"], "0.5 s"),
        "`job list --sweep`, 1,000 of them": (["job", "list", "--sweep", sweep, "--limit", "1000", "-q"], "1 s"),
        "of these commands, `--help`": (["--help"], "0.3 s"),
    }
    return [
        (what, target, format_spread(_seconds(setup, arguments), "s")) for what, (arguments, target) in commands.items()
    ]


def _seconds(setup: BenchmarkFarm, arguments: list[str], count: int = 7) -> list[float]:
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        subprocess.run([str(PROGRAM), *arguments], env=setup.variables, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return seconds
