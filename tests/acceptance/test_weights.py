"""What a user does with pretrained weights: `stylefarm weights import`, `pull`, `list`, and rendering with them."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from stylefarm.producer import cli
from stylefarm.shared.settings import load_settings
from stylefarm.shared.spec.networks import PRETRAINED_FILES
from tests.programs import SHALLOW_OPTIONS, CommandLine, Ended
from tests.servers import RedisServer, SwiftServer
from tests.servers.variables import variables_of
from tests.weights_files import state_dict, write_matconvnet, write_torch

RENDER = ("render", "a.png", "s.png", "-o", "out.png", "--size", "32", "--iterations", "2", *SHALLOW_OPTIONS)


@dataclass(frozen=True)
class WeightsCommandLine:
    """The program without a process of its own: importing torch takes longer than what is tested."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> Ended:
        """Run a command to its end."""
        load_settings.cache_clear()
        return Ended(cli._run(list(arguments)), *self.capsys.readouterr())

    def refused(self, sentence: str, *arguments: str, code: int = 2) -> None:
        """A command that ends in one sentence; nothing is stored."""
        ended = self.run("weights", *arguments)
        assert (ended.code, ended.out) == (code, ""), ended.messages
        assert len(ended.messages.splitlines()) == 1, ended.messages
        assert sentence in ended.messages
        assert "Traceback" not in ended.messages
        assert self.run("weights", "list", "--json").document["weights"] == []
        assert not (self.folder.parent / "home" / "objects").exists()


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> WeightsCommandLine:
    """The program in a folder of its own, with a home beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return WeightsCommandLine(folder, capsys)


@dataclass(frozen=True)
class WebServer:
    """Files on the web. `promised` makes the server announce more bytes than it sends."""

    url: str
    files: dict[str, bytes]
    promised: dict[str, int]


@pytest.fixture
def web() -> Iterator[WebServer]:
    files: dict[str, bytes] = {}
    promised: dict[str, int] = {}

    class DownloadHandler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
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
        yield WebServer(f"http://127.0.0.1:{server.server_port}", files, promised)
        server.shutdown()
        thread.join()


def test_weights_are_imported_listed_and_rendered_with(tmp_path: Path, pictures: Path) -> None:
    """Given a VGG-19 in a file, if it is imported, I expect it listed, and rendered with by name, or by itself."""
    farm = CommandLine(pictures, {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")})
    write_matconvnet(pictures / "imagenet.mat", "vgg19", state_dict("vgg19"))
    imported = farm.run("weights", "import", "imagenet.mat")
    assert (imported.code, imported.out) == (0, "vgg19\n"), imported.messages
    assert "RGB from 0 to 255 less the mean (123.68, 116.779, 103.939) (as MatConvNet's" in imported.messages
    head, row = farm.run("weights", "list").out.splitlines()
    assert head.split()[:3] == ["name", "architecture", "made"]
    assert row.split()[:5] == ["vgg19", "vgg19", "imagenet.mat", "80.1", "MB"]
    digest = farm.run("weights", "list", "--json").document["weights"][0]["sha256"]
    for index, options in enumerate(([], ["--weights", "vgg19"], ["--features", "vgg19"])):
        rendered = farm.run(*RENDER[:4], f"{index}.png", *RENDER[5:], *options, "--json")
        assert rendered.code == 0, rendered.messages
        assert rendered.document["job"]["spec"]["weights"] == f"sha256:{digest}"
    assert (pictures / "0.png").read_bytes() == (pictures / "2.png").read_bytes()
    unknown = farm.run(*RENDER, "--force", "--weights", "vgg91")
    assert (unknown.code, unknown.messages.count("\n")) == (2, 1)
    assert "(known are vgg19)" in unknown.messages


def test_weights_reach_a_farm_on_servers(
    pictures: Path, redis_server: RedisServer, postgres_url: str, swift_server: SwiftServer
) -> None:
    """Given a farm on servers, if weights are imported, I expect them in the bucket and listed from any machine."""
    variables = {
        **variables_of(redis_server, postgres_url, swift_server, "farm-of-weights"),
        "STYLEFARM_HOME": str(pictures.parent / "home"),
    }
    write_torch(pictures / "w.pth", state_dict("vgg16"))
    imported = CommandLine(pictures, variables).run("weights", "import", "w.pth", "--name", "mine", "--json")
    assert imported.code == 0, imported.messages
    there = CommandLine(pictures, {**variables, "STYLEFARM_HOME": str(pictures.parent / "another")})
    assert there.run("weights", "list", "--json").document["weights"] == [imported.document["weights"]]
    assert imported.document["weights"]["architecture"] == "vgg16"


def test_an_empty_list_says_how_to_fill_it(inside: WeightsCommandLine) -> None:
    """Given a farm without weights, if they are listed, I expect the remedy in words, and no data."""
    ended = inside.run("weights", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "stylefarm weights import FILE" in ended.messages


def test_the_kind_of_input_is_said_or_assumed(inside: WeightsCommandLine) -> None:
    """Given a state dict, if nothing is said of its input, I expect to be told what is assumed; else what was said."""
    write_torch(inside.folder / "w.pth", state_dict("vgg16"))
    assumed, said = (
        inside.run("weights", "import", "w.pth"),
        inside.run("weights", "import", "w.pth", "--name", "bgr", "--input", "caffe"),
    )
    assert "RGB from 0 to 1 less the mean (0.485, 0.456, 0.406) (assumed" in assumed.messages
    assert "BGR from 0 to 255 less the mean (123.68, 116.779, 103.939) (as you say)" in said.messages
    again = inside.run("weights", "import", "w.pth", "--name", "bgr", "--input", "torchvision")
    assert (again.code, "--force" in again.messages) == (2, True)
    replaced = inside.run("weights", "import", "w.pth", "--name", "bgr", "--input", "torchvision", "--force")
    assert (replaced.code, replaced.out) == (0, "bgr\n")
    same = inside.run("weights", "import", "w.pth", "--json")
    assert (same.code, same.document["added"]) == (0, False)
    assert "is there already, with the same content" in same.messages


def _trap(folder: Path) -> None:
    class Command:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {folder / 'trapped'}",)

    torch.save({"features.0.weight": Command()}, folder / "trap.pth")


def test_bad_files_are_refused(inside: WeightsCommandLine) -> None:
    """Given files that are damaged, of another kind, with code in them or not finite, I expect 2, and a sentence."""
    folder, state = inside.folder, state_dict("vgg16")
    whole = write_torch(folder / "w.pth", state)
    (folder / "cut.pth").write_bytes(whole.read_bytes()[:50_000])
    (folder / "text.pth").write_text("a letter")
    write_torch(folder / "nan.pth", state, features_5_weight=torch.full((128, 64, 3, 3), float("nan")))
    write_torch(folder / "narrow.pth", state, features_5_weight=torch.zeros(64, 64, 3, 3))
    write_matconvnet(folder / "none.mat", "vgg19", {})
    _trap(folder)
    inside.refused("cut.pth: the weights are neither", "import", "cut.pth")
    inside.refused("text.pth: the weights are neither", "import", "text.pth")
    inside.refused("nan.pth: the weights have numbers in features.5.weight (conv2_1)", "import", "nan.pth")
    inside.refused("features.5.weight (conv2_1) of shape (64, 64, 3, 3), not (128, ", "import", "narrow.pth")
    inside.refused("none.mat: the .mat file holds no network", "import", "none.mat")
    inside.refused("trap.pth: the weights are neither", "import", "trap.pth")
    assert not (folder / "trapped").exists()
    inside.refused("gone.pth cannot be read (No such file or directory)", "import", "gone.pth")
    inside.refused("w.pth has the SHA-256 ", "import", "w.pth", "--sha256", "0" * 64)
    inside.refused("--sha256 'abc' is no SHA-256", "import", "w.pth", "--sha256", "abc")
    inside.refused("no weights can be called 'a b'", "import", "w.pth", "--name", "a b")
    inside.refused("the weights are vgg16's, and vgg19 is", "import", "w.pth", "--name", "vgg19")


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


def test_what_is_refused_is_one_sentence(tmp_path: Path) -> None:
    """Given weights of an unknown name, if the program pulls them, I expect its sentence, and no library's words."""
    program = CommandLine(tmp_path, {"STYLEFARM_HOME": str(tmp_path / "home")})
    ended = program.run("weights", "pull", "vgg17")
    assert (ended.code, ended.out, len(ended.messages.splitlines())) == (2, "", 1), ended.messages
    assert "'vgg17' names no weights to pull" in ended.messages
