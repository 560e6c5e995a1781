"""Settings that tests give, and the words in which wrong ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.settings import load_settings

SECRETS = ("broker-5ecret", "database-5ecret", "bucket-5ecret")
SERVERS = {
    "STYLEFARM_BROKER_URL": "redis://:broker-5ecret@redis.example:6379/0",
    "STYLEFARM_DATABASE_URL": "postgresql://farm:database-5ecret@db.example/farm",
    "STYLEFARM_S3_BUCKET": "pictures",
    "STYLEFARM_S3_ENDPOINT": "http://s3.example:9000",
    "STYLEFARM_S3_ACCESS_KEY": "farm:worker",
    "STYLEFARM_S3_SECRET_KEY": "bucket-5ecret",
}


def write(text: str, name: str = "stylefarm.toml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def refusal() -> str:
    with pytest.raises(InvalidSettings) as error:
        load_settings()
    return str(error.value)
