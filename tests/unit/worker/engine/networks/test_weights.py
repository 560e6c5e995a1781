"""Files of weights: what is taken out of them, and what damaged ones say."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import scipy.io
import torch
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.shared.errors import FarmError, InvalidRequest
from stylefarm.shared.spec.networks import PRETRAINED_FILES
from stylefarm.shared.spec.space import CAFFE, CAFFE_MEAN, MATCONVNET, TORCHVISION, InputSpace
from stylefarm.worker.engine.networks import weights
from stylefarm.worker.engine.networks.weights import read_weights
from stylefarm.worker.engine.networks.weights_metadata import KEY, write_metadata
from tests.weights_files import write_matconvnet

STATE = {"features.0.weight": torch.arange(54.0).reshape(2, 3, 3, 3), "features.0.bias": torch.ones(2)}
CLASSIFIER = {"classifier.0.weight": torch.zeros(3)}
OWN_SPACE = InputSpace(2.0, (0.1, 0.2, 0.3), (0.5, 0.25, 1.0), "bgr")


def pickled(*, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save({**STATE, **CLASSIFIER}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("files")
    return {
        "zip": pickled(zipped=True),
        "pickle": pickled(zipped=False),
        "safetensors": safetensors.torch.save({**STATE, **CLASSIFIER}),
        "own": safetensors.torch.save(STATE, write_metadata("vgg19", OWN_SPACE)),
        "matconvnet": write_matconvnet(folder / "new.mat", "vgg19", STATE).read_bytes(),
        "old matconvnet": write_matconvnet(folder / "old.mat", "vgg19", STATE, old=True).read_bytes(),
        "compressed": write_matconvnet(folder / "zip.mat", "vgg19", STATE, compressed=True).read_bytes(),
    }


SPACES = {
    "zip": TORCHVISION,
    "pickle": TORCHVISION,
    "safetensors": TORCHVISION,
    "own": OWN_SPACE,
    "matconvnet": MATCONVNET,
    "old matconvnet": MATCONVNET,
    "compressed": MATCONVNET,
}


@pytest.mark.parametrize("kind", SPACES)
def test_only_the_features_are_kept(kind: str, files: dict[str, bytes], tmp_path: Path) -> None:
    """Given a file with a classifier, if it is loaded, I expect the features, no others, and its kind of input."""
    (tmp_path / "weights").write_bytes(files[kind])
    state = read_weights(tmp_path / "weights")
    assert state.tensors.keys() == STATE.keys()
    assert all(torch.equal(state.tensors[name], value) for name, value in STATE.items())
    assert state.space == SPACES[kind]
    assert ("assumed" in state.reason) == (kind in {"zip", "pickle", "safetensors"})


@pytest.mark.parametrize("kind", SPACES)
def test_the_user_s_word_on_the_input_counts(kind: str, files: dict[str, bytes], tmp_path: Path) -> None:
    """Given any file, if the user says how its network takes pixels, I expect it taken so."""
    (tmp_path / "weights").write_bytes(files[kind])
    state = read_weights(tmp_path / "weights", CAFFE)
    assert (state.space, state.reason) == (CAFFE, "as you say")


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("shape", [(3,), (1, 1, 3), (5, 4, 3)])
def test_a_mat_file_has_a_mean_of_its_own(old: bool, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Given a MatConvNet file with an average color or picture, I expect its mean, also beside the user's word."""
    average = np.broadcast_to(np.array([10.0, 20.5, 30.0]), shape)
    path = write_matconvnet(tmp_path / "w.mat", "vgg19", STATE, old=old, average=average)
    assert read_weights(path).space == read_weights(path, MATCONVNET).space == InputSpace(255.0, (10.0, 20.5, 30.0))


@pytest.mark.parametrize("average", [[1.0, 2.0], "none", np.zeros((0, 0))], ids=["two", "text", "empty"])
def test_a_mean_that_is_none_is_the_authors_own(average: object, tmp_path: Path) -> None:
    """Given a MatConvNet file whose average is no color, I expect the mean that the authors of VGG give."""
    assert read_weights(write_matconvnet(tmp_path / "w.mat", "vgg16", STATE, average=average)).space.mean == CAFFE_MEAN


