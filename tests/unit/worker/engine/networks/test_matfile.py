"""MAT-files: what scipy writes is read as it was, in both byte orders, and damaged ones end in an error of Python."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import scipy.io

from stylefarm.worker.engine.networks.matfile import read_variables

VALUES: dict[str, Any] = {
    "number": 2.5,
    "text": "conv1_1",
    "short": "a",
    "array": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "small": np.arange(3, dtype=np.uint8),
    "structure": {"name": "x", "sizes": np.array([1.0, 2.0])},
}


def written(content: dict[str, Any], *, compressed: bool = False) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, content, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_written_is_read(compressed: bool) -> None:
    """Given variables of all kinds, if scipy writes them, I expect them read as they were, with MATLAB's shapes."""
    found = read_variables(written(VALUES, compressed=compressed), VALUES)
    assert found.keys() == VALUES.keys()
    assert (found["text"], found["short"], found["structure"]["name"]) == ("conv1_1", "a", "x")
    assert found["number"].tolist() == [[2.5]]
    assert np.array_equal(found["array"], VALUES["array"])
    assert np.array_equal(found["small"], [[0, 1, 2]])
    assert np.array_equal(found["structure"]["sizes"], [[1.0, 2.0]])


def test_only_what_is_asked_for_is_read() -> None:
    """Given variables, if one is asked for, I expect no other."""
    assert read_variables(written(VALUES), {"text", "none"}) == {"text": "conv1_1"}


def test_the_other_byte_order_is_read_too() -> None:
    """Given a variable as a big-endian machine writes it, I expect its number."""
    parts = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 1)
    parts += struct.pack(">HH4s", 1, 1, b"x") + struct.pack(">IId", 9, 8, -1.5)
    content = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(parts)) + parts
    assert read_variables(content, {"x"})["x"].tolist() == [[-1.5]]


@pytest.mark.parametrize("compressed", [False, True])
def test_every_way_to_cut_it_is_noticed(compressed: bool) -> None:
    """Given a file of one variable, if it ends anywhere in it, I expect an error, not a part of it."""
    whole = written({"array": VALUES["array"]}, compressed=compressed)
    for length in range(129, len(whole)):
        with pytest.raises((ValueError, struct.error, zlib.error)):
            read_variables(whole[:length], {"array"})
