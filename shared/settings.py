"""One table of settings: the environment (STYLEFARM_...) before stylefarm.toml before the defaults."""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from sqlalchemy.engine import make_url

from shared.errors import InvalidSettings
from shared.spec import nearest

PREFIX = "STYLEFARM_"
CONFIG_VARIABLE = "STYLEFARM_CONFIG"
CONFIG_FILE = "stylefarm.toml"


class Settings(BaseSettings):
    """What a farm is made of. Each setting `x` is `x` in stylefarm.toml and STYLEFARM_X in the environment.

    Without a `broker_url` the farm is embedded: it needs no server and keeps everything below `home`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("stylefarm", appauthor=False)),
        description="folder of the embedded farm: its database and its pictures",
    )
    broker_url: SecretStr | None = Field(None, description="Redis, redis://:password@host:6379/0; none: embedded farm")
    database_url: SecretStr | None = Field(None, description="PostgreSQL, postgresql://user:password@host/name")
    s3_bucket: str | None = Field(None, description="bucket of the object store; made when it is missing")
    s3_endpoint: str | None = Field(None, description="address of an S3 server that is not Amazon's")
    s3_region: str = Field("us-east-1", description="region of the bucket")
    s3_access_key: str | None = Field(None, description="access key; none: boto3's own search (files, roles)")
    s3_secret_key: SecretStr | None = Field(None, description="secret key")
    s3_prefix: str = Field("", description="beginning of every key in the bucket")
    max_pixels: int = Field(100_000_000, ge=1, description="largest picture that is opened, in pixels")
    max_bytes: int = Field(500_000_000, ge=1, description="largest picture file that is opened, in bytes")
    lease_seconds: float = Field(30, ge=3, description="a worker that is silent for so long has lost its job")
    heartbeat_seconds: float = Field(10, gt=0, description="how often a worker renews its lease")
    threads: int | None = Field(None, ge=1, description="CPU threads of a worker; none: all cores")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="of the worker's log")
    log_format: Literal["text", "json"] = Field("text", description="of the worker's log")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file()))

    @property
    def embedded(self) -> bool:
        """Whether the farm lives in this process alone."""
        return self.broker_url is None

    @property
    def database(self) -> str:
        """The URL of the database; an embedded farm keeps a SQLite file in its home."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.expanduser().absolute() / 'farm.db'}"


def config_file() -> Path | None:
    """The file that STYLEFARM_CONFIG names, else ./stylefarm.toml, else none. Raises InvalidSettings."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise InvalidSettings(f"{CONFIG_VARIABLE} names {named}, which is no file: correct it or unset it")
    path = Path(named or CONFIG_FILE)
    return path if path.is_file() else None


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process, read once. Raises InvalidSettings with what is wrong, where, and the remedy."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise InvalidSettings("; ".join(_sentence(dict(entry)) for entry in error.errors(include_url=False))) from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"{config_file()} is no TOML: {error}") from None
    _check_environment()
    _check_companions(settings)
    return settings


def source_of(name: str) -> str:
    """Where the value of a setting comes from: "environment", the file's name, or "default"."""
    if any(variable.upper() == PREFIX + name.upper() for variable in os.environ):
        return "environment"
    path = config_file()
    if path is not None and name in tomllib.loads(path.read_text(encoding="utf-8")):
        return str(path)
    return "default"


def _check_environment() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}
    for variable in os.environ:
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            raise InvalidSettings(f"no setting is called {variable}{nearest(variable.upper(), sorted(known))}")


def _check_companions(settings: Settings) -> None:
    """A farm on servers needs all of them; half a configuration must not quietly paint on this machine."""
    shared = {
        "broker_url": settings.broker_url,
        "database_url": settings.database_url,
        "s3_bucket": settings.s3_bucket,
    }
    missing = [name for name, value in shared.items() if value is None]
    if missing and len(missing) < len(shared):
        given = [name for name in shared if name not in missing]
        raise InvalidSettings(
            f"{' and '.join(given)} is set, but {' and '.join(missing)} is not: a farm on servers needs all three, an"
            f" embedded one none (set {' and '.join(PREFIX + name.upper() for name in missing)})"
        )
    if settings.database_url is not None:
        _check_database_url(settings.database_url.get_secret_value())
    if (settings.s3_access_key is None) != (settings.s3_secret_key is None):
        raise InvalidSettings("of s3_access_key and s3_secret_key only one is set: set both, or none")


def _check_database_url(url: str) -> None:
    try:
        backend = make_url(url).get_backend_name()
    except Exception:  # noqa: BLE001 - SQLAlchemy and its plugins raise many kinds here; the URL itself may be secret
        raise InvalidSettings("database_url is no database URL: write postgresql://user:password@host/name") from None
    if backend != "postgresql":
        raise InvalidSettings(f"database_url names {backend}: workers on several machines share a PostgreSQL")


def _sentence(entry: dict[str, object]) -> str:
    location = entry["loc"]
    name = str(location[0]) if isinstance(location, tuple) and location else ""
    if entry["type"] == "extra_forbidden":
        return f"no setting is called {name!r}{nearest(name, Settings.model_fields)}"
    where = source_of(name)
    message = str(entry["msg"]).replace("Input should be", "must be")
    return f"the setting {name} ({where}) is not valid: {message}"
