"""What a slot counts while it renders. `monitoring.server` serves it, and docs/watching.md explains it.

`host.slot` decides where the numbers are kept before this module is imported, so only rendering processes import it. In
an embedded farm they stay in the memory of the process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import Counter, Histogram

Upload = Literal["result", "snapshot", "checkpoint", "model"]

JOB_BUCKETS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
UPLOAD_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60)

# In no registry: prometheus_client's default one belongs to the program that contains an embedded farm.
ITERATIONS = Counter("stylefarm_iterations", "Iterations that were rendered.", registry=None)
ATTEMPTS = Counter("stylefarm_attempts", "Claimed jobs that were let go, by outcome.", ["outcome"], registry=None)
JOB_SECONDS = Histogram(
    "stylefarm_job_seconds",
    "Seconds from the claim to the end of jobs that were done.",
    buckets=JOB_BUCKETS,
    registry=None,
)
LEASE_LOSSES = Counter("stylefarm_lease_losses", "Jobs that were no longer ours when they ended.", registry=None)
OUT_OF_MEMORY = Counter(
    "stylefarm_out_of_memory",
    "Times that the memory did not suffice, and a job was begun again or given up.",
    registry=None,
)
UPLOAD_SECONDS = Histogram(
    "stylefarm_upload_seconds",
    "Seconds that uploads took, with the waits for a store that was away, by kind.",
    ["kind"],
    buckets=UPLOAD_BUCKETS,
    registry=None,
)


@contextmanager
def uploading(kind: Upload) -> Iterator[None]:
    """Time an upload; one that fails is not counted."""
    started = time.monotonic()
    yield
    UPLOAD_SECONDS.labels(kind).observe(time.monotonic() - started)


# So that these counters are served as 0 from the start.
for _kind in get_args(Upload):
    UPLOAD_SECONDS.labels(_kind)
