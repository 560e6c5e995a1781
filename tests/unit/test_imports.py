"""What importing a part of stylefarm brings along: a command must not wait for what it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "skimage"}


@pytest.mark.parametrize(
    ("statements", "unwanted"),
    [
        ("import stylefarm\nfor name in stylefarm.__all__: getattr(stylefarm, name)", HEAVY),
        ("import stylefarm.producer.cli", {*HEAVY, "pydantic", "sqlalchemy", "celery", "PIL"}),
        # What paints is forked from the process that imports this, and must be the first to open its files of metrics.
        ("import stylefarm.worker.tasks", {*HEAVY, "prometheus_client"}),
        ("import stylefarm.worker.cli.start", {*HEAVY, "prometheus_client"}),
        ("import stylefarm.worker.monitoring.server", HEAVY),
    ],
    ids=["the API", "the command line", "tasks", "worker start", "the metrics server"],
)
def test_what_is_not_used_is_not_imported(statements: str, unwanted: set[str]) -> None:
    """Given a fresh process, if it imports a part, I expect none of the packages that this part can do without."""
    script = f"{statements}\nimport sys\nprint(*sys.modules, sep='\\n')"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    imported = set(ended.stdout.split())
    assert "stylefarm.shared" in imported
    assert not imported & unwanted
