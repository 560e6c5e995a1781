"""Pretrained weights: reading files of several formats, and copying them into a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import safetensors
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.networks import CONVOLUTIONS, PRETRAINED_FILES, Architecture, VggArchitecture
from stylefarm.shared.spec.space import CAFFE, MATCONVNET, TORCHVISION, InputSpace
from stylefarm.worker.engine.networks.keras import HDF5, read_keras
from stylefarm.worker.engine.networks.matconvnet import read_matconvnet
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet
from stylefarm.worker.engine.networks.squeezenet_weights import squeezenet_convolutions
from stylefarm.worker.engine.networks.vgg import Vgg, convolutions
from stylefarm.worker.engine.networks.weights_metadata import read_metadata

# Where torchvision keeps the convolutions. The rest, the classifier, is most of the file, and nothing uses it.
FEATURES = "features."

# Justin Johnson's conversions of the authors' own weights are vgg19-d01eb7cb.pth and vgg16-00b39a1b.pth, after the
# first digits of their SHA-256. neural-style-pt saves them anew, with another hash, under the same names.
CAFFE_DIGITS = ("d01eb7cb", "00b39a1b")


@dataclass(frozen=True)
class WeightsContent:
    """The convolutions of a network in torchvision's layout, and the input that they were trained with.

    Args:
        tensors: `features.N.weight` (out, in, H, W) and `features.N.bias` (out,) as the file has them, on the CPU; of
            a fire module of SqueezeNet `features.N.squeeze.weight` and so on.
        space: The input of the network.
        reason: Says in words how `space` is known.
    """

    tensors: Mapping[str, Tensor]
    space: InputSpace
    reason: str


class _Content(NamedTuple):
    tensors: dict[str, Tensor]
    space: InputSpace | None
    reason: str


def read_weights(path: Path, space: InputSpace | None = None) -> WeightsContent:
    """Read a state dict of torch.save, a safetensors file, a .mat file of MatConvNet, or an .h5 file of Keras.

    Nothing but tensors is unpickled.

    Args:
        path: The file.
        space: The input of the network as the user states it; None for what the file says, or else TORCHVISION.

    Raises:
        InvalidRequest: The file holds anything else, or is damaged.

    Example:
        content = read_weights(Path("vgg19-dcbb9e9d.pth"))
        print(content.space, content.reason)
    """
    content = _read(path)
    if space is None:
        assumed = "assumed, since the file does not say"
        return WeightsContent(content.tensors, content.space or TORCHVISION, content.reason or assumed)
    if content.space is not None and (content.space.range, content.space.order) == (space.range, space.order):
        # The file says the same, and its own mean besides.
        return WeightsContent(content.tensors, content.space, content.reason)
    return WeightsContent(content.tensors, space, "as you say")


def load_weights(vgg: Vgg, state: Mapping[str, Tensor]) -> None:
    """Copy the convolutions that `vgg` uses out of a state dict.

    Args:
        vgg: The network, changed in place.
        state: torchvision's state dict of the same architecture.

    Raises:
        InvalidRequest: A tensor is missing, has another shape, or is not finite; it names the first one.

    Example:
        >>> vgg = Vgg("vgg19", ["relu1_1"])
        >>> load_weights(vgg, {"features.0.weight": torch.ones(64, 3, 3, 3), "features.0.bias": torch.zeros(64)})
        >>> vgg.weights[0].unique().tolist()
        [1.0]
    """
    positions = torchvision_positions(vgg.architecture)
    for index, convolution in enumerate(vgg.convolutions):
        for kind, parameter in (("weight", vgg.weights[index]), ("bias", vgg.biases[index])):
            name = f"{FEATURES}{positions[convolution.name]}.{kind}"
            label = f"{name} ({convolution.name})"
            parameter.copy_(check_tensor(state.get(name), tuple(parameter.shape), label, vgg.architecture))


def load_squeezenet(network: SqueezeNet, state: Mapping[str, Tensor]) -> None:
    """Copy the convolutions of SqueezeNet out of a state dict.

    Args:
        network: The network, changed in place.
        state: torchvision's state dict of squeezenet1_1, or its convolutions.

    Raises:
        InvalidRequest: A tensor is missing, has another shape, or is not finite; it names the first one.

    Example:
        >>> network = SqueezeNet()
        >>> load_squeezenet(network, {name: torch.ones_like(value) for name, value in network.state_dict().items()})
        >>> network.features[0].weight.unique().tolist()
        [1.0]
    """
    expected = expected_tensors("squeezenet")
    for name, parameter in network.named_parameters():
        shape, label = expected[name]
        parameter.copy_(check_tensor(state.get(name), shape, label, "squeezenet"))


def expected_tensors(architecture: Architecture) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return the shape of each tensor of a network's convolutions, and what messages call it, by its name.

    Example:
        >>> expected_tensors("vgg19")["features.5.bias"]
        ((128,), 'features.5.bias (conv2_1)')
    """
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    if architecture == "squeezenet":
        for names in squeezenet_convolutions():
            found |= {name: (shape, f"{name} ({names.keras})") for name, shape in names.shapes.items()}
        return found
    positions = torchvision_positions(architecture)
    for c in convolutions(architecture):
        for kind, shape in (("weight", (c.outputs, c.inputs, 3, 3)), ("bias", (c.outputs,))):
            name = f"{FEATURES}{positions[c.name]}.{kind}"
            found[name] = (shape, f"{name} ({c.name})")
    return found


