"""Models as files for other programs: written, run once, and compared with our own before they are kept."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from stylefarm.shared.blobs.storage import read_chunks, replacing
from stylefarm.shared.errors import FarmError, InvalidRequest
from stylefarm.shared.files.atomic import check_writable
from stylefarm.shared.services import Services
from stylefarm.worker.engine.feedforward.exported import LEAST_STRIDES, ExportableModel, exportable
from stylefarm.worker.engine.feedforward.model import write_model
from stylefarm.worker.render.applied import load_model

Format = Literal["safetensors", "onnx", "torch"]
SUFFIXES: dict[str, Format] = {".safetensors": "safetensors", ".onnx": "onnx", ".pt2": "torch"}
# Pictures are in [0, 1]: half of the least step of 8 bits.
LARGEST_DIFFERENCE = 2e-3
# The exported file is run on another size than it was exported with, too: about so many pixels.
OTHER_SIZE = 48


@dataclass(frozen=True)
class Exported:
    """What was written: the format, the largest difference from our own picture where it was run, what to know."""

    format: Format
    difference: float | None
    notes: tuple[str, ...]


def export_model(
    name: str, output: Path, file_format: str | None, services: Services, *, force: bool = False
) -> Exported:
    """Write a model to a file.

    Args:
        name: the model's.
        output: the file.
        file_format: "safetensors", "onnx" or "torch"; None: by the file's suffix.
        services: the farm's.
        force: whether a file that is there is replaced.

    Raises:
        NotFound: there is no such model.
        InvalidRequest: the suffix is of no format, the file exists, or the model cannot be exported so.
        FarmError: the exported file renders another picture; nothing is written.
        ServiceUnavailable: a service does not answer.
        StorageFull: the disk is full.

    Example:
        print(export_model("waves", Path("waves.onnx"), None, farm.services).difference)
    """
    chosen = _format(output, file_format)
    row = services.store.models.get(name)
    check_writable(output, force=force)
    cache = services.settings.home.expanduser() / "cache"
    model = load_model(row.sha256, services, cache)
    with tempfile.TemporaryDirectory(prefix="stylefarm-") as folder:
        path = Path(folder) / f"model{next(suffix for suffix, each in SUFFIXES.items() if each == chosen)}"
        if chosen == "safetensors":
            write_model(path, model)
            exported = Exported(chosen, None, ())
        else:
            found = exportable(model)
            if chosen == "onnx" and found.lacking:
                raise InvalidRequest(
                    f"a model of {model.method} cannot be an ONNX file: ONNX lacks {found.lacking}; export it as .pt2"
                    " for torch.export, or as .safetensors, which stylefarm imports"
                )
            exported = Exported(chosen, _WRITERS[chosen](found, path), found.notes)
        if exported.difference is not None and not exported.difference <= LARGEST_DIFFERENCE:
            raise FarmError(
                f"the exported {chosen} file renders another picture than the model (by {exported.difference:.2g} of"
                " 1): nothing is written; please report it"
            )
        with replacing(output) as file:
            file.writelines(read_chunks(path))
    return exported


def _format(output: Path, given: str | None) -> Format:
    by_name = SUFFIXES.get(output.suffix.lower())
    found = next((each for each in SUFFIXES.values() if each == given), by_name)
    if found is None:
        raise InvalidRequest(
            f"{output} does not say what to write: call it .safetensors, .onnx or .pt2, or give a --format"
        )
    return found


def _write_onnx(found: ExportableModel, path: Path) -> float:
    import onnxruntime

    with warnings.catch_warnings():
        # Of torch's exporter, on its own matters.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            found.module,
            tuple(found.inputs.values()),
            input_names=list(found.inputs),
            output_names=["picture"],
            dynamic_shapes=_dynamic(found),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise TypeError("torch.onnx.export returned nothing")
    program.save(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(*inputs: Tensor) -> Tensor:
        (picture,) = session.run(None, dict(zip(found.inputs, (each.numpy() for each in inputs), strict=True)))
        return torch.from_numpy(picture)

    return _difference(found, run)


def _write_torch(found: ExportableModel, path: Path) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _exported_by_torch(found, path)


def _exported_by_torch(found: ExportableModel, path: Path) -> float:
    program = torch.export.export(found.module, tuple(found.inputs.values()), dynamic_shapes=_dynamic(found))
    torch.export.save(program, path)
    return _difference(found, torch.export.load(path).module())


_WRITERS: dict[str, Callable[[ExportableModel, Path], float]] = {"onnx": _write_onnx, "torch": _write_torch}


def _dynamic(found: ExportableModel) -> tuple[Any, ...]:
    """Return which dimensions are free: height and width of each picture."""
    return tuple(
        {
            2: found.strides[name] * torch.export.Dim(f"{name}_rows", min=LEAST_STRIDES, max=1024),
            3: found.strides[name] * torch.export.Dim(f"{name}_columns", min=LEAST_STRIDES, max=1024),
        }
        if name in found.strides
        else {}
        for name in found.inputs
    )


def _difference(found: ExportableModel, run: Callable[..., Tensor]) -> float:
    """Return the largest difference between our pictures and the file's, of two sizes."""
    largest = 0.0
    for smaller in (False, True):
        inputs = [
            _smaller(each, found.strides[name]) if smaller and name in found.strides else each
            for name, each in found.inputs.items()
        ]
        with torch.inference_mode():
            largest = max(largest, (found.module(*inputs) - run(*inputs)).abs().max().item())
    return largest


def _smaller(example: Tensor, stride: int) -> Tensor:
    side = max(LEAST_STRIDES, OTHER_SIZE // stride) * stride
    return example[:, :, :side, :side].contiguous()
