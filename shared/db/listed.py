"""Whether a column has one of many values, as one parameter: a statement with one for each takes long to parse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, FunctionElement, literal
from sqlalchemy.ext.compiler import compiles


class is_listed(FunctionElement[bool]):  # noqa: N801 - reads as the SQL operator that it is
    """Whether a text column has one of these values, of which there may be any number."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[str] | Any, values: Sequence[str]) -> None:
        super().__init__(column, literal(json.dumps(list(values))))


@compiles(is_listed, "postgresql")
def _postgresql(element: is_listed, compiler: Any, **options: Any) -> str:
    column, values = element.clauses
    listed = compiler.process(values, **options)
    return f"({compiler.process(column, **options)} IN (SELECT json_array_elements_text(CAST({listed} AS json))))"


@compiles(is_listed, "sqlite")
def _sqlite(element: is_listed, compiler: Any, **options: Any) -> str:
    column, values = element.clauses
    listed = compiler.process(values, **options)
    return f"({compiler.process(column, **options)} IN (SELECT value FROM json_each({listed})))"  # noqa: S608 - both are parameters