def torchvision_positions(architecture: VggArchitecture) -> dict[str, int]:
    """Return where each convolution stands in torchvision's `features`, a Sequential with ReLUs and poolings.

    Example:
        >>> torchvision_positions("vgg19")["conv2_1"]
        5
    """
    positions: dict[str, int] = {}
    position = 0
    for block, count in enumerate(CONVOLUTIONS[architecture], start=1):
        for index in range(1, count + 1):
            positions[f"conv{block}_{index}"] = position
            position += 2
        position += 1
    return positions


def check_tensor(value: Tensor | None, shape: tuple[int, ...], label: str, architecture: Architecture) -> Tensor:
    """Return the tensor.

    Args:
        value: A tensor of a file; None if the file lacks it.
        shape: The shape that it must have.
        label: What it is called in messages.
        architecture: The network that it belongs to.

    Raises:
        InvalidRequest: It is missing, has another shape or type, or is not finite.

    Example:
        >>> check_tensor(torch.ones(2), (2,), "a bias", "vgg19").tolist()
        [1.0, 1.0]
    """
    if value is None:
        raise InvalidRequest(f"the weights lack {label}: they are not torchvision's {architecture}")
    if tuple(value.shape) != shape:
        raise InvalidRequest(
            f"the weights have {label} of shape {tuple(value.shape)}, not {shape}:"
            f" they are not torchvision's {architecture}"
        )
    if not value.is_floating_point() or value.layout != torch.strided:
        raise InvalidRequest(
            f"the weights have {label} as {value.dtype} ({value.layout}), not as plain floating-point numbers:"
            " save them as float32"
        )
    if not value.float().isfinite().all():
        raise InvalidRequest(f"the weights have numbers in {label} that are not finite: give a file of whole weights")
    return value


def _read(path: Path) -> _Content:
    try:
        with path.open("rb") as file:
            start = file.read(8)
        return _reader(start)(path)
    except InvalidRequest:
        raise
    # Damaged files make the readers raise nearly anything: UnpicklingError, SafetensorError, BadZipFile, EOFError,
    # RuntimeError, IndexError, KeyError, struct.error, zlib.error, FileNotFoundError. All of them mean the same.
    except Exception as error:
        raise InvalidRequest(
            "the weights are neither a torch state dict nor safetensors nor a network of MatConvNet or Keras, or the"
            " file is damaged: give a file that torch.save, safetensors, MatConvNet or Keras wrote"
            f" ({type(error).__name__})"
        ) from error


def _reader(start: bytes) -> Callable[[Path], _Content]:
    if start.startswith((b"PK", b"\x80\x02")):
        return _torch
    if start == HDF5:
        return _keras
    return _matconvnet if start.startswith(b"MATLAB ") else _safetensors


def _torch(path: Path) -> _Content:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InvalidRequest("the weights file holds no state dict: save model.state_dict(), not the model")
    features = {name: value.detach() for name, value in state.items() if str(name).startswith(FEATURES)}
    return _Content(features, *_known(path))


def _known(path: Path) -> tuple[InputSpace | None, str]:
    """Return what is known of the files that everybody downloads, by their hashes or names."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest.startswith(CAFFE_DIGITS) or any(f"-{digits}" in path.name for digits in CAFFE_DIGITS):
        return CAFFE, "known from the file's name or hash as converted from Caffe"
    if any(f"-{digest[:8]}." in name for name in PRETRAINED_FILES.values()):
        return TORCHVISION, "known from the file's hash as torchvision's own"
    return None, ""


def _safetensors(path: Path) -> _Content:
    with safetensors.safe_open(path, framework="pt") as file:
        said = read_metadata(file.metadata())
        names = [name for name in file.keys() if name.startswith(FEATURES)]  # noqa: SIM118 - no mapping
        tensors = {name: file.get_tensor(name) for name in names}
    return _Content(tensors, said.space, "as the file says") if said else _Content(tensors, None, "")


def _keras(path: Path) -> _Content:
    return _Content(read_keras(path), CAFFE, "as Keras's SqueezeNet takes it")


def _matconvnet(path: Path) -> _Content:
    convolutions, mean = read_matconvnet(path)
    # The first convolution that VGG-16 has not.
    positions = torchvision_positions("vgg19" if "conv3_4" in convolutions else "vgg16")
    tensors: dict[str, Tensor] = {}
    for name, (weight, bias) in convolutions.items():
        place = positions.get(name, name)
        tensors |= {f"{FEATURES}{place}.weight": weight, f"{FEATURES}{place}.bias": bias}
    return _Content(tensors, replace(MATCONVNET, mean=mean), "as MatConvNet's networks take it")
