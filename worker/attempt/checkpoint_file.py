"""The file of a checkpoint: safetensors, written and read one tensor at a time.

The package safetensors holds all tensors in memory at once, as bytes, when it writes; L-BFGS at a large size has
gigabytes of them, so the (simple) format is written here.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from stylefarm.shared.errors import FarmError, ServiceUnavailable
from stylefarm.worker.engine.optim.state import EngineState

CONTENT_TYPE = "application/octet-stream"

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.bool: "BOOL"}

# The header's length is a multiple of this, so that the tensors after it are aligned.
ALIGNMENT = 8

# Temporary files of this age were left by a process that was killed.
STALE_SECONDS = 3600.0


class UnusableCheckpoint(FarmError):
    """A checkpoint that no attempt can continue from; its job starts over."""


def write_checkpoint(path: Path, state: EngineState, metadata: Mapping[str, object]) -> None:
    """Write a state and its metadata. Raises OSError."""
    header: dict[str, object] = {
        "__metadata__": {"about": json.dumps(dict(metadata)), "numbers": json.dumps(dict(state.numbers))}
    }
    offset = 0
    for name, tensor in state.tensors.items():
        end = offset + tensor.numel() * tensor.itemsize
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little"))
        file.write(head)
        for tensor in state.tensors.values():
            # Only one tensor at a time is copied to the CPU.
            file.write(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)


@contextmanager
def read_checkpoint(path: Path) -> Iterator[tuple[EngineState, dict[str, object]]]:
    """Yield the state, whose tensors are read when they are used, and its metadata.

    Raises:
        UnusableCheckpoint: the file is damaged.
    """
    try:
        opened = safetensors.safe_open(path, framework="pt")
    except (OSError, safetensors.SafetensorError) as error:
        raise UnusableCheckpoint(f"its file is damaged ({error})") from error
    with opened as file:
        try:
            metadata = file.metadata()
            state = EngineState(_Tensors(file), json.loads(metadata["numbers"]))
            checkpoint_metadata = dict(json.loads(metadata["about"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UnusableCheckpoint("its file says nothing of itself") from error
        yield state, checkpoint_metadata


@contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """Yield the path of a file in `folder` that is deleted afterwards. Raises ServiceUnavailable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE_SECONDS:
                    left.unlink()
    except OSError as error:
        raise ServiceUnavailable(f"the folder {folder} cannot be used ({error.strerror}): check it") from error
    path = folder / secrets.token_hex(8)
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


class _Tensors(Mapping[str, Tensor]):
    """The tensors of a file, each a copy: the file's own pages must not be changed by steps, nor outlive it."""

    def __init__(self, file: Any) -> None:  # a safe_open, whose methods have no types
        self._file = file
        self._names = list(file.keys())

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        tensor: Tensor = self._file.get_tensor(name)
        return tensor.clone()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
