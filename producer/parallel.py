"""Many pieces of work at once, each of which may fail without the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stylefarm.shared.errors import DamagedObject, FarmError, ServiceUnavailable, StorageFull

# Decoding releases the GIL, and fetching waits for the network.
THREADS = max(4, min(16, 2 * (os.cpu_count() or 1)))

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_parallel(
    items: Iterable[Item], make: Callable[[Item], Made], advance: Callable[[], None]
) -> list[Made | FarmError]:
    """Return what `make` returns for each item, in order, or the error where it failed.

    Args:
        items: what to work on.
        make: called for one item, in one of several threads.
        advance: called after each item, in the calling thread.

    Returns:
        For each item its result, or the FarmError that `make` raised.

    Raises:
        ServiceUnavailable: as soon as one item meets it, since the others would too; a DamagedObject is an error of
            its item alone.
        StorageFull: likewise. Items that were begun are finished, the others are left out.

    Example:
        >>> in_parallel([1, 2, 3], lambda number: number * number, lambda: None)
        [1, 4, 9]
    """

    def attempted(item: Item) -> Made | FarmError:
        try:
            return make(item)
        except DamagedObject as error:
            return error
        except (ServiceUnavailable, StorageFull):
            raise
        except FarmError as error:
            return error

    with ThreadPoolExecutor(THREADS) as threads:
        made = []
        try:
            for one in threads.map(attempted, items):
                made.append(one)
                advance()
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
        return made
