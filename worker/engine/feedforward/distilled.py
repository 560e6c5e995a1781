"""The distilled VGG-19 with its decoders as models of wct and adain.

Wang et al. 2020, "Collaborative Distillation for Ultra-Resolution Universal Style Transfer" (arXiv 2003.08436): VGG-19
with a sixteenth of its parameters, once for each of the levels 1 to 5, and a decoder for each. Its users clone the
authors' files; they are read with nothing but tensors unpickled. Departure from the authors' program: a last odd row or
column of a style is pooled as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.chain import Chain, layers_document
from stylefarm.worker.engine.feedforward.encoders import mirrored, vgg_encoder
from stylefarm.worker.engine.feedforward.model import Model

LEVELS = (5, 4, 3, 2, 1)
ADAIN_LEVEL = 4

# Where the authors keep the tensors in a file.
STATE = "model"


def import_distilled(folder: Path) -> list[Model]:
    """Return the models that the files of a folder make: wct with all five levels, and adain with the fourth.

    Args:
        folder: It has encoder1.pth to encoder5.pth and decoder1.pth to decoder5.pth.

    Raises:
        InvalidRequest: A file is missing, damaged, or holds something else; it names the file.

    Example:
        for model in import_distilled(Path("distilled-vgg19")):
            write_model(Path(f"{model.method}.safetensors"), model)
    """
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is no folder: give the one with encoder1.pth to decoder5.pth")
    levels = {number: _level(folder, number) for number in LEVELS}
    hashes = {path.name: _digest(path) for number in LEVELS for path in _files(folder, number)}
    return [_model("wct", levels, LEVELS, hashes), _model("adain", levels, (ADAIN_LEVEL,), hashes)]


def _level(folder: Path, number: int) -> dict[str, Tensor]:
    """Return the tensors of a level that its two chains use."""
    encoder = vgg_encoder(f"encoder{number}.", number)
    decoder = mirrored(encoder, f"decoder{number}.")
    found: dict[str, Tensor] = {}
    for path, layers in zip(_files(folder, number), (encoder, decoder), strict=True):
        state = _state(path)
        prefix = f"{path.stem}."
        for layer in layers:
            for kind in ("weight", "bias") if layer.name else ():
                found[f"{layer.name}.{kind}"] = _tensor(path, state, f"{layer.name.removeprefix(prefix)}.{kind}")
        try:
            Chain(layers, found)
        except InvalidRequest as error:
            raise InvalidRequest(f"{path.name} is not of the distilled VGG-19: {error}") from None
    return found


def _files(folder: Path, number: int) -> tuple[Path, Path]:
    return folder / f"encoder{number}.pth", folder / f"decoder{number}.pth"


def _state(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise InvalidRequest(
            f"{path.parent} lacks {path.name}: give the folder with all ten files of the distilled VGG-19"
        )
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    # Damaged files make the reader raise nearly anything, and all of it means the same.
    except Exception as error:
        raise InvalidRequest(
            f"{path.name} is damaged, or torch did not write it ({type(error).__name__}): copy the authors' file again"
        ) from error
    state = document.get(STATE) if isinstance(document, Mapping) else None
    if not isinstance(state, Mapping):
        raise InvalidRequest(f'{path.name} is not of the distilled VGG-19: it has no state dict under "{STATE}"')
    return state


def _tensor(path: Path, state: Mapping[str, Any], name: str) -> Tensor:
    tensor = state.get(name)
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        raise InvalidRequest(f"{path.name} is not of the distilled VGG-19: it lacks the tensor {name}")
    if not tensor.isfinite().all():
        raise InvalidRequest(f"{path.name} cannot be used: {name} holds numbers that are not finite")
    return tensor.detach().float().contiguous()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _model(
    method: str, levels: Mapping[int, Mapping[str, Tensor]], used: tuple[int, ...], hashes: Mapping[str, str]
) -> Model:
    described = []
    tensors: dict[str, Tensor] = {}
    for number in used:
        encoder = vgg_encoder(f"encoder{number}.", number)
        decoder = mirrored(encoder, f"decoder{number}.")
        described.append({"level": number, "encoder": layers_document(encoder), "decoder": layers_document(decoder)})
        tensors |= levels[number]
    names = {f"{part}{number}.pth" for number in used for part in ("encoder", "decoder")}
    card = {
        "source": "Wang et al. 2020, Collaborative Distillation (arXiv 2003.08436): the authors' files",
        "license": "MIT",
        "encoder": "VGG-19 distilled to a sixteenth",
        "files": {name: digest for name, digest in sorted(hashes.items()) if name in names},
    }
    return Model(method, {"levels": described}, tensors, card)