def test_the_files_that_everybody_has_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the usual downloads, I expect Caffe's known by hash or by name, and torchvision's by hash."""
    path = tmp_path / "w.pth"
    path.write_bytes(pickled(zipped=True))
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(PRETRAINED_FILES, "vgg16", f"vgg16-{digits}.pth")
    assert (read_weights(path).space, "assumed" in read_weights(path).reason) == (TORCHVISION, False)
    monkeypatch.setattr(weights, "CAFFE_DIGITS", (digits,))
    assert read_weights(path).space == CAFFE
    monkeypatch.undo()
    assert "assumed" in read_weights(path).reason
    assert read_weights(path.rename(tmp_path / "vgg19-d01eb7cb.pth")).space == CAFFE


@pytest.mark.parametrize("kind", SPACES)
@given(data=st.data())
def test_a_file_that_is_cut_off_says_so(
    kind: str, files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Given a file of weights, if it ends too early, I expect an InvalidRequest."""
    whole = files[kind]
    path = tmp_path_factory.getbasetemp() / "cut-weights"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    # Of MATLAB's files the head alone is whole too.
    with pytest.raises(InvalidRequest, match=r"the file is damaged|the .mat file holds no network"):
        read_weights(path)


STARTS = (b"PK", b"\x80\x02", b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", b"\x10\0\0\0\0\0\0\0{")


@given(st.binary() | st.sampled_from(STARTS).flatmap(lambda head: st.binary().map(head.__add__)))
def test_nothing_but_our_own_errors_comes_out(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Given a file of any bytes, also behind the head of a known format, I expect a FarmError, if any."""
    path = tmp_path_factory.getbasetemp() / "any-weights"
    path.write_bytes(content)
    try:
        read_weights(path)
    except FarmError as error:
        assert isinstance(error, InvalidRequest)


@pytest.mark.parametrize("kind", SPACES)
@given(data=st.data())
def test_a_changed_byte_raises_nothing_else(
    kind: str, files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Given a file of weights in which bytes were changed, I expect it read or refused by an InvalidRequest."""
    content = bytearray(files[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed-weights"
    path.write_bytes(content)
    try:
        read_weights(path)
    except FarmError as error:
        assert isinstance(error, InvalidRequest)


def test_a_file_that_is_gone_is_no_traceback(tmp_path: Path) -> None:
    """Given no file at all, I expect an InvalidRequest that names the cause."""
    with pytest.raises(InvalidRequest, match="FileNotFoundError"):
        read_weights(tmp_path / "none")


class _Command:
    """Pickles as a call of a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_does_not_run(zipped: bool, tmp_path: Path) -> None:
    """Given a state dict with a command in it, I expect a refusal, and that the command did not run."""
    trap, path = tmp_path / "trap", tmp_path / "w.pth"
    content = {**STATE, "features.2.weight": _Command(f"touch {trap}")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InvalidRequest, match="UnpicklingError"):
        read_weights(path)
    assert not trap.exists()
    path.write_bytes(pickle.dumps(_Command(f"touch {trap}"), protocol=2))
    with pytest.raises(InvalidRequest, match="neither a torch state dict"):
        read_weights(path)
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"a": np.ones(3)}, "holds no network of MatConvNet"),
        ({"layers": np.ones((2, 2))}, "holds no network of MatConvNet"),
        ({"layers": {"type": "conv", "name": "conv1_1"}}, "has conv1_1 without its filters and biases|with filters of"),
        (
            {"layers": {"name": "conv1_1", "filters": np.ones((3, 3)), "biases": np.ones(3)}},
            r"has conv1_1 with filters of shape \(3, 3\) \(float64\)",
        ),
    ],
)
def test_a_mat_file_that_is_no_network(content: dict[str, object], sentence: str, tmp_path: Path) -> None:
    """Given a .mat file of something else, I expect to be told what is missing."""
    scipy.io.savemat(tmp_path / "w.mat", content)
    with pytest.raises(InvalidRequest, match=sentence):
        read_weights(tmp_path / "w.mat")


def test_a_mat_file_of_matlab_7_3_names_the_remedy(tmp_path: Path) -> None:
    """Given a .mat file that is HDF5, I expect to be told how to save it."""
    (tmp_path / "w.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF")
    with pytest.raises(InvalidRequest, match=r"save -v7$"):
        read_weights(tmp_path / "w.mat")


@pytest.mark.parametrize("text", ["", "1", "{}", '{"version": 2}', '{"range": NaN}'])
def test_metadata_of_another_release_are_refused(text: str, tmp_path: Path) -> None:
    """Given a file of our own kind that says of itself what cannot be read, I expect to be told what to do."""
    safetensors.torch.save_file(STATE, tmp_path / "w", {KEY: text})
    with pytest.raises(InvalidRequest, match="import the file that they were made from"):
        read_weights(tmp_path / "w")
