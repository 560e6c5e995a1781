"""Fixtures that every level of tests shares."""

from __future__ import annotations

import os

# Before torch is imported, here and in the programs that are started: tests run side by side, and threads of OpenMP
# that share a core wait for each other by spinning, which takes twice the time of the work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# isort: split
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from stylefarm.shared.settings import load_settings

# Half of the usual examples, which still find what the laws are for; no limits of time, since tests share two cores.
# The same examples in every run, so that a change is judged by what it changes; "explore" draws others each time.
settings.register_profile(
    "suite", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("suite"), max_examples=500, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

pytest_plugins = ["tests.servers.fixtures", "tests.databases", "tests.webhook_receiver", "tests.packaged"]


def pytest_configure() -> None:
    """Take note of SIGHUP: a run under nohup ignores it, and so would the programs that it starts and sends it to."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Hide the user's own settings, home and cached weights from each test."""
    for variable in list(os.environ):
        if variable.upper().startswith("STYLEFARM_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("STYLEFARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("NO_COLOR", "1")
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two small contents and two small styles, each unlike the others: a.png, b.png, s.png, t.png."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_pictures(folder)
    return folder


def write_pictures(folder: Path) -> None:
    """Write the pictures of the fixture of that name."""
    for seed, name in enumerate(("a", "b", "s", "t")):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((48, 36), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
