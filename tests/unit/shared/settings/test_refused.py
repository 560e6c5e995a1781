"""Values that no setting can have, and the words in which they are refused."""

from __future__ import annotations

from typing import get_args

import pytest
from click.testing import CliRunner

from stylefarm.producer.cli import cli
from stylefarm.shared.errors import InvalidRequest, InvalidSettings
from stylefarm.shared.settings import PREFIX, Settings, load_settings
from tests.unit.shared.settings.given import SERVERS, refusal, write


def test_an_unknown_key_in_the_file() -> None:
    """Given a misspelt key, if I load, I expect it, the file, and the nearest setting."""
    write("max_pixel = 11\n")
    assert refusal() == "no setting is called 'max_pixel' (stylefarm.toml): did you mean 'max_pixels'?"


def test_an_unknown_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a misspelt variable, if I load, I expect it and the nearest one."""
    monkeypatch.setenv("STYLEFARM_BROKER", "redis://localhost")
    assert refusal() == "no setting is called STYLEFARM_BROKER: did you mean 'STYLEFARM_BROKER_URL'?"


def test_the_variable_of_the_file_in_small_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given stylefarm_config, which would not be heard, if I load, I expect it refused and not passed over."""
    monkeypatch.setenv("stylefarm_config", "nowhere.toml")
    assert refusal() == "no setting is called stylefarm_config: did you mean 'STYLEFARM_CONFIG'?"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("max_pixels", "many", "max_pixels = 'many' (environment): must be a valid integer, unable to parse"),
        ("max_pixels", "0", "max_pixels = '0' (environment): must be greater than or equal to 1"),
        ("threads", "1e99", "threads = '1e99' (environment): must be a valid integer"),
        ("lease_seconds", "nan", "lease_seconds = 'nan' (environment): must be"),
        ("lease_seconds", "inf", "lease_seconds = 'inf' (environment): must be less than or equal to 86400"),
        ("log_level", "loud", "log_level = 'loud' (environment): must be 'debug', 'info', 'warning' or 'error'"),
        ("home", "~nobody-of-that-name/farm", "(environment): there is no home folder ~nobody-of-that-name"),
        ("webhook_secret", "short", "webhook_secret (environment): must have at least 16 letters"),
        ("user", "ada\n", "user = 'ada\\n' (environment): a name has printable letters alone: correct it"),
        ("user", "a" * 65, "(environment): must have at most 64 characters"),
        ("max_bytes", "9" * 5000, f"max_bytes = '{'9' * 59} (environment): "),
    ],
)
def test_a_value_that_cannot_be(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    """Given a value out of its range, if I load, I expect the setting, the value, its source, and what it must be."""
    monkeypatch.setenv(PREFIX + name.upper(), value)
    assert sentence in refusal()


def bounds(name: str) -> tuple[float, float]:
    """The least and the largest value that a setting may have."""
    found = {type(entry).__name__: entry for entry in Settings.model_fields[name].metadata}
    return float(found["Ge"].ge), float(found["Le"].le)


NUMBERS = [
    name
    for name, field in Settings.model_fields.items()
    if {int, float} & {field.annotation, *get_args(field.annotation)}
]


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_bounds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Given a setting that is a number, if it is beyond its bounds, or is none, I expect it refused by its name."""
    least, most = bounds(name)
    for value in (least - 1, most * 2, least / 2 - 1e-9, "1e-300", "-1e300", "inf", "nan", "9" * 30, "9" * 400):
        if value == "1e-300" and least == 0:
            continue
        monkeypatch.setenv(PREFIX + name.upper(), str(value))
        assert refusal().startswith(f"{name} = ")


@pytest.mark.parametrize(
    "prefix", ["../../x", "/x", "a//b", "a/../b", ".", "..", "a/./b", "a\nb", "x" * 513, "\x1b[31m/"]
)
def test_a_prefix_stays_in_its_bucket(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """Given a prefix that leads elsewhere or nowhere, if I load, I expect it refused."""
    monkeypatch.setenv("STYLEFARM_S3_PREFIX", prefix)
    assert "a prefix has" in refusal()


@pytest.mark.parametrize("prefix", ["", "farm", "farm/", "farm/one/", "farm/one-", "a b/c..d/"])
def test_prefixes_that_can_be(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """Given a prefix as people have them, if I load, I expect it as it is."""
    monkeypatch.setenv("STYLEFARM_S3_PREFIX", prefix)
    assert load_settings().s3_prefix == prefix


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two mistakes, if I load, I expect both, each with its source."""
    write("log_format = 'yaml'\n")
    monkeypatch.setenv("STYLEFARM_THREADS", "0")
    assert "log_format = 'yaml' (stylefarm.toml): " in refusal()
    assert "threads = '0' (environment): " in refusal()


@pytest.mark.parametrize(
    ("given_variables", "sentence"),
    [
        (
            ["BROKER_URL"],
            "broker_url is set, but database_url and s3_bucket are not: set STYLEFARM_DATABASE_URL and STYLEFARM_S3_",
        ),
        (["BROKER_URL", "DATABASE_URL"], "broker_url and database_url are set, but s3_bucket is not: set "),
        (["S3_BUCKET"], "s3_bucket is set, but broker_url and database_url are not: set "),
        (["S3_ENDPOINT"], "s3_endpoint is set, but broker_url and database_url and s3_bucket are not: set "),
        (["BROKER_URL", "DATABASE_URL", "S3_BUCKET", "S3_SECRET_KEY"], "of s3_access_key and s3_secret_key only one"),
        (["BROKER_URL", "DATABASE_URL", "S3_BUCKET", "S3_ACCESS_KEY"], "of s3_access_key and s3_secret_key only one"),
    ],
)
def test_half_a_farm_on_servers(monkeypatch: pytest.MonkeyPatch, given_variables: list[str], sentence: str) -> None:
    """Given a part of what servers need, if I load, I expect what is missing, and no farm on this machine."""
    for variable in given_variables:
        monkeypatch.setenv(PREFIX + variable, SERVERS[PREFIX + variable])
    assert refusal().startswith(sentence)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DATABASE_URL", "sqlite:////tmp/farm.db", "database_url begins with sqlite://, but the workers of a farm "),
        ("DATABASE_URL", "postgres://u:5ecret@h/n", "begins with postgres://, but .* share a postgresql: write "),
        ("DATABASE_URL", "db.example/5ecret", "database_url is no URL: write postgresql://user:password@host/name"),
        ("DATABASE_URL", "postgresql://u:5ecret@h:port/n", "database_url is no URL"),
        ("DATABASE_URL", "postgresql://u:5ecret@@h/n", "database_url is no URL: write .* with %40 for @"),
        (
            "DATABASE_URL",
            "postgresql://h/n?password=5ecret",
            "has a password behind its question mark: write it ",
        ),
        ("BROKER_URL", "amqp://u:5ecret@h", "broker_url begins with amqp://, but .* share a redis: write redis://"),
        ("BROKER_URL", "localhost:6379", "broker_url is no URL: write redis://"),
        ("BROKER_URL", "redis://:5ecret/5ecret@h/0", "broker_url is no URL"),
        ("BROKER_URL", "redis://:5ecret#@h/0", "broker_url is no URL"),
        ("BROKER_URL", "redis://:5 ecret@h/0", "broker_url is no URL"),
        ("BROKER_URL", "redis://:1/5ecret@h/0", "broker_url is no URL"),
        ("BROKER_URL", "redis://h/5ecret", "broker_url ends in no number of a Redis database"),
        ("S3_ENDPOINT", "s3.example:9000", "s3_endpoint is no address of a server: write http://host:port"),
        ("S3_ENDPOINT", "http://u:5ecret@s3.example", "s3_endpoint .* without user or password"),
        ("S3_ENDPOINT", "ftp://s3.example", "s3_endpoint is no address"),
        ("S3_PUBLIC_ENDPOINT", "s3.example:9000", "s3_public_endpoint is no address of a server"),
    ],
)
@pytest.mark.usefixtures("servers")
def test_an_address_that_cannot_be(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str) -> None:
    """Given an address that is none, or is of something else, if I load, I expect what to write, and no secret."""
    monkeypatch.setenv(PREFIX + variable, value)
    with pytest.raises(InvalidSettings, match=sentence) as error:
        load_settings()
    assert "ecret" not in str(error.value)


