"""The names of pretrained weights: which file of the object store each stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.connection import translate_errors
from stylefarm.shared.db.tables import WeightsRow
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.networks import TITLES, Architecture
from stylefarm.shared.store.object_names import drop

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class NewWeights:
    """Weights as they are registered: SHA-256 in hex and size in bytes are those of the stored file."""

    name: str
    sha256: str
    architecture: Architecture
    source: str
    bytes: int

    def __post_init__(self) -> None:
        """Raise InvalidRequest for a name that cannot be one, or that is another architecture's."""
        if not NAME.fullmatch(self.name):
            raise InvalidRequest(
                f"no weights can be called {self.name!r:.80}: a name is at most 64 letters, digits and . _ -, and"
                " begins with a letter or a digit"
            )
        if self.name in TITLES and self.name != self.architecture:
            raise InvalidRequest(
                f"the weights are {self.architecture}'s, and {self.name} is what those of {self.name} are found by:"
                " give another --name"
            )


class WeightsRegistry:
    """The table of weights. Rows come detached. Raises ServiceUnavailable and NotMigrated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def all(self) -> list[WeightsRow]:
        """Return everything that is registered, by name."""
        with self._session() as session:
            return list(session.scalars(select(WeightsRow).order_by(WeightsRow.name)).all())

    def find(self, name: str) -> WeightsRow | None:
        """Return the weights of that name, if there are any."""
        with self._session() as session:
            return session.get(WeightsRow, name)

    def check(self, new: NewWeights) -> None:
        """Check that `add` would accept them now. Raises InvalidRequest if the name is taken by other weights."""
        _refuse_other(self.find(new.name), new)

    def add(self, new: NewWeights, *, replace: bool = False) -> bool:
        """Register weights; False if the same are there under that name already.

        Raises InvalidRequest if other weights are, unless they are to be replaced.
        """
        with translate_errors(self.engine), Session(self.engine) as session, session.begin():
            if _insert(session, new):
                return True
            found = session.get(WeightsRow, new.name, with_for_update=True)
            if found is not None and found.sha256 == new.sha256:
                return False
            if not replace:
                _refuse_other(found, new)
            values = {**asdict(new), "created_at": now()}
            if found is not None:
                drop(session, [f"weights/{found.sha256}"])
            session.execute(update(WeightsRow).where(WeightsRow.name == new.name).values(values))
            return True

    @contextmanager
    def _session(self) -> Iterator[Session]:
        engine = self.engine.execution_options(read_only=True)
        with translate_errors(self.engine), Session(engine, expire_on_commit=False) as session:
            yield session


def _insert(session: Session, new: NewWeights) -> bool:
    """Insert the row unless one of that name is there; of two that try at once, the second waits for the first."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(WeightsRow).values(asdict(new)).on_conflict_do_nothing().returning(WeightsRow.name)
    return session.execute(statement).first() is not None


def _refuse_other(found: WeightsRow | None, new: NewWeights) -> None:
    if found is not None and found.sha256 != new.sha256:
        raise InvalidRequest(
            f"{new.name} is the name of other weights ({found.architecture} from {found.source}): give another --name,"
            " or --force to replace them"
        )
