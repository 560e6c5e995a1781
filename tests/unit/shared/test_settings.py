"""The table of settings: where a value comes from, what is refused and in which words, and what stays secret."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from stylefarm.producer.cli import cli
from stylefarm.shared.errors import FarmError, InvalidRequest, InvalidSettings
from stylefarm.shared.settings import PREFIX, Settings, load_settings, source_of
from stylefarm.shared.settings_file import config_file

SECRETS = ("broker-5ecret", "database-5ecret", "bucket-5ecret")
SERVERS = {
    "STYLEFARM_BROKER_URL": "redis://:broker-5ecret@redis.example:6379/0",
    "STYLEFARM_DATABASE_URL": "postgresql://farm:database-5ecret@db.example/farm",
    "STYLEFARM_S3_BUCKET": "pictures",
    "STYLEFARM_S3_ENDPOINT": "http://s3.example:9000",
    "STYLEFARM_S3_ACCESS_KEY": "farm:worker",
    "STYLEFARM_S3_SECRET_KEY": "bucket-5ecret",
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stylefarm.toml lies about but the test's own."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A farm on servers, by the environment."""
    for variable, value in SERVERS.items():
        monkeypatch.setenv(variable, value)


def write(text: str, name: str = "stylefarm.toml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def refusal() -> str:
    with pytest.raises(InvalidSettings) as error:
        load_settings()
    return str(error.value)


def test_the_default_is_an_embedded_farm(tmp_path: Path) -> None:
    """Given no settings but a home, if I load them, I expect an embedded farm with all it keeps in that home."""
    loaded = load_settings()
    assert loaded.embedded
    assert loaded.home == tmp_path / "home"
    assert make_url(loaded.database).database == str(tmp_path / "home" / "farm.db")
    assert (loaded.max_pixels, loaded.lease_seconds, loaded.log_level) == (100_000_000, 30, "info")
    assert load_settings() is loaded


def test_a_home_of_strange_letters_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given a home with letters that mean something in a URL, if a database is made of it, I expect that very file."""
    monkeypatch.setenv("STYLEFARM_HOME", str(tmp_path / "a?b#c%20d"))
    assert make_url(load_settings().database).database == str(tmp_path / "a?b#c%20d" / "farm.db")


@pytest.mark.usefixtures("servers")
def test_servers_by_the_environment() -> None:
    """Given a broker, a database and a bucket, if I load the settings, I expect a farm on servers."""
    loaded = load_settings()
    assert not loaded.embedded
    assert loaded.database == SERVERS["STYLEFARM_DATABASE_URL"]
    assert loaded.broker_url is not None
    assert loaded.broker_url.get_secret_value() == SERVERS["STYLEFARM_BROKER_URL"]


def test_the_environment_comes_before_the_file_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a value here and there, if I load, I expect the environment's, else the file's, else the default."""
    write("max_pixels = 11\nmax_bytes = 12\n")
    monkeypatch.setenv("STYLEFARM_MAX_PIXELS", "21")
    loaded = load_settings()
    assert (loaded.max_pixels, loaded.max_bytes, loaded.s3_region) == (21, 12, "us-east-1")
    sources = {name: source_of(name) for name in ("max_pixels", "max_bytes", "s3_region")}
    assert sources == {"max_pixels": "environment", "max_bytes": "stylefarm.toml", "s3_region": "default"}


def test_a_file_of_another_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given two files, if STYLEFARM_CONFIG names one, I expect its values and none of the other's."""
    other = tmp_path / "other.toml"
    write("max_pixels = 11\n")
    write("max_bytes = 12\n", str(other))
    monkeypatch.setenv("STYLEFARM_CONFIG", str(other))
    loaded = load_settings()
    assert (loaded.max_pixels, loaded.max_bytes) == (100_000_000, 12)
    assert source_of("max_bytes") == str(config_file()) == str(other)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_pixels = " + "[" * 3000, "stylefarm.toml is nested too deeply: its settings are one below the other"),
        ("#" * 1_000_001, "stylefarm.toml has more than 1,000,000 bytes: check the path, or make it smaller"),
    ],
    ids=["deep", "large"],
)
def test_a_file_that_asks_for_everything_is_refused(text: str, sentence: str) -> None:
    """Given a file that would take all of the stack or much memory, if I load, I expect a sentence."""
    write(text)
    assert refusal() == sentence


@pytest.mark.parametrize(("home", "found"), [("sub/h", "config/sub/h"), ("~/h", "~/h"), ("/h", "/h"), (".", "config")])
def test_home_in_a_file_is_beside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str, found: str) -> None:
    """Given a relative home in a file in another folder, if I load, I expect it relative to that file."""
    (tmp_path / "config").mkdir()
    write(f"home = {home!r}\n", str(tmp_path / "config" / "farm.toml"))
    monkeypatch.setenv("STYLEFARM_CONFIG", str(tmp_path / "config" / "farm.toml"))
    monkeypatch.delenv("STYLEFARM_HOME")
    assert load_settings().home.expanduser() == tmp_path / Path(found).expanduser()


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given variables that are set to nothing, if I load, I expect the file's values and the defaults."""
    write("max_pixels = 11\n")
    for variable in ("STYLEFARM_MAX_PIXELS", "STYLEFARM_BROKER_URL", "STYLEFARM_CONFIG"):
        monkeypatch.setenv(variable, "")
    assert load_settings().max_pixels == 11
    assert load_settings().embedded
    assert source_of("max_pixels") == "stylefarm.toml"


