"""The public API of stylefarm, a render farm for neural style transfer.

from stylefarm import Farm

with Farm() as farm:
    job = farm.submit(content="cat.jpg", style="waves.jpg", iterations=200)
    job.result().save("cat-waves.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylefarm.producer.client.asynchronous import AsyncFarm
    from stylefarm.producer.client.farm import Farm, Job, Result, Snapshot, Sweep
    from stylefarm.producer.client.jobs import as_completed, frame
    from stylefarm.producer.grids import Grid, read_grid
    from stylefarm.producer.reports.comparison import Comparison, compare
    from stylefarm.producer.reports.comparison_files import write_comparison
    from stylefarm.producer.reports.downloads import Downloaded, download_snapshots, download_sweep
    from stylefarm.producer.reports.export import export_losses, export_results
    from stylefarm.producer.reports.loss_files import write_losses
    from stylefarm.producer.reports.overview import sweep_losses, sweep_sheet
    from stylefarm.producer.reports.timelapse import write_timelapse
    from stylefarm.producer.sheets.write import write_sheet
    from stylefarm.producer.views.losses import Losses
    from stylefarm.producer.views.status import Status
    from stylefarm.shared import __version__
    from stylefarm.shared.db.states import State
    from stylefarm.shared.errors import (
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
    from stylefarm.shared.spec.spec import JobSpec, parse_spec

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
    "__version__",
    "as_completed",
    "compare",
    "download_snapshots",
    "download_sweep",
    "export_losses",
    "export_results",
    "frame",
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
    "__version__": "stylefarm.shared",
    "Comparison": "stylefarm.producer.reports.comparison",
    "Downloaded": "stylefarm.producer.reports.downloads",
    "compare": "stylefarm.producer.reports.comparison",
    "download_snapshots": "stylefarm.producer.reports.downloads",
    "download_sweep": "stylefarm.producer.reports.downloads",
    "write_comparison": "stylefarm.producer.reports.comparison_files",
    "AsyncFarm": "stylefarm.producer.client.asynchronous",
    "Farm": "stylefarm.producer.client.farm",
    "FarmError": "stylefarm.shared.errors",
    "Grid": "stylefarm.producer.grids",
    "InvalidImage": "stylefarm.shared.errors",
    "InvalidRequest": "stylefarm.shared.errors",
    "InvalidSpec": "stylefarm.shared.errors",
    "Job": "stylefarm.producer.client.farm",
    "JobFailed": "stylefarm.shared.errors",
    "JobSpec": "stylefarm.shared.spec.spec",
    "Losses": "stylefarm.producer.views.losses",
    "NotFound": "stylefarm.shared.errors",
    "Result": "stylefarm.producer.client.farm",
    "ServiceUnavailable": "stylefarm.shared.errors",
    "Snapshot": "stylefarm.producer.client.farm",
    "State": "stylefarm.shared.db.states",
    "Status": "stylefarm.producer.views.status",
    "StillPending": "stylefarm.shared.errors",
    "StorageFull": "stylefarm.shared.errors",
    "Sweep": "stylefarm.producer.client.farm",
    "as_completed": "stylefarm.producer.client.jobs",
    "frame": "stylefarm.producer.client.jobs",
    "export_losses": "stylefarm.producer.reports.export",
    "export_results": "stylefarm.producer.reports.export",
    "parse_spec": "stylefarm.shared.spec.spec",
    "read_grid": "stylefarm.producer.grids",
    "sweep_losses": "stylefarm.producer.reports.overview",
    "sweep_sheet": "stylefarm.producer.reports.overview",
    "write_losses": "stylefarm.producer.reports.loss_files",
    "write_sheet": "stylefarm.producer.sheets.write",
    "write_timelapse": "stylefarm.producer.reports.timelapse",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
