"""Tests of every level; the folders of unit and integration tests mirror the packages and their wings."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
