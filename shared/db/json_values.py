"""Columns of JSON that hold an object, or a list; what another release has put there instead is read as empty."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, Dialect, TypeDecorator
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine


class JsonObject(TypeDecorator[Any]):
    """Stores an object."""

    impl = JSON
    cache_ok = True
    kind: ClassVar[type] = dict

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the value, or an empty one if it is of another kind."""
        return value if value is None or isinstance(value, self.kind) else self.kind()

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """Return the type of what a value is compared with, or indexed by."""
        return self.impl_instance.coerce_compared_value(op, value)


class JsonList(JsonObject):
    """Stores a list."""

    cache_ok = True
    kind = list