@pytest.mark.parametrize("url", ["redis://h", "rediss://:p%40%2Fq@h:6380/1?ssl_cert_reqs=none", "redis://[::1]:6379/0"])
@pytest.mark.usefixtures("servers")
def test_addresses_that_can_be(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Given less usual addresses of Redis, if I load, I expect them as they are."""
    monkeypatch.setenv("STYLEFARM_BROKER_URL", url)
    monkeypatch.setenv("STYLEFARM_DATABASE_URL", "postgresql+psycopg://u@/n?host=/var/run/postgresql")
    broker_url = load_settings().broker_url
    assert broker_url is not None
    assert broker_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"URL": "http://farm.example"}, "in the clear"),
        ({"URL": "farm.example"}, "url is no address of a farm: write https://farm.example.org"),
        ({"URL": "https://ann:5ecret@farm.example"}, "url is no address of a farm"),
        ({"URL": "https://farm.example", "BROKER_URL": "redis://redis.example/0"}, "broker_url is set, too"),
        ({"URL": "https://farm.example", "TOKEN": "two words"}, "it is no token"),
    ],
)
def test_a_farm_over_http_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
) -> None:
    """Given what is no address, or an address with servers beside it, I expect a sentence, and no secret in it."""
    for name, value in {"TOKEN": "t0ken-5ecret", **variables}.items():
        monkeypatch.setenv(PREFIX + name, value)
    said = refusal()
    assert sentence in said
    assert "5ecret" not in said


def test_a_farm_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an address and a token, I expect no embedded farm and no database, and a token that is sent there alone."""
    monkeypatch.setenv("STYLEFARM_URL", "https://farm.example/")
    monkeypatch.setenv("STYLEFARM_TOKEN", "t0ken-5ecret")
    loaded = load_settings()
    assert (loaded.url, loaded.embedded) == ("https://farm.example", False)
    assert "5ecret" not in f"{loaded!r} {loaded.model_dump_json()} {CliRunner().invoke(cli, ['config', 'show']).output}"
    with pytest.raises(InvalidRequest, match=r"own database, and https://farm\.example is asked over HTTP"):
        _ = loaded.database
    same, other = loaded.over_http("https://farm.example/"), loaded.over_http("https://other.example")
    assert (same.token, other.token) == (loaded.token, None)


def test_heartbeats_rarer_than_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a lease that ends before the first heartbeat, if I load, I expect both numbers."""
    monkeypatch.setenv("STYLEFARM_LEASE_SECONDS", "5")
    assert refusal().startswith("heartbeat_seconds = 10 must be below lease_seconds = 5, or every job is lost")


def test_nobody_knows_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a user without a home folder, if I load without a home, I expect the setting named."""
    monkeypatch.delenv("STYLEFARM_HOME")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: "~nobody-of-that-name/stylefarm")
    assert "(default): there is no home folder ~nobody-of-that-name: give the whole path" in refusal()
