"""What `stylefarm model` says of a model."""

from __future__ import annotations

from datetime import UTC, datetime

from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.worker.cli.models_output import pairs


def test_a_card_replaces_nothing_that_the_farm_knows() -> None:
    """Given a card with names that the farm has its own values for, I expect those values, and the rest of the card."""
    card = {"name": "forged", "method": "forged", "sha256": "0", "size": "0", "made_by": "forged", "license": "MIT"}
    row = ModelRow(
        name="waves",
        sha256="abc",
        bytes=2_000_000,
        method="cin",
        architecture={"styles": 3},
        card=card,
        source="job 1",
        created_at=datetime.now(UTC),
    )
    assert pairs(row) == {
        "name": "waves",
        "method": "cin: Dumoulin et al. 2017: many styles in one network, conditional instance normalization",
        "styles": "3",
        "made by": "job 1",
        "size": "2.0 MB",
        "sha256": "abc",
        "license": "MIT",
    }
