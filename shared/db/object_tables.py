"""The tables of objects in the object store that may lose their last name, or are about to get one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, false
from sqlalchemy.orm import Mapped, mapped_column

from stylefarm.shared.db.base import Base
from stylefarm.shared.db.clock import now


class HeldObjectRow(Base):
    """An object of the store that something is about to name, and that must not be deleted until then."""

    __tablename__ = "held_objects"

    key: Mapped[str] = mapped_column(primary_key=True, comment="The key of the object.")
    holder: Mapped[str] = mapped_column(
        String(36), primary_key=True, comment="Who holds it: an id of the submission's own."
    )
    until: Mapped[datetime] = mapped_column(
        comment="When it is held no more: at the end of the submission, or a day after its beginning."
    )
    named: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="Whether the submission has named it in the end."
    )


class DroppedObjectRow(Base):
    """An object, or a folder of them, that a deleted job has named: it is deleted unless something else names it."""

    __tablename__ = "dropped_objects"

    key: Mapped[str] = mapped_column(primary_key=True, comment="The key of the object; one that ends in / is a folder.")
    dropped_at: Mapped[datetime] = mapped_column(default=now(), comment="When the last job that named it was deleted.")
    emptied: Mapped[bool] = mapped_column(
        default=False,
        server_default=false(),
        comment="Whether the objects of a folder were deleted; a late worker may upload more.",
    )
