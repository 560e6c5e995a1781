"""Which Backend the settings of a farm mean."""

from __future__ import annotations

from stylefarm.producer.backends.database import DatabaseBackend
from stylefarm.producer.backends.protocol import Backend
from stylefarm.shared.settings import Settings


def connect(settings: Settings) -> Backend:
    """Return what answers for a farm.

    Args:
        settings: which farm.

    Example:
        backend = connect(load_settings())
    """
    if settings.url is None:
        return DatabaseBackend(settings)
    from stylefarm.producer.backends.remote.backend import RemoteBackend

    return RemoteBackend(settings)
