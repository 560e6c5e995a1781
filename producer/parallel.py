"""Many pieces of work at once, each of which may fail without the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stylefarm.shared.errors import FarmError, ServiceUnavailable, StorageFull

# Decoding lets go of Python's lock; fetching waits for a network.
THREADS = max(4, min(16, 2 * (os.cpu_count() or 1)))

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_parallel(
    items: Iterable[Item], make: Callable[[Item], Made], advance: Callable[[], None]
) -> list[Made | FarmError]:
    """What `make` gives for each of the items, in their order, or the error of those that it failed for.

    `advance` is called after each. Raises ServiceUnavailable and StorageFull as soon as one of them does: then the
    others would too. What was begun by then is finished, and what was not is left out.
    """

    def attempted(item: Item) -> Made | FarmError:
        try:
            return make(item)
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
