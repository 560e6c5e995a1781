"""The farm's Celery application, for Celery's own programs: `celery -A stylefarm inspect active`."""

from __future__ import annotations

from typing import Any

from stylefarm.shared.errors import InvalidSettings


def __getattr__(name: str) -> Any:
    """Return the application as `app`: it is made when Celery asks for it, and needs the settings of a farm on servers.

    Raises:
        InvalidSettings: the farm is embedded.
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stylefarm.shared.queue.app import application
    from stylefarm.shared.settings import load_settings

    broker_url = load_settings().broker_url
    if broker_url is None:
        raise InvalidSettings("there is no Celery in an embedded farm: set STYLEFARM_BROKER_URL")
    return application(broker_url.get_secret_value())
