"""The private servers: they answer, are our own, and keep their data over a kill."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import redis
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.servers import MissingProgramError, PostgresServer, RedisServer, ServerError, SwiftServer
from tests.servers.processes import find_program

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MEBIBYTE = 2**20


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url, socket_timeout=60, retry=None) as client:
        yield client


@pytest.fixture
def s3(swift_server: SwiftServer) -> Iterator[S3Client]:
    with contextlib.closing(swift_server.client()) as client:
        yield client


@pytest.fixture
def bucket(s3: S3Client) -> str:
    name = f"test-{os.urandom(8).hex()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"test-{os.urandom(8).hex()}"
    postgres_server.create_database(name)
    yield name
    postgres_server.drop_database(name)


def execute(server: PostgresServer, database: str, statement: str) -> list[tuple[Any, ...]]:
    url = server.url_of(database).replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def status_of(error: pytest.ExceptionInfo[ClientError]) -> int:
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_redis_keeps_what_it_acknowledged(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    # Given a value that Redis has acknowledged
    redis_client.set("kept", "value")
    # if all its processes are killed and it is started again
    redis_server.kill()
    with pytest.raises(redis.ConnectionError):
        redis_client.ping()
    redis_server.restart()
    # I expect the value to be there
    assert redis_client.get("kept") == b"value"


def test_redis_refuses_a_wrong_password(redis_server: RedisServer) -> None:
    url = redis_server.url.replace(redis_server.password, "wrong")
    with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_a_paused_server_keeps_silent_until_it_is_resumed(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    # Given an open connection
    redis_client.ping()
    # if the server is paused, I expect no answer on another one
    redis_server.pause()
    with (
        redis.Redis.from_url(redis_server.url, socket_timeout=1, retry=None) as impatient,
        pytest.raises(redis.TimeoutError),
    ):
        impatient.ping()
    # and if it is resumed, I expect one on the first
    redis_server.resume()
    assert redis_client.ping()


def test_postgres_keeps_what_was_committed(postgres_server: PostgresServer, database: str) -> None:
    # Given a committed row
    execute(postgres_server, database, "CREATE TABLE kept AS SELECT 7 AS value")
    # if all its processes are killed and it is started again
    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        execute(postgres_server, database, "SELECT")
    postgres_server.start()
    # I expect the row to be there
    assert execute(postgres_server, database, "SELECT value FROM kept") == [(7,)]


def test_postgres_refuses_a_wrong_password(postgres_server: PostgresServer) -> None:
    url = postgres_server.url.replace("+psycopg", "").replace(postgres_server.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_a_database_is_a_copy_of_its_template(postgres_server: PostgresServer, database: str) -> None:
    # Given a database with a table, if another is made from it
    execute(postgres_server, database, "CREATE TABLE original (value int)")
    copy = f"{database}-copy"
    url = postgres_server.create_database(copy, template=database)
    # I expect the table in the copy, and what is written there to stay there
    assert url == postgres_server.url_of(copy)
    execute(postgres_server, copy, "INSERT INTO original VALUES (1)")
    assert execute(postgres_server, database, "SELECT * FROM original") == []
    # and that it can be dropped although somebody is still connected
    with contextlib.closing(psycopg.connect(url.replace("+psycopg", ""))):
        postgres_server.drop_database(copy)


def test_swift_keeps_what_it_stored(swift_server: SwiftServer, s3: S3Client, bucket: str) -> None:
    # Given an object
    s3.put_object(Bucket=bucket, Key="kept", Body=b"value")
    # if all of Swift's processes are killed and started again
    swift_server.kill()
    swift_server.restart()
    # I expect it in the listing, with its bytes
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
    assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"value"


def test_swift_refuses_a_wrong_secret(swift_server: SwiftServer) -> None:
    with contextlib.closing(swift_server.client(secret_key="wrong")) as client, pytest.raises(ClientError) as error:
        client.list_buckets()
    assert status_of(error) == 403


def test_swift_knows_no_missing_key(s3: S3Client, bucket: str) -> None:
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="missing")
    assert status_of(error) == 404


def test_swift_gives_back_what_came_in_parts(s3: S3Client, bucket: str) -> None:
    # Given 12 MiB, uploaded as parts of 5, 5 and 2
    content = os.urandom(12 * MEBIBYTE)
    in_parts = TransferConfig(multipart_threshold=5 * MEBIBYTE, multipart_chunksize=5 * MEBIBYTE, use_threads=False)
    s3.upload_fileobj(io.BytesIO(content), bucket, "large", Config=in_parts)
    # I expect an object of three parts with the same bytes
    stored = s3.get_object(Bucket=bucket, Key="large")
    assert stored["ETag"].endswith('-3"')
    assert stored["Body"].read() == content


def test_nothing_is_left_after_the_block() -> None:
    # Given a server, if its block ends
    with RedisServer() as server:
        assert server.folder.is_dir()
    # I expect neither its folder nor an answer
    assert not server.folder.exists()
    with redis.Redis.from_url(server.url, retry=None) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_a_server_that_cannot_start_shows_its_log() -> None:
    # Given a server whose port is already taken by another, I expect its own words about that
    with RedisServer() as first:
        second = RedisServer()
        second.ports = first.ports
        with pytest.raises(ServerError, match="Address already in use"), second:
            pass


def test_a_missing_program_is_said_in_a_sentence() -> None:
    with pytest.raises(MissingProgramError, match="run tests/servers/install"):
        find_program("no-such-server")
