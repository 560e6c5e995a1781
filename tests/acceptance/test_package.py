"""The distribution: what it installs, what a package index shows of it, and who it lives beside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

from tests import REPOSITORY
from tests.programs import SHALLOW_OPTIONS

OURS = ("shared", "producer", "worker", "migrations")
# What a wheel is made from; what a user has in the folder beside it (pictures, results) is not.
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.py", "stylefarm", *OURS)
DATA = {
    "stylefarm/py.typed",
    "stylefarm/producer/sheets/page.js",
    "stylefarm/producer/starter/plate.jpg",
    "stylefarm/migrations/script.py.mako",
}


@dataclass(frozen=True)
class Distribution:
    """A copy of the sources, and the wheel that was built from it."""

    sources: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """The wheel, built as a release is, but for the isolation, which needs a package index."""
    sources, target = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, sources / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, sources / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(sources)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env={**os.environ, "PYTHONWARNINGS": ""})
    (wheel,) = target.glob("*.whl")
    return Distribution(sources, wheel)


@pytest.fixture(scope="module")
def python(built: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with nothing of ours but the wheel, which other distributions share."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(packages)
    # What we depend on; the links of editable installations in that folder are not followed from here.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for name in OURS:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text("raise SystemExit('of another distribution')")
    return folder / "bin" / "python"


def ran(python: Path, folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """What a program prints, in a folder, with no variables of the tests' own."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    environment = {**own, "STYLEFARM_HOME": str(folder / "home"), "PYTHONWARNINGS": "", **(variables or {})}
    ended = subprocess.run(
        [str(python), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def hostile(folder: Path) -> None:
    """Write modules of a user's own that go by the names of our folders."""
    (folder / "shared.py").write_text("raise SystemExit('the user's own shared.py')")
    (folder / "producer.py").write_text("raise SystemExit('the user's own producer.py')")
    for name in ("worker", "migrations"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise SystemExit('the user's own {name}')")


def test_the_wheel_is_fit_for_a_package_index(built: Distribution) -> None:
    """Given the wheel, I expect one package in it, and that the index's own tools find nothing wrong."""
    with zipfile.ZipFile(built.wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name) for name in names if name.endswith(".dist-info/METADATA"))
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"stylefarm"}
    assert set(names) >= DATA
    for tool in (["twine", "check", "--strict", built.wheel], ["pyroma", "-n", "9", built.sources]):
        ended = subprocess.run([sys.executable, "-W", "ignore", "-m", *map(str, tool)], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    checked = subprocess.run(
        [Path(sys.executable).parent / "check-wheel-contents", built.wheel], cwd=built.sources, capture_output=True
    )
    assert checked.returncode == 0, checked.stdout
    shown = str(message_from_bytes(metadata).get_payload())
    assert "](https://" in shown
    assert "](docs/" not in shown, "a package index has no docs/ beside the page"


def test_others_of_these_names_do_no_harm(python: Path, pictures: Path, tmp_path: Path) -> None:
    """Given modules named as our folders are, in the current folder, on PYTHONPATH and in another distribution, if I
    render and import, I expect a picture, and none of them imported."""
    hostile(pictures)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    hostile(elsewhere)
    small = ("--size", "32", "--iterations", "2", *SHALLOW_OPTIONS)
    on_path = {"PYTHONPATH": str(elsewhere), "STYLEFARM_THREADS": "1"}
    printed = ran(
        python, pictures, "-m", "stylefarm", "render", "a.png", "s.png", "-o", "out.png", *small, variables=on_path
    )
    assert printed == "out.png\n"
    assert (pictures / "out.png").stat().st_size > 0
    script = "import sys; from stylefarm import Farm; print(Farm.__module__, *sys.modules)"
    module, *imported = ran(python, pictures, "-c", script, variables=on_path).split()
    assert module == "stylefarm.producer.client.farm"
    assert not set(imported) & set(OURS)
