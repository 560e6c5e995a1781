"""Profiles: sections of stylefarm.toml, of which a user chooses one."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.settings import load_settings, source_of

FILE = """\
max_pixels = 1000
max_bytes = 2000
home = "everyday"

[profiles.prod]
max_pixels = 3000
home = "of-prod"

[profiles.wrong]
max_pixel = 1
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with profiles in its stylefarm.toml, where the test is."""
    (tmp_path / "stylefarm.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "MAX_PIXELS", "MAX_BYTES"):
        monkeypatch.delenv(f"STYLEFARM_{name}", raising=False)
    load_settings.cache_clear()
    return tmp_path


def test_a_profile_comes_before_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a profile that is chosen, and variables, I expect its settings, then the variables, then the file's."""
    monkeypatch.setenv("STYLEFARM_PROFILE", "prod")
    monkeypatch.setenv("STYLEFARM_MAX_PIXELS", "5000")
    monkeypatch.setenv("STYLEFARM_MAX_BYTES", "6000")
    settings = load_settings()
    assert (settings.max_pixels, settings.max_bytes, settings.home) == (3000, 6000, Path("of-prod"))
    assert source_of("max_pixels") == "stylefarm.toml [profiles.prod]"
    assert source_of("max_bytes") == "environment"


def test_profiles_that_are_not_chosen_do_nothing() -> None:
    """Given profiles of which none is chosen, one of them wrong, I expect the settings above them."""
    settings = load_settings()
    assert (settings.max_pixels, settings.max_bytes, settings.home) == (1000, 2000, Path("everyday"))
    assert source_of("max_pixels") == "stylefarm.toml"


@pytest.mark.parametrize(
    ("profile", "text", "sentence"),
    [
        ("prodd", FILE, "there is no profile 'prodd' in stylefarm.toml: did you mean 'prod'?"),
        ("prod", "max_pixels = 1\n", "there is no profile 'prod' in stylefarm.toml: it has no [profiles.prod]"),
        ("prod", "profiles = 1\n", "there is no profile 'prod' in stylefarm.toml: it has no [profiles.prod]"),
        ("prod", None, "profile 'prod': there is no stylefarm.toml here that could have it"),
        ("wrong", FILE, "no setting is called 'max_pixel'"),
    ],
)
def test_a_profile_that_cannot_be_used_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, profile: str, text: str | None, sentence: str
) -> None:
    """Given the name of a profile that is not there, or is wrong, I expect a sentence."""
    monkeypatch.setenv("STYLEFARM_PROFILE", profile)
    if text is None:
        (folder / "stylefarm.toml").unlink()
    else:
        (folder / "stylefarm.toml").write_text(text)
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert sentence in str(refused.value)
