"""A reader of MATLAB's level 5 MAT-files, as far as networks need it.

scipy's reader crashes the process over some damaged files, and a worker reads files of others. Here every length is
checked by Python.

Source:
    The MathWorks, "MAT-File Format", chapter "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np

HEADER_BYTES = 128
# A variable is compressed as a whole; nobody's network unpacks to more.
MOST_BYTES = 4 << 30

MATRIX, COMPRESSED, UTF8 = 14, 15, 16
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", UTF8: "u1"}
CELL, STRUCT, CHARACTERS, NUMERIC = 1, 2, 4, range(6, 16)


class _Element(NamedTuple):
    kind: int
    data: memoryview


def read_variables(content: bytes, names: Collection[str]) -> dict[str, Any]:
    """Return the variables of a MAT-file that are asked for and are there.

    Args:
        content: The bytes of the file.
        names: Names of variables.

    Returns:
        Cells as lists, structures as dicts (lists of dicts where they are arrays), texts as str, numbers as arrays of
        MATLAB's shape; anything else as None.

    Raises:
        ValueError: The file is damaged; so do struct.error and zlib.error.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:HEADER_BYTES])
    if order is None:
        raise ValueError("the header has no mark of its byte order")
    found: dict[str, Any] = {}
    for element in _elements(memoryview(content)[HEADER_BYTES:], order):
        variable = _unpacked(element, order) if element.kind == COMPRESSED else element
        matrix = _Matrix(variable, order)
        if matrix.name in names:
            found[matrix.name] = matrix.value()
    return found


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    """Yield the elements that follow one another, each behind a tag of its kind and length."""
    while data:
        kind, length = struct.unpack_from(f"{order}II", data)
        begin = 8
        if kind >> 16:  # four bytes or less lie in the tag itself
            kind, length, begin = kind & 0xFFFF, kind >> 16, 4
        if begin + length > len(data) or (begin == 4 and length > 4):
            raise ValueError("an element ends behind the end of what it is in")
        yield _Element(kind, data[begin : begin + length])
        # All but compressed ones fill whole words of eight bytes.
        data = data[begin + length if kind == COMPRESSED else -(-(begin + length) // 8) * 8 :]


def _unpacked(element: _Element, order: str) -> _Element:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(element.data, MOST_BYTES)
    if not unpacker.eof:
        raise ValueError("a compressed variable has no end")
    return next(_elements(memoryview(data), order))


class _Matrix:
    """An array of any of MATLAB's classes, of which only the head has been read."""

    def __init__(self, element: _Element, order: str) -> None:
        if element.kind != MATRIX:
            raise ValueError("an element that should be an array is none")
        self.order = order
        self.parts = _elements(element.data, order)
        self.empty = not element.data
        self.name = ""
        if not self.empty:
            self.kind = int(self._numbers()[0]) & 0xFF
            self.shape = tuple(map(int, self._numbers()))
            self.name = self._text()

    def value(self) -> Any:
        """Return its content."""
        if self.empty:
            return np.zeros(0)
        if self.kind == CELL:
            return [_Matrix(part, self.order).value() for part in self.parts]
        if self.kind == STRUCT:
            return self._structures()
        if self.kind == CHARACTERS:
            return self._text()
        return self._numbers().reshape(self.shape, order="F") if self.kind in NUMERIC else None

    def _structures(self) -> Any:
        """Return the fields, one structure after the other."""
        length, text = int(self._numbers()[0]), self._next().data.tobytes()
        if length < 1:
            raise ValueError("the fields of a structure have names of no length")
        names = [text[at : at + length].split(b"\0")[0].decode("latin-1") for at in range(0, len(text), length)]
        values = [_Matrix(part, self.order).value() for part in self.parts]
        if not names or len(values) != len(names) * math.prod(self.shape):
            raise ValueError("a structure lacks fields")
        each = [values[at : at + len(names)] for at in range(0, len(values), len(names))]
        found = [dict(zip(names, fields, strict=True)) for fields in each]
        return found[0] if len(found) == 1 else found

    def _text(self) -> str:
        """Return the letters, each a number; names that are looked for have one byte a letter."""
        return "".join(map(chr, self._numbers().tolist()))

    def _numbers(self) -> np.ndarray[Any, Any]:
        kind, data = self._next()
        if kind not in NUMBERS:
            raise ValueError(f"there are no numbers of the kind {kind}")
        return np.frombuffer(data, np.dtype(NUMBERS[kind]).newbyteorder(self.order))  # type: ignore[arg-type]

    def _next(self) -> _Element:
        element = next(self.parts, None)
        if element is None:
            raise ValueError("an array ends too early")
        return element
