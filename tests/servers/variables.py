"""The settings of a farm on private servers, as environment variables."""

from __future__ import annotations

from tests.servers.redis import RedisServer
from tests.servers.swift import SwiftServer


def variables_of(redis: RedisServer, database_url: str, swift: SwiftServer, bucket: str) -> dict[str, str]:
    """Return the variables with the addresses and the credentials of a farm's services."""
    return {
        "STYLEFARM_BROKER_URL": redis.url,
        "STYLEFARM_DATABASE_URL": database_url,
        "STYLEFARM_S3_BUCKET": bucket,
        "STYLEFARM_S3_ENDPOINT": swift.endpoint,
        "STYLEFARM_S3_ACCESS_KEY": swift.access_key,
        "STYLEFARM_S3_SECRET_KEY": swift.secret_key,
    }
