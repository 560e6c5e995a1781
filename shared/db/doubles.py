"""A column of float64 numbers: an array on PostgreSQL, packed bytes on SQLite, which has no arrays."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Dialect, Double, LargeBinary, TypeDecorator
from sqlalchemy.types import TypeEngine


class Doubles(TypeDecorator[tuple[float, ...]]):
    """Stores a few float64 numbers in one value, to the last bit."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the column in this database."""
        return dialect.type_descriptor(ARRAY(Double()) if dialect.name == "postgresql" else LargeBinary())

    def process_bind_param(self, value: Sequence[float] | None, dialect: Dialect) -> Any:
        """Return the numbers as the database takes them."""
        if value is None:
            return None
        return list(value) if dialect.name == "postgresql" else pack(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[float, ...] | None:
        """Return the numbers as a tuple."""
        if value is None:
            return None
        return tuple(value) if dialect.name == "postgresql" else unpack(value)


def pack(values: Sequence[float]) -> bytes:
    """Return the values as little-endian float64, 8 bytes each."""
    return struct.pack(f"<{len(values)}d", *values)


def unpack(data: bytes) -> tuple[float, ...]:
    """Return the values of what `pack` made."""
    return struct.unpack(f"<{len(data) // 8}d", data)