def test_letters_of_a_variable_may_be_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a variable in small letters, if I load, I expect its value, and the environment as its source."""
    monkeypatch.setenv("stylefarm_max_pixels", "21")
    assert load_settings().max_pixels == 21
    assert source_of("max_pixels") == "environment"


@pytest.mark.parametrize("name", ["nowhere.toml", ".", "x" * 300])
def test_a_file_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Given STYLEFARM_CONFIG that names no file, if I load, I expect both named."""
    monkeypatch.setenv("STYLEFARM_CONFIG", name)
    assert refusal() == f"STYLEFARM_CONFIG names {name}, which is no file: correct it or unset it"


def test_a_file_that_is_no_toml() -> None:
    """Given a mistake in stylefarm.toml, if I load or ask for a source, I expect the file, the line and the column."""
    write("max_pixels = 11\nmax_bytes = twelve\n")
    assert refusal() == "stylefarm.toml is no TOML: Invalid value (at line 2, column 13)"
    with pytest.raises(InvalidSettings, match="line 2"):
        source_of("max_bytes")


def test_a_file_of_another_encoding() -> None:
    """Given a file that is not UTF-8, if I load, I expect that said; the mark that some editors set is no mistake."""
    Path("stylefarm.toml").write_bytes('s3_region = "ä"\n'.encode("latin-1"))
    assert refusal().startswith("stylefarm.toml is no TOML: 'utf-8' codec can't decode")
    Path("stylefarm.toml").write_bytes(b"\xef\xbb\xbfmax_pixels = 11\n")
    assert load_settings().max_pixels == 11


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file that is not mine to read, if I load, I expect the reason."""

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    write("")
    with monkeypatch.context() as shut:
        shut.setattr(Path, "open", denied)
        assert refusal() == "stylefarm.toml cannot be read (Permission denied): check its permissions"


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


@pytest.mark.usefixtures("servers")
def test_secrets_do_not_show_in_the_object() -> None:
    """Given secrets, if the settings are written out in any way, I expect none of them."""
    loaded = load_settings()
    for text in (repr(loaded), str(loaded), str(loaded.model_dump()), loaded.model_dump_json()):
        assert not any(secret in text for secret in SECRETS)


def test_secrets_do_not_show_in_errors() -> None:
    """Given a secret where another type is wanted, if I load it, I expect the setting named, not the value."""
    write("s3_secret_key = ['bucket-5ecret']\nbroker_url = {password = 'broker-5ecret'}\n")
    assert "s3_secret_key (stylefarm.toml): must be a valid string" in refusal()
    with pytest.raises(ValueError, match="s3_secret_key") as error:
        Settings()
    for text in (refusal(), str(error.value), repr(error.value)):
        assert not any(secret in text for secret in SECRETS)


def show(*options: str) -> Result:
    result = CliRunner().invoke(cli, ["config", "show", *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result


@pytest.mark.usefixtures("servers")
def test_secrets_do_not_show_in_the_command() -> None:
    """Given secrets, if I ask for the settings as a table or as JSON, I expect all but the secrets."""
    for result in (show(), show("--json")):
        assert not any(secret in result.output for secret in SECRETS)
        for shown in ("redis.example:6379", "db.example/farm", "http://s3.example:9000", "farm:worker", "***"):
            assert shown in result.output


@pytest.mark.usefixtures("servers")
def test_the_command_says_where_each_value_is_from() -> None:
    """Given settings from three places, if I ask for them as JSON, I expect each with its source."""
    write("max_pixels = 11\n")
    document = json.loads(show("--json").stdout)
    assert document["embedded"] is False
    assert set(document["settings"]) == set(Settings.model_fields)
    assert document["settings"]["max_pixels"] == {"value": 11, "source": "stylefarm.toml"}
    assert document["settings"]["s3_bucket"] == {"value": "pictures", "source": "environment"}
    assert document["settings"]["max_bytes"] == {"value": 500_000_000, "source": "default"}


def test_every_setting_is_described() -> None:
    """Given the table, if I read the descriptions, I expect one for each setting, of its own, and none empty."""
    descriptions = [field.description or "" for field in Settings.model_fields.values()]
    assert all(description.strip() for description in descriptions)
    assert len(set(descriptions)) == len(descriptions)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
raw = st.binary(max_size=30).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))
urls = st.from_regex(r"\A(redis|postgresql|sqlite|https?)(\+x)?://[a-z:@/?#%\[\]=&1]{0,20}\Z")
numbers = st.one_of(st.integers().map(str), st.floats().map(str))
names = st.sampled_from([*(PREFIX + name.upper() for name in Settings.model_fields), "STYLEFARM_CONFIG", "STYLEFARM_X"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(names, st.one_of(texts, raw, urls, numbers)))
@example({"STYLEFARM_HOME": "~" + "x" * 30})
@example({"STYLEFARM_CONFIG": "x/" * 3000})
def test_any_environment_is_read_or_refused(variables: dict[str, str]) -> None:
    """Given any values of the variables, if I load, I expect settings or one of our own sentences."""
    load_settings.cache_clear()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        try:
            loaded = load_settings()
        except FarmError as error:
            assert str(error)
        else:
            assert make_url(loaded.database)
            show()
    load_settings.cache_clear()
