"""What commands of the worker share: the farm's services, and the sentence for a package that is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stylefarm import migrations
from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.services import Services, connect_services
from stylefarm.shared.settings import load_settings


@contextmanager
def connected() -> Iterator[Services]:
    """Return the farm's services; asked first, so that nothing is fetched or read for nothing."""
    settings = load_settings()
    services = connect_services(settings)
    try:
        migrations.prepare(services.engine, embedded=settings.embedded)
        yield services
    finally:
        services.engine.dispose()


@contextmanager
def installed(what: str) -> Iterator[None]:
    """Say which extra has a package that is not installed, and is needed for `what`. Raises InvalidSettings."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = "models" if (error.name or "").startswith("onnx") else "worker"
        raise InvalidSettings(f"{what} needs the package {error.name}: pip install 'stylefarm[{extra}]'") from error
