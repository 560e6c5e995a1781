"""The fixtures of the tests of migrations."""

from tests.integration.migrations.before import before

__all__ = ["before"]
