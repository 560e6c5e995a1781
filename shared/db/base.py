"""The base of all tables: how constraints are called, and which column a Python type becomes."""

from __future__ import annotations

import inspect
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, Integer, MetaData, Table, Text
from sqlalchemy.orm import DeclarativeBase

from stylefarm.shared.db.clock import UtcDateTime
from stylefarm.shared.db.json_values import JsonList, JsonObject

# SQLite assigns ids only to a column of type INTEGER.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """The base of all tables. Names every constraint, so that a migration can name it, too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        datetime: UtcDateTime(),
        dict[str, Any]: JsonObject(),
        dict[str, int]: JsonObject(),
        dict[str, float]: JsonObject(),
        list[str]: JsonList(),
        float: Double(),
        str: Text(),
    }

    def __init_subclass__(cls, **options: Any) -> None:
        """Have the table say what it holds, in the first paragraph of the class."""
        super().__init_subclass__(**options)
        if isinstance(cls.__table__, Table):
            cls.__table__.comment = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
