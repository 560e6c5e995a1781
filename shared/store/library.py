"""Trained models and data sets by name: which object of the store each stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, cast

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.library_tables import DatasetRow, ModelRow
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.store.exclusion import hold_off_submissions
from stylefarm.shared.store.moves import Transactions
from stylefarm.shared.store.object_names import drop
from stylefarm.shared.text import nearest

# Small letters, so that a name is one file on every system; as `shared.spec.training` has it.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True)
class NewEntry:
    """What is registered: a name, the hash and the size of its object; `source` says where it comes from."""

    name: str
    sha256: str
    bytes: int
    source: str

    noun: ClassVar[str] = "entry"

    def __post_init__(self) -> None:
        """Raise InvalidRequest for a name that cannot be one."""
        if not NAME.fullmatch(self.name):
            raise InvalidRequest(
                f"no {self.noun} can be called {self.name!r:.80}: a name is at most 63 small letters, digits and . _ -,"
                " and begins with a letter or a digit"
            )


@dataclass(frozen=True)
class NewModel(NewEntry):
    """A model as it is registered."""

    method: str
    architecture: Mapping[str, Any]
    card: Mapping[str, Any]

    noun: ClassVar[str] = "model"


@dataclass(frozen=True)
class NewDataset(NewEntry):
    """A data set as it is registered."""

    pictures: int
    left_out: int

    noun: ClassVar[str] = "data set"


Row = TypeVar("Row", ModelRow, DatasetRow)
New = TypeVar("New", NewModel, NewDataset)


class Library(Transactions, Generic[Row, New]):
    """A table of objects by name. Raises ServiceUnavailable and NotMigrated."""

    table: ClassVar[type[ModelRow] | type[DatasetRow]]
    noun: ClassVar[str]
    folder: ClassVar[str]
    """What the keys of its objects begin with."""

    def all(self) -> list[Row]:
        """Return everything that is registered, by name."""
        with self._transaction() as session:
            return list(session.scalars(select(self.table).order_by(self.table.name)).all())  # type: ignore[arg-type]

    def find(self, name: str) -> Row | None:
        """Return what has that name, if there is anything."""
        with self._transaction() as session:
            return session.get(self.table, name)  # type: ignore[return-value]

    def get(self, name: str) -> Row:
        """Return what has that name. Raises NotFound, with the nearest name."""
        found = self.find(name)
        if found is None:
            names = [row.name for row in self.all()]
            there = nearest(name, names) if names else ": there is none yet"
            raise NotFound(f"no {self.noun} is called {name!r:.80}{there}")
        return found

    def add(self, new: New, *, replace: bool = False) -> bool:
        """Register something; False if the same is there under that name already.

        Raises InvalidRequest if something else has the name, unless that is to be replaced.
        """
        with self._transaction() as session:
            return put(session, self.table, self.folder, new, replace=replace)

    def delete(self, name: str) -> None:
        """Take a name away; the object goes too unless jobs name it. Raises NotFound."""
        with self._transaction() as session:
            hold_off_submissions(session)
            gone = delete(self.table).where(self.table.name == name).returning(self.table.sha256)
            sha256 = session.execute(gone).scalar_one_or_none()
            if sha256 is not None:
                drop(session, [f"{self.folder}/{sha256}"])
        if sha256 is None:
            self.get(name)


class Models(Library[ModelRow, NewModel]):
    """The trained models of a farm."""

    table = ModelRow
    noun = NewModel.noun
    folder = "models"


class Datasets(Library[DatasetRow, NewDataset]):
    """The data sets of a farm."""

    table = DatasetRow
    noun = NewDataset.noun
    folder = "datasets"


def stored_model(new: NewModel) -> StoredObject:
    """Return the object of a model."""
    return StoredObject(f"{Models.folder}/{new.sha256}", new.sha256, new.bytes)


def put_trained_model(session: Session, new: NewModel, job_id: str) -> None:
    """Register the model of a training in a transaction; another one of that name is replaced, unless it is newer.

    It is newer if its training was asked for later, or if it was imported since.
    """
    found = session.scalars(select(ModelRow).where(ModelRow.name == new.name).with_for_update()).one_or_none()
    if found is not None:
        trainings = select(JobRow.id, JobRow.created_at).where(JobRow.id.in_([job_id, found.trained_by or job_id]))
        asked = {row.id: row.created_at for row in session.execute(trainings)}
        if asked.get(found.trained_by or "", found.created_at) > asked[job_id]:
            return
    put(session, ModelRow, Models.folder, new, replace=True)


def put(session: Session, table: type[ModelRow | DatasetRow], folder: str, new: NewEntry, *, replace: bool) -> bool:
    """Insert a row unless one of that name is there; return False if it is the same. Raises InvalidRequest."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = dict(vars(new))
    statement = insert(table).values(**values, created_at=now()).on_conflict_do_nothing().returning(table.name)
    if session.execute(statement).first() is not None:
        return True
    held = select(table).where(table.name == new.name).with_for_update()
    found = cast("ModelRow | DatasetRow | None", session.scalars(held).one_or_none())
    if found is None or found.sha256 == new.sha256:
        return False
    if not replace:
        raise InvalidRequest(
            f"{new.name} is the name of another {new.noun} (from {found.source}): give another name, or force=True to"
            " replace it",
            flag="force",
        )
    drop(session, [f"{folder}/{found.sha256}"])
    for name, value in values.items():
        setattr(found, name, value)
    found.created_at = now()
    return True
