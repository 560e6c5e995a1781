"""SqueezeNet's weights in files of Keras: what is read, and what other files say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.space import CAFFE, TORCHVISION
from stylefarm.worker.engine.networks.conversion import convert
from stylefarm.worker.engine.networks.weights import read_weights
from tests.weights_files import keras_arrays, squeezenet_state, write_keras, write_torch

KERNEL, BIAS = "fire2/expand3x3/fire2/expand3x3_W:0", "conv1/conv1_b:0"


def changed(path: Path, **arrays: Any) -> Path:
    """A file with another kernel or bias, or without."""
    names = {"kernel": KERNEL, "bias": BIAS}
    return write_keras(path, {**keras_arrays(squeezenet_state()), **{names[key]: arrays[key] for key in arrays}})


def with_link(path: Path, link: object) -> Path:
    changed(path, kernel=None)
    with h5py.File(path, "a") as file:
        file[KERNEL] = link
    return path


def elsewhere(path: Path) -> Path:
    """A file whose kernel lies in the bytes of another."""
    shape = (3, 3, 16, 64)
    raw = path.with_suffix(".raw")
    raw.write_bytes(np.ones(shape, np.float32).tobytes())
    changed(path, kernel=None)
    with h5py.File(path, "a") as file:
        file.create_dataset(KERNEL, shape, "f4", external=[(str(raw), 0, h5py.h5f.UNLIMITED)])
    return path


def virtual(path: Path) -> Path:
    shape = (3, 3, 16, 64)
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(str(path.with_suffix(".other")), "x", shape)
    changed(path, kernel=None)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset(KERNEL, layout)
    return path


def huge(path: Path) -> Path:
    """A file that declares a kernel of many terabytes, and holds none of it."""
    changed(path, kernel=None)
    with h5py.File(path, "a") as file:
        file.create_dataset(KERNEL, (3, 3, 10**6, 10**7), "f4", chunks=(1, 1, 1000, 1000))
    return path


def cut(path: Path) -> Path:
    data = changed(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def test_both_formats_hold_the_same_network(tmp_path: Path) -> None:
    """Given one network in both formats, if they are read, I expect the same tensors, each with its own input."""
    state = squeezenet_state()
    keras = read_weights(write_keras(tmp_path / "w.h5", keras_arrays(state)))
    torchvision = read_weights(write_torch(tmp_path / "w.pth", state))
    assert (keras.space, torchvision.space) == (CAFFE, TORCHVISION)
    assert keras.tensors.keys() == torchvision.tensors.keys() == state.keys()
    assert all(torch.equal(content.tensors[name], state[name]) for content in (keras, torchvision) for name in state)


def test_what_is_stored_says_the_same_again(tmp_path: Path) -> None:
    """Given a file of Keras, if it is converted and read again, I expect its tensors and its input."""
    architecture, data = convert(read_weights(write_keras(tmp_path / "w.h5", keras_arrays(squeezenet_state()))))
    (tmp_path / "stored").write_bytes(data)
    again = read_weights(tmp_path / "stored")
    assert (architecture, again.space, again.reason) == ("squeezenet", CAFFE, "as the file says")
    assert all(torch.equal(again.tensors[name], value) for name, value in squeezenet_state().items())


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated": (cut, "the file is damaged"),
    "another network": (
        lambda path: write_keras(path, {"dense/W:0": np.ones(3)}),
        r"lack conv1/conv1_W:0: they are not",
    ),
    "a tensor less": (lambda path: changed(path, bias=None), r"lack conv1/conv1_b:0"),
    "other widths": (
        lambda path: changed(path, kernel=np.ones((3, 3, 32, 64), np.float32)),
        r"of shape \(3, 3, 32, 64\), not \(3, 3, 16, 64\): they are not SqueezeNet 1.1's",
    ),
    "integers": (lambda path: changed(path, bias=np.ones(64, np.int32)), "as int32, not as floating-point numbers"),
    "a group": (
        lambda path: write_keras(path, {f"{BIAS}/x": np.ones(3), **keras_arrays(squeezenet_state()), BIAS: None}),
        "elsewhere",
    ),
    "a soft link": (lambda path: with_link(path, h5py.SoftLink("/conv1/conv1_W:0")), "a link in place of fire2"),
    "an external link": (lambda path: with_link(path, h5py.ExternalLink("other.h5", "/x")), "a link in place of fire2"),
    "external storage": (elsewhere, "elsewhere than in the file"),
    "a virtual dataset": (virtual, "elsewhere than in the file"),
    "a huge shape": (huge, r"of shape \(3, 3, 1000000, 10000000\), not"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_of_something_else_is_refused(tmp_path: Path, kind: str) -> None:
    """Given an HDF5 file that is no whole SqueezeNet, or leads out of itself, if it is read, I expect one sentence."""
    write, sentence = BAD[kind]
    with pytest.raises(InvalidRequest, match=sentence):
        read_weights(write(tmp_path / "w.h5"))


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """Given a NaN, if the file is converted, I expect a sentence that names the tensor."""
    content = read_weights(changed(tmp_path / "w.h5", bias=np.full(64, np.nan, np.float32)))
    with pytest.raises(InvalidRequest, match=r"numbers in features\.0\.bias \(conv1\) that are not finite"):
        convert(content)


def test_squeezenet_1_0_is_refused(tmp_path: Path) -> None:
    """Given torchvision's older version, whose first convolution is wider, if it is converted, I expect a sentence."""
    path = write_torch(tmp_path / "w.pth", squeezenet_state(), features_0_weight=torch.zeros(96, 3, 7, 7))
    with pytest.raises(InvalidRequest, match=r"features\.0\.weight \(conv1\) of shape \(96, 3, 7, 7\)"):
        convert(read_weights(path))
