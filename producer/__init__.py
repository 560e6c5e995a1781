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
    from producer.asynchronous import AsyncFarm
    from producer.comparison import Comparison, compare
    from producer.comparison_files import write_comparison
    from producer.curve import Losses
    from producer.downloads import Downloaded, download_snapshots, download_sweep
    from producer.export import export_losses, export_results
    from producer.farm import Farm, Job, Result, Snapshot, Sweep
    from producer.grids import Grid, read_grid
    from producer.jobs import as_completed
    from producer.losses import write_losses
    from producer.overview import sweep_losses, sweep_sheet
    from producer.sheets.write import write_sheet
    from producer.status import Status
    from producer.timelapse import write_timelapse
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
    "AsyncFarm",
    "Comparison",
    "Downloaded",
    "Farm",
    "FarmError",
    "Grid",
    "InvalidImage",
    "InvalidRequest",
    "InvalidSpec",
    "Job",
    "JobFailed",
    "JobSpec",
    "Losses",
    "NotFound",
    "Result",
    "ServiceUnavailable",
    "Snapshot",
    "State",
    "Status",
    "StillPending",
    "StorageFull",
    "Sweep",
    "as_completed",
    "compare",
    "download_snapshots",
    "download_sweep",
    "export_losses",
    "export_results",
    "parse_spec",
    "read_grid",
    "sweep_losses",
    "sweep_sheet",
    "write_comparison",
    "write_losses",
    "write_sheet",
    "write_timelapse",
]

# Imported when they are asked for: `stylefarm --help` must not wait for a database driver.
_PLACES = {
    "Comparison": "producer.comparison",
    "Downloaded": "producer.downloads",
    "compare": "producer.comparison",
    "download_snapshots": "producer.downloads",
    "download_sweep": "producer.downloads",
    "write_comparison": "producer.comparison_files",
    "AsyncFarm": "producer.asynchronous",
    "Farm": "producer.farm",
    "FarmError": "shared.errors",
    "Grid": "producer.grids",
    "InvalidImage": "shared.errors",
    "InvalidRequest": "shared.errors",
    "InvalidSpec": "shared.errors",
    "Job": "producer.farm",
    "JobFailed": "shared.errors",
    "JobSpec": "shared.spec",
    "Losses": "producer.curve",
    "NotFound": "shared.errors",
    "Result": "producer.farm",
    "ServiceUnavailable": "shared.errors",
    "Snapshot": "producer.farm",
    "State": "shared.states",
    "Status": "producer.status",
    "StillPending": "shared.errors",
    "StorageFull": "shared.errors",
    "Sweep": "producer.farm",
    "as_completed": "producer.jobs",
    "export_losses": "producer.export",
    "export_results": "producer.export",
    "parse_spec": "shared.spec",
    "read_grid": "producer.grids",
    "sweep_losses": "producer.overview",
    "sweep_sheet": "producer.overview",
    "write_losses": "producer.losses",
    "write_sheet": "producer.sheets.write",
    "write_timelapse": "producer.timelapse",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
