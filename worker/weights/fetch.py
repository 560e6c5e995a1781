"""Fetch weights: torchvision's own, or those of a URL with a SHA-256."""

from __future__ import annotations

import hashlib
import http.client
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch.hub
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text
from torchvision.models import SqueezeNet1_1_Weights, VGG16_Weights, VGG19_Weights

from stylefarm.shared.blobs.storage import CHUNK_BYTES, remove_partials, replacing
from stylefarm.shared.errors import InvalidRequest, ServiceUnavailable
from stylefarm.shared.spec.networks import PRETRAINED_FILES, Architecture, cached_weights
from stylefarm.worker.weights.importing import check_sha256, refuse_other_hash

URLS: dict[Architecture, str] = {
    "vgg19": VGG19_Weights.IMAGENET1K_V1.url,
    "vgg16": VGG16_Weights.IMAGENET1K_V1.url,
    "squeezenet": SqueezeNet1_1_Weights.IMAGENET1K_V1.url,
}

# A server that keeps silent for so long is given up.
SILENCE_SECONDS = 30
# So are one that sends less than this on average, and a file that is larger than any weights of a known network.
SLOWEST_BYTES_PER_SECOND = 2_000
SLOW_SECONDS = 60.0
MOST_BYTES = 2_000_000_000
# What takes no longer shows no progress.
PATIENCE_SECONDS = 1.0


def torchvision_file(architecture: Architecture) -> Path:
    """Return torchvision's weights in its own cache, downloaded if need be.

    Raises:
        InvalidRequest: the file there is damaged.
        ServiceUnavailable: it cannot be downloaded.
        StorageFull: the disk is full.
    """
    digits = PRETRAINED_FILES[architecture].rpartition("-")[2].removesuffix(".pth")
    cached = cached_weights(architecture)
    if cached is None:
        cached = Path(torch.hub.get_dir()) / "checkpoints" / PRETRAINED_FILES[architecture]
        download(URLS[architecture], cached, digits)
        return cached
    try:
        check_sha256(cached, digits, str(cached))
    except InvalidRequest as error:
        raise InvalidRequest(f"{cached} is not what torchvision offers under that name: delete it") from error
    return cached


def check_url(url: str) -> str:
    """Return the URL without what may be secret in it, to be shown and kept.

    Raises:
        InvalidRequest: it is no web address.
    """
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}{'' if parts.port is None else f':{parts.port}'}" if parts.hostname else ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"} or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise InvalidRequest(
            f"{url.split('@')[-1]!r:.100} names no weights to pull: give vgg19, vgg16, squeezenet, or a URL that"
            " begins with https:// and has no password in it"
        )
    return f"{parts.scheme}://{host}{parts.path}"


def download(url: str, path: Path, sha256: str) -> None:
    """Download `url` to `path`, whole or not at all; its SHA-256 must begin with the digits `sha256`.

    Raises:
        InvalidRequest: it does not.
        ServiceUnavailable: it cannot be downloaded.
        StorageFull: the disk is full.
    """
    digest, shown = hashlib.sha256(), check_url(url)
    _make_folder(path.parent)
    remove_partials(path.parent)
    with replacing(path) as file, _chunks(url, shown) as chunks:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        refuse_other_hash(digest.hexdigest(), sha256, shown)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceUnavailable(f"the folder {folder} cannot be made ({error.strerror}): check it") from error


@contextmanager
def _chunks(url: str, shown: str) -> Iterator[Iterator[bytes]]:
    request = urllib.request.Request(url, headers={"User-Agent": "stylefarm"})  # noqa: S310 - a web address: check_url
    with _translated(shown):
        answer = _OPENER.open(request, timeout=SILENCE_SECONDS)
    with answer, _progress(shown, answer.length) as advance:
        yield _read(answer, shown, advance)


def _read(answer: http.client.HTTPResponse, shown: str, advance: Callable[[int], None]) -> Iterator[bytes]:
    expected, received, began = answer.length, 0, time.monotonic()
    while True:
        _refuse_large(max(expected or 0, received), shown)
        with _translated(shown):
            # What has come: to wait for a whole chunk, a byte at a time, may take for ever.
            chunk = answer.read1(CHUNK_BYTES)
        if not chunk:
            break
        received += len(chunk)
        _refuse_slow(received, time.monotonic() - began, shown)
        advance(received)
        yield chunk
    if expected is not None and received < expected:
        raise ServiceUnavailable(f"{shown} ended after {received:,} of {expected:,} bytes: try again")


def _refuse_large(size: int, shown: str) -> None:
    if size > MOST_BYTES:
        raise InvalidRequest(f"{shown} has more than {MOST_BYTES:,} bytes, which no weights have: check the address")


def _refuse_slow(received: int, seconds: float, shown: str) -> None:
    if seconds > SLOW_SECONDS and received < SLOWEST_BYTES_PER_SECOND * seconds:
        raise ServiceUnavailable(
            f"{shown} comes too slowly ({received:,} bytes in {seconds:.0f} s): try again, or import a file with"
            " `stylefarm weights import`"
        )


class _WebRedirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections to other web addresses; Python's own go to ftp, too."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request that follows a redirection."""
        if urlsplit(newurl).scheme not in {"http", "https"}:
            raise urllib.error.URLError(f"it redirects to {newurl:.80}, which is no web address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_WebRedirections)


@contextmanager
def _translated(shown: str) -> Iterator[None]:
    """Turn what the network raises into one sentence; OSErrors of the disk pass."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            reason = f"{error.code} {error.reason}"
        words = " ".join(str(reason).split()) or type(error).__name__
        raise ServiceUnavailable(
            f"{shown} cannot be fetched ({words}): check the network, or import a file with `stylefarm weights import`"
        ) from error


@contextmanager
def _progress(shown: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Take the bytes that have come; from the first second on a bar on a terminal, elsewhere one line."""
    console = Console(file=sys.stderr, highlight=False)
    columns = (BarColumn(bar_width=30), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(TextColumn("{task.description}", markup=False), *columns, console=console, transient=True)
    task, began, shown_yet = bar.add_task(shown.rpartition("/")[2], total=total), time.monotonic(), False

    def advance(received: int) -> None:
        nonlocal shown_yet
        bar.update(task, completed=received)
        if not shown_yet and time.monotonic() - began > PATIENCE_SECONDS:
            shown_yet = True
            if console.is_terminal:
                bar.start()
            else:
                console.print(Text(f"fetching {shown}"), soft_wrap=True)

    try:
        yield advance
    finally:
        if shown_yet and console.is_terminal:
            bar.stop()
