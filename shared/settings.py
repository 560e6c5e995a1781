"""One table of settings: a chosen profile, the environment (STYLEFARM_...), stylefarm.toml, the defaults."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qs, urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import URL, make_url

from stylefarm.shared.errors import InvalidRequest, InvalidSettings
from stylefarm.shared.settings_file import (
    CONFIG_VARIABLE,
    PROFILE_VARIABLE,
    PROFILES,
    config_file,
    read_config,
    read_profile,
)
from stylefarm.shared.text import nearest

PREFIX = "STYLEFARM_"
OF_THE_FILE = (CONFIG_VARIABLE, PROFILE_VARIABLE)
# No machine has as many pixels or bytes, and any database and any language can count to it.
MOST = 1 << 50
LONGEST_PREFIX = 512
LONGEST_USER = 64

URL_EXAMPLE = "https://farm.example.org"
BROKER_EXAMPLE = "redis://:password@host:6379/0"
DATABASE_EXAMPLE = "postgresql://user:password@host/name"


def local_user() -> str:
    """Return the name of whoever runs this program, as the system knows it."""
    try:
        name = getpass.getuser()[:LONGEST_USER]
    except (KeyError, OSError):
        # A container may run as a user without a name.
        name = ""
    return name if name and name.isprintable() else "local"


class Settings(BaseSettings):
    """The settings of a farm. Each setting `x` is `x` in stylefarm.toml and STYLEFARM_X in the environment.

    With a `url` the farm is another machine's, asked over HTTP. Without it and a `broker_url` the farm is embedded: it
    needs no server and keeps everything below `home`. An empty variable counts as none.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    url: str | None = Field(
        None, description=f"a farm that is asked over HTTP, {URL_EXAMPLE}; none: the farm of the other settings"
    )
    token: SecretStr | None = Field(None, description="token for the farm at url")
    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("stylefarm", appauthor=False)),
        validate_default=True,
        description="folder of the embedded farm: its database and its pictures",
    )
    broker_url: SecretStr | None = Field(None, description=f"Redis, {BROKER_EXAMPLE}; none: embedded farm")
    database_url: SecretStr | None = Field(None, description=f"PostgreSQL, {DATABASE_EXAMPLE}")
    s3_bucket: str | None = Field(None, min_length=1, description="bucket of the object store; made when it is missing")
    s3_endpoint: str | None = Field(None, description="address of an S3 server that is not Amazon's")
    s3_public_endpoint: str | None = Field(
        None, description="address at which browsers reach the S3 server; none: downloads come through the dashboard"
    )
    s3_region: str = Field("us-east-1", min_length=1, description="region of the bucket")
    s3_access_key: str | None = Field(None, description="access key; none: boto3's own search (files, roles)")
    s3_secret_key: SecretStr | None = Field(None, description="secret key")
    s3_prefix: str = Field("", description="beginning of every key in the bucket")
    user: str = Field(
        default_factory=local_user,
        min_length=1,
        max_length=LONGEST_USER,
        description="whose ratings are read and written; none: who runs the program",
    )
    max_pixels: int = Field(100_000_000, ge=1, le=MOST, description="largest picture to open, in pixels")
    max_bytes: int = Field(500_000_000, ge=1, le=MOST, description="largest picture file to open, in bytes")
    lease_seconds: float = Field(30, ge=3, le=86_400, description="a worker that is silent for this long loses its job")
    heartbeat_seconds: float = Field(10, ge=0.01, le=86_400, description="how often a worker renews its lease")
    reconcile_seconds: float = Field(
        5, ge=0.01, le=3600, description="how often to look for lost jobs and missing hints"
    )
    hint_window: int = Field(10_000, ge=1, le=1_000_000, description="most hints in Redis for each queue")
    threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads for all CPU slots of a worker; none: all cores"
    )
    memory: int | None = Field(
        None, ge=1 << 28, le=MOST, description="most memory of a slot, in bytes; none: what the machine has left"
    )
    batch: int | None = Field(
        None, ge=1, le=256, description="most jobs that a slot renders together; none: 1 on a CPU, 8 on a GPU"
    )
    target_cache: int = Field(
        500_000_000, ge=0, le=MOST, description="bytes of targets (features of contents and styles) kept between jobs"
    )
    checkpoint_seconds: float = Field(20, ge=0, le=86_400, description="how often to store a checkpoint; 0: never")
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="port of a worker for Prometheus metrics and health; none: no port"
    )
    metrics_host: str = Field("0.0.0.0", min_length=1, description="address that the metrics are served on")  # noqa: S104 - as all exporters are
    webhook_secret: SecretStr | None = Field(
        None, min_length=16, description="secret that signs webhooks; none: no webhooks are called from here"
    )
    webhook_private: bool = Field(default=False, description="allow webhooks to addresses in private networks")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level of messages in the worker's log"
    )
    log_format: Literal["text", "json"] = Field("text", description="format of the worker's log")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the profile that the user has chosen first, then the environment, then stylefarm.toml."""
        profile, values = (InitSettingsSource(settings_cls, read()) for read in (read_profile, read_config))
        return (init_settings, profile, env_settings, values)

    @field_validator(
        "s3_bucket", "s3_endpoint", "s3_public_endpoint", "s3_region", "s3_access_key", "s3_prefix", mode="before"
    )
    @classmethod
    def _is_text(cls, value: object) -> object:
        try:
            str(value).encode()
        except UnicodeError:
            raise ValueError("it is not UTF-8: correct it") from None
        return value

    @field_validator("s3_prefix")
    @classmethod
    def _is_below_the_bucket(cls, prefix: str) -> str:
        *folders, _ = prefix.split("/")
        if any(part in {"", ".", ".."} for part in folders) or prefix in {".", ".."} or not prefix.isprintable():
            raise ValueError("a prefix has names between slashes, as in farm/one/: correct it")
        if len(prefix.encode()) > LONGEST_PREFIX:
            raise ValueError(f"a prefix has at most {LONGEST_PREFIX} bytes: shorten it")
        return prefix

    @field_validator("url")
    @classmethod
    def _ends_in_no_slash(cls, url: str | None) -> str | None:
        return url if url is None else url.rstrip("/")

    @field_validator("token")
    @classmethod
    def _is_sendable(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()):
            raise ValueError("it is no token: it has letters of a header alone")
        return token

    @field_validator("user")
    @classmethod
    def _is_a_name(cls, user: str) -> str:
        if not user.isprintable():
            raise ValueError("a name has printable letters alone: correct it")
        return user

    @field_validator("home")
    @classmethod
    def _has_a_place(cls, home: Path) -> Path:
        try:
            str(home.expanduser()).encode()
        except RuntimeError:
            raise ValueError(f"there is no home folder {home.parts[0]}: give the whole path") from None
        except UnicodeError:
            raise ValueError("the path is not UTF-8, which a database's address must be: rename the folder") from None
        return home

    def over_http(self, url: str, token: str | None = None) -> Settings:
        """Return the settings of a program that asks a farm over HTTP.

        Args:
            url: where the farm answers.
            token: who asks; None: the token of these settings, if they name the same farm, or none.

        Raises:
            InvalidSettings: the URL is none, or would send the token in the clear.

        Example:
            >>> Settings().over_http("https://farm.example.org/").url
            'https://farm.example.org'
        """
        given = None if token is None else SecretStr(token)
        own = self.token if self.url in (None, url.rstrip("/")) else None
        servers = {"broker_url": None, "database_url": None}
        found = self.model_copy(update={**servers, "url": url.rstrip("/"), "token": given or own})
        check_farm_url(found)
        return found

    @property
    def elsewhere(self) -> InvalidRequest:
        """The error that tells that something is done only where the farm itself is."""
        return InvalidRequest(
            f"this needs the farm's own database, and {self.url} is asked over HTTP: run it where that farm's own"
            " settings are, without STYLEFARM_URL"
        )

    @property
    def embedded(self) -> bool:
        """Whether the farm lives in this process alone."""
        return self.broker_url is None and self.url is None

    @property
    def database(self) -> str:
        """The URL of the database, its password in it; an embedded farm keeps a SQLite file in its home.

        Raises InvalidRequest where the farm is asked over HTTP, and has its database elsewhere.
        """
        if self.url is not None:
            raise self.elsewhere
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        file = self.home.expanduser().absolute() / "farm.db"
        return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings of this process, once. Raises InvalidSettings with what is wrong, where, and the remedy."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise InvalidSettings("; ".join(_sentence(dict(entry)) for entry in error.errors(include_url=False))) from None
    _check_environment()
    _check_companions(settings)
    _check_addresses(settings)
    return settings


def source_of(name: str) -> str:
    """Return where a value comes from: the file's name, with a profile in brackets, "environment", or "default".

    Raises InvalidSettings.
    """
    if name in read_profile():
        return f"{config_file()} [{PROFILES}.{os.environ[PROFILE_VARIABLE]}]"
    if any(value and variable.upper() == PREFIX + name.upper() for variable, value in os.environ.items()):
        return "environment"
    return str(config_file()) if name in read_config() else "default"


def _check_environment() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable, value in os.environ.items():
        name = variable.upper()
        # The names of settings are case-insensitive; STYLEFARM_CONFIG and STYLEFARM_PROFILE are not.
        if value and name.startswith(PREFIX) and name not in known and variable not in OF_THE_FILE:
            raise InvalidSettings(f"no setting is called {variable}{nearest(name, sorted({*known, *OF_THE_FILE}))}")


def _check_companions(settings: Settings) -> None:
    """Check that a farm on servers has all of them: half a configuration must not silently run on this machine."""
    if settings.url is not None:
        of_farm = [name for name in ("broker_url", "database_url") if getattr(settings, name) is not None]
        if of_farm:
            raise InvalidSettings(
                f"url names a farm that is asked over HTTP, and {_are(of_farm)} set, too: unset one of the two"
            )
        return
    needed = ("broker_url", "database_url", "s3_bucket")
    of_servers = (*needed, "s3_endpoint", "s3_public_endpoint", "s3_access_key", "s3_secret_key")
    given = [name for name in of_servers if getattr(settings, name) is not None]
    missing = [name for name in needed if name not in given]
    if given and missing:
        raise InvalidSettings(
            f"{_are(given)} set, but {_are(missing)} not: set {' and '.join(PREFIX + name.upper() for name in missing)}"
            f" for a farm on servers, or none of {', '.join(of_servers)} for an embedded one"
        )
    if (settings.s3_access_key is None) != (settings.s3_secret_key is None):
        raise InvalidSettings("of s3_access_key and s3_secret_key only one is set: set both, or none")
    if settings.heartbeat_seconds >= settings.lease_seconds:
        raise InvalidSettings(
            f"heartbeat_seconds = {settings.heartbeat_seconds:g} must be below lease_seconds ="
            f" {settings.lease_seconds:g}, or every job is lost between two heartbeats: a third of it is usual"
        )


def _check_addresses(settings: Settings) -> None:
    if settings.url is not None:
        check_farm_url(settings)
    if settings.broker_url is not None:
        url = settings.broker_url.get_secret_value()
        _check_url("broker_url", url, ("redis", "rediss"), BROKER_EXAMPLE)
        if not re.fullmatch(r"(/\d*)?", urlsplit(url).path):
            raise InvalidSettings(f"broker_url ends in no number of a Redis database: write {BROKER_EXAMPLE}")
    if settings.database_url is not None:
        _check_url("database_url", settings.database_url.get_secret_value(), ("postgresql",), DATABASE_EXAMPLE)
    for name in ("s3_endpoint", "s3_public_endpoint"):
        if (endpoint := getattr(settings, name)) is not None:
            _check_endpoint(name, endpoint)


def _check_url(name: str, url: str, schemes: tuple[str, ...], example: str) -> None:
    """Check a URL. It is never shown in an error: where it is malformed, its password can be in any part."""
    scheme = _scheme(url)
    if scheme is None:
        raise InvalidSettings(
            f"{name} is no URL: write {example}, with %40 for @, %2F for / and so on in a user or a password"
        )
    if scheme.partition("+")[0] not in schemes:
        raise InvalidSettings(
            f"{name} begins with {scheme}://, but the workers of a farm share a {schemes[0]}: write {example}"
        )
    if any("password" in parameter for parameter in parse_qs(urlsplit(url).query, keep_blank_values=True)):
        raise InvalidSettings(f"{name} has a password behind its question mark: write it before the host, {example}")


def _scheme(url: str) -> str | None:
    """Return the scheme of a URL that redis, libpq and SQLAlchemy all parse alike; None of any other."""
    try:
        parts = urlsplit(url)
        same_port = parts.port == make_url(url).port
    except Exception:  # noqa: BLE001 - SQLAlchemy raises many kinds here
        return None
    plain = same_port and url.isprintable() and " " not in url and url.startswith(parts.scheme)
    return parts.scheme if plain and url.count("@") == parts.netloc.count("@") <= 1 else None


def check_farm_url(settings: Settings) -> None:
    """Check the address of a farm that is asked over HTTP. Raises InvalidSettings; it is not shown: it may be a secret.

    Example:
        >>> check_farm_url(Settings(url="https://farm.example.org"))
    """
    url = settings.url or ""
    if _scheme(url) not in {"http", "https"} or "@" in url or "?" in url or "#" in url or not urlsplit(url).hostname:
        raise InvalidSettings(f"url is no address of a farm: write {URL_EXAMPLE}, without user, password and token")
    parts = urlsplit(url)
    if parts.scheme == "http" and settings.token is not None and not is_loopback(parts.hostname or ""):
        raise InvalidSettings(
            f"url begins with http:// and is another machine's, to which the token would go in the clear: write"
            f" https://{parts.netloc}"
        )


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine reach a server at that address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_endpoint(name: str, url: str) -> None:
    scheme = _scheme(url)
    if scheme not in {"http", "https"} or "@" in url or not urlsplit(url).hostname:
        raise InvalidSettings(f"{name} is no address of a server: write http://host:port, without user or password")


def _are(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _sentence(entry: dict[str, Any]) -> str:
    name = str(entry["loc"][0])
    if entry["type"] == "extra_forbidden":
        return f"no setting is called {name!r} ({config_file()}){nearest(name, Settings.model_fields)}"
    message = str(entry["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be", "must be").replace("String should have", "must have")
    if entry["type"] == "too_short":  # of a secret, whose letters pydantic calls items
        message = f"must have at least {entry['ctx']['min_length']} letters"
    shown = "" if _is_secret(name) else f" = {entry['input']!r:.60}"
    return f"{name}{shown} ({source_of(name)}): {message}"


def _is_secret(name: str) -> bool:
    return SecretStr in get_args(Settings.model_fields[name].annotation)
