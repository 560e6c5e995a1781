"""The public API of stylefarm.

    from producer import Farm

    with Farm() as farm:
        job = farm.submit(content="cat.jpg", style="waves.jpg", iterations=200)
        job.result().save("cat-waves.png")
"""

from producer.farm import Farm, Job, Result, Sweep
from producer.grid import Grid, read_grid
from producer.status import Status
from shared.errors import FarmError, JobFailed, NotFound, ServiceUnavailable, StillPending
from shared.spec import JobSpec, parse_spec
from shared.states import State

__all__ = [
    "Farm",
    "FarmError",
    "Grid",
    "Job",
    "JobFailed",
    "JobSpec",
    "NotFound",
    "Result",
    "ServiceUnavailable",
    "State",
    "Status",
    "StillPending",
    "Sweep",
    "parse_spec",
    "read_grid",
]
