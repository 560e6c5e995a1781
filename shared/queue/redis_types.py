"""Keys of our queues that hold something else than a list: nothing can be put there or taken from there."""

from __future__ import annotations

from collections.abc import Iterable

from redis import Redis

# How Redis's errors about them begin.
WRONG_TYPE = "WRONGTYPE"


def delete_other_types(client: Redis, keys: Iterable[str]) -> list[str]:
    """Delete those of the keys that are no lists, and return them."""
    asked = list(keys)
    with client.pipeline(transaction=False) as pipeline:
        for key in asked:
            pipeline.type(key)
        found = pipeline.execute()
    others = [key for key, kind in zip(asked, found, strict=True) if kind not in {b"list", b"none"}]
    if others:
        client.delete(*others)
    return others
