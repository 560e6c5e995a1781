"""What is shown of settings, and what stays secret."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from stylefarm.producer.cli import cli
from stylefarm.shared.errors import FarmError
from stylefarm.shared.settings import PREFIX, Settings, load_settings
from tests.unit.shared.settings.given import SECRETS, refusal, write


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
