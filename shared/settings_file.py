"""stylefarm.toml: settings, and profiles of settings, of which a user chooses one by its name."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from stylefarm.shared.errors import InvalidRequest, InvalidSettings
from stylefarm.shared.files.small import read_small
from stylefarm.shared.text import nearest

CONFIG_VARIABLE = "STYLEFARM_CONFIG"
PROFILE_VARIABLE = "STYLEFARM_PROFILE"
CONFIG_FILE = "stylefarm.toml"
PROFILES = "profiles"
MOST_BYTES = 1_000_000


def config_file() -> Path | None:
    """Return the file that STYLEFARM_CONFIG names, else ./stylefarm.toml, else None. Raises InvalidSettings."""
    named = os.environ.get(CONFIG_VARIABLE)
    path = Path(named or CONFIG_FILE)
    try:
        if path.is_file():
            return path
        there = path.exists()
    except OSError:  # a name that is too long, or a folder that may not be entered
        there = False
    if there and not named:
        raise InvalidSettings(f"{CONFIG_FILE} in the current folder is no file: rename it, or make it one")
    if named:
        raise InvalidSettings(f"{CONFIG_VARIABLE} names {named}, which is no file: correct it or unset it")
    return None


def read_config() -> dict[str, Any]:
    """Return the settings of the file, without its profiles. Raises InvalidSettings."""
    return {name: value for name, value in _read().items() if name != PROFILES}


def read_profile() -> dict[str, Any]:
    """Return the settings of the profile that STYLEFARM_PROFILE names, or none. Raises InvalidSettings."""
    name = os.environ.get(PROFILE_VARIABLE)
    if not name:
        return {}
    path = config_file()
    if path is None:
        raise InvalidSettings(f"profile {name!r:.60}: there is no {CONFIG_FILE} here that could have it")
    profiles = _read().get(PROFILES, {})
    found = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(found, dict):
        known = profiles if isinstance(profiles, dict) and profiles else {}
        hint = nearest(name, known) if known else f": it has no [{PROFILES}.{name:.60}]"
        raise InvalidSettings(f"there is no profile {name!r:.60} in {path}{hint}")
    return _beside(path, found)


def _read() -> dict[str, Any]:
    path = config_file()
    if path is None:
        return {}
    try:
        return _beside(path, tomllib.loads(read_small(path, MOST_BYTES).decode("utf-8-sig")))
    except InvalidRequest as error:
        raise InvalidSettings(str(error)) from None
    except RecursionError:
        raise InvalidSettings(f"{path} is nested too deeply: its settings are one below the other") from None
    except ValueError as error:  # its text, its encoding, or a number of thousands of digits
        raise InvalidSettings(f"{path} is no TOML: {error}") from None
    except OSError as error:
        raise InvalidSettings(f"{path} cannot be read ({error.strerror}): check its permissions") from None


def _beside(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says, its own paths relative to it; a ~ is left to what checks it."""
    home = values.get("home")
    if isinstance(home, str) and home and not home.startswith("~"):
        return {**values, "home": str(path.parent / home)}
    return values
