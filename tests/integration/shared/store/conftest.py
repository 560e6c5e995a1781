"""The objects of jobs that are deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.dispatch.dropped import DroppedObjects
from tests.integration.shared.store.deleted import CONTENT, STYLE


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "objects")


@pytest.fixture
def dropped(engine: Engine, blobs: FolderBlobs) -> DroppedObjects:
    for digest in (CONTENT, STYLE):
        blobs.put(f"inputs/{digest}", b"x", "image/png")
    return DroppedObjects(engine, blobs)
