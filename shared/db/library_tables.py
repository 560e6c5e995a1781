"""The tables of what jobs take by name and share: trained models, data sets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from stylefarm.shared.db.base import Base
from stylefarm.shared.db.clock import now
from stylefarm.shared.schema.documents import DatasetDocument, ModelDocument

ID_LENGTH = 36


class ModelRow(Base):
    """A trained model by name; its file is in the object store, under its hash."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(String(64), primary_key=True, comment="What specs call it.")
    sha256: Mapped[str] = mapped_column(String(64), comment="The hash of the file, and the name of its object.")
    bytes: Mapped[int] = mapped_column(BigInteger, comment="The size of the file.")
    method: Mapped[str] = mapped_column(String(16), comment="The method that applies it.")
    architecture: Mapped[dict[str, Any]] = mapped_column(comment="What its network is built from.")
    card: Mapped[dict[str, Any]] = mapped_column(comment="Where it comes from and how good it is.")
    source: Mapped[str] = mapped_column(comment="The training job, or the file that it was imported from.")
    created_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was registered.")

    @property
    def trained_by(self) -> str | None:
        """The id of the job that has trained it; None if it was imported."""
        kind, _, job_id = self.source.partition(" ")
        return job_id if kind == "job" and len(job_id) == ID_LENGTH else None

    def document(self) -> ModelDocument:
        """Return the model as JSON."""
        return {
            "name": self.name,
            "method": self.method,
            "architecture": self.architecture,
            "card": self.card,
            "source": self.source,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "created_at": self.created_at.isoformat(),
        }


class DatasetRow(Base):
    """A data set by name; its manifest, which names each picture by its hash, is in the object store."""

    __tablename__ = "datasets"

    name: Mapped[str] = mapped_column(String(64), primary_key=True, comment="What training specs call it.")
    sha256: Mapped[str] = mapped_column(String(64), comment="The hash of the manifest, and the name of its object.")
    bytes: Mapped[int] = mapped_column(BigInteger, comment="The size of all pictures.")
    pictures: Mapped[int] = mapped_column(comment="How many pictures there are.")
    left_out: Mapped[int] = mapped_column(comment="How many files could not be used.")
    source: Mapped[str] = mapped_column(comment="The folder or address that they were read from.")
    created_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was registered.")

    def document(self) -> DatasetDocument:
        """Return the data set as JSON."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "pictures": self.pictures,
            "left_out": self.left_out,
            "bytes": self.bytes,
            "source": self.source,
            "created_at": self.created_at.isoformat(),
        }
