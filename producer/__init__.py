"""The public API of stylefarm.

from producer import Farm

with Farm() as farm:
    job = farm.submit(content="cat.jpg", style="waves.jpg", iterations=200)
    job.result().save("cat-waves.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.farm import Farm, Job, Result, Snapshot, Sweep
    from producer.grids import Grid, read_grid
    from producer.overview import sweep_losses, sweep_sheet
    from producer.status import Status
    from shared.errors import (
        FarmError,
        InvalidImage,
        InvalidRequest,
        InvalidSpec,
        JobFailed,
        NotFound,
        ServiceUnavailable,
        StillPending,
        StorageFull,
    )
    from shared.spec import JobSpec, parse_spec
    from shared.states import State

__all__ = [
    "Farm",
    "FarmError",
    "Grid",
    "InvalidImage",
    "InvalidRequest",
    "InvalidSpec",
    "Job",
    "JobFailed",
    "JobSpec",
    "NotFound",
    "Result",
    "ServiceUnavailable",
    "Snapshot",
    "State",
    "Status",
    "StillPending",
    "StorageFull",
    "Sweep",
    "parse_spec",
    "read_grid",
    "sweep_losses",
    "sweep_sheet",
]

# Imported when they are asked for: `stylefarm --help` must not wait for a database driver.
_PLACES = {
    "Farm": "producer.farm",
    "FarmError": "shared.errors",
    "Grid": "producer.grids",
    "InvalidImage": "shared.errors",
    "InvalidRequest": "shared.errors",
    "InvalidSpec": "shared.errors",
    "Job": "producer.farm",
    "JobFailed": "shared.errors",
    "JobSpec": "shared.spec",
    "NotFound": "shared.errors",
    "Result": "producer.farm",
    "ServiceUnavailable": "shared.errors",
    "Snapshot": "producer.farm",
    "State": "shared.states",
    "Status": "producer.status",
    "StillPending": "shared.errors",
    "StorageFull": "shared.errors",
    "Sweep": "producer.farm",
    "parse_spec": "shared.spec",
    "read_grid": "producer.grids",
    "sweep_losses": "producer.overview",
    "sweep_sheet": "producer.overview",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
