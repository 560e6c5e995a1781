"""Where the value of a setting comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.settings import load_settings, source_of
from stylefarm.shared.settings_file import config_file
from tests.unit.shared.settings.given import SERVERS, refusal, write


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
