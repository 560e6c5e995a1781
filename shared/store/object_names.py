"""Which objects of the store are named: by jobs, by what is registered, and by submissions that are under way.

A picture, weights or a model are stored once, under their hash, for all jobs that name them. Between the look whether
an object is there and the row that names it, a submission holds its key, so that a deletion leaves it alone.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.object_tables import DroppedObjectRow, HeldObjectRow
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.store.exclusion import hold_off_deletions
from stylefarm.shared.store.moves import CHUNK, Transactions

# No submission takes longer. One that has ended without a word names nothing any more.
HOLD_SECONDS = 86_400.0

# Whatever parameter names it, what begins so in a spec is an object.
_NAMED = re.compile(r'"sha256:([0-9a-f]{64})"')
# In which folder of the store what such a parameter names is; all others name pictures.
_FOLDERS = {
    "weights": "weights",
    "model": "models",
    "base": "models",
    "content_set": "datasets",
    "style_set": "datasets",
}
_IN_FOLDER = re.compile(rf'"({"|".join(_FOLDERS)})":\s*{_NAMED.pattern}')


def keys_in(spec: str) -> set[str]:
    """Return the keys of the objects that a spec names.

    Args:
        spec: resolved, as JSON.

    Example:
        >>> cat, waves = "ca" * 32, "5e" * 32
        >>> sorted(keys_in(f'{{"content":"sha256:{cat}","size":512,"weights":"sha256:{waves}"}}'))[1][:12]
        'weights/5e5e'
    """
    folders = {digest: _FOLDERS[name] for name, digest in _IN_FOLDER.findall(spec)}
    return {f"{folders.get(digest, 'inputs')}/{digest}" for digest in _NAMED.findall(spec)}


def hashes_in(spec: str) -> Iterator[str]:
    """Yield the SHA-256 of each object that a spec names, whatever it is.

    Example:
        >>> [digest[:4] for digest in hashes_in(f'{{"style":["sha256:{"5e" * 32}"],"size":512}}')]
        ['5e5e']
    """
    return (found[1] for found in _NAMED.finditer(spec))


def datasets_in(spec: str) -> Iterator[str]:
    """Yield the SHA-256 of each data set that a spec names.

    Example:
        >>> [digest[:4] for digest in datasets_in(f'{{"content_set": "sha256:{"5e" * 32}"}}')]
        ['5e5e']
    """
    return (digest for name, digest in _IN_FOLDER.findall(spec) if _FOLDERS[name] == "datasets")


class ObjectHolds(Transactions):
    """Keeps objects from being deleted while something is about to name them."""

    @contextmanager
    def holding(self, keys: Collection[str]) -> Iterator[None]:
        """Hold the objects of these keys in the `with` block, at the end of which rows name them.

        If the block raises, what it has stored is deleted some time later, unless other rows name it.
        """
        holder = str(uuid.uuid4())
        self._hold(holder, sorted(keys))
        named = False
        try:
            yield
            named = True
        finally:
            # What is not released is looked at in a day: the rows are there, so the caller has what it wanted.
            with suppress(ServiceUnavailable):
                self._release(holder, named=named)

    def hold_for_a_day(self, keys: Collection[str]) -> None:
        """Hold the objects of these keys for a day: what no row names by then is deleted."""
        self._hold(str(uuid.uuid4()), sorted(keys))

    def _hold(self, holder: str, keys: list[str]) -> None:
        with self._transaction() as session:
            # Who deletes now has not seen that these are held.
            hold_off_deletions(session)
            for start in range(0, len(keys), CHUNK):
                rows = [{"key": key, "holder": holder} for key in keys[start : start + CHUNK]]
                session.execute(insert(HeldObjectRow).values(until=now(HOLD_SECONDS)), rows)

    def _release(self, holder: str, *, named: bool) -> None:
        # Not deleted: a deletion that began before may have looked for names before these rows were there.
        released = update(HeldObjectRow).where(HeldObjectRow.holder == holder).values(until=now(), named=named)
        with self._transaction() as session:
            session.execute(released, execution_options={"synchronize_session": False})


def drop(session: Session, keys: Iterable[str]) -> None:
    """Write down what has lost a name: it is deleted unless there are others. A key that ends in / is a folder's."""
    ordered = sorted(keys)
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    again = {"dropped_at": now(), "emptied": False}
    statement = dialect.insert(DroppedObjectRow.__table__).on_conflict_do_update(index_elements=["key"], set_=again)
    for start in range(0, len(ordered), CHUNK):
        session.connection().execute(statement, [{"key": key} for key in ordered[start : start + CHUNK]])
