"""The farm's Celery application, for Celery's own programs: `celery -A stylefarm inspect active`."""

from __future__ import annotations

from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.queue.app import application
from stylefarm.shared.settings import load_settings

_broker_url = load_settings().broker_url
if _broker_url is None:
    raise InvalidSettings("there is no Celery in an embedded farm: set STYLEFARM_BROKER_URL")
app = application(_broker_url.get_secret_value())
