"""The fixtures of the tests of migrations."""

import pytest

from stylefarm import migrations
from tests.databases import UPGRADE
from tests.integration.migrations.before import before

__all__ = ["before"]


@pytest.fixture(autouse=True)
def _by_all_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy no database."""
    monkeypatch.setattr(migrations, "upgrade", UPGRADE)
