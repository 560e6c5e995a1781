"""Normalization by the start's own losses, in whatever coordinates the start is given."""

from __future__ import annotations

import pytest
import torch

from stylefarm.worker.engine.space import to_input
from tests.parity.engines import engine_of, pictures, random_network, spec_of


@pytest.mark.parametrize("optimize_in", ["pixels", "input"])
def test_the_start_has_the_losses_that_its_weights_say(optimize_in: str) -> None:
    """Given losses divided by those of the start, if the start is measured, I expect each term's own weight."""
    image, content, style = pictures("pytorch")
    spec = spec_of("pytorch", optimize_in=optimize_in, content_normalization="initial", style_normalization="initial")
    start = to_input(spec.moved_space, image[None])[0]
    losses = engine_of(spec, content, style, random_network(biased=True), start).losses(start[None])[0]
    expected = torch.tensor([spec.content_weight, spec.style_weight * len(spec.style_layers)], dtype=torch.float64)
    torch.testing.assert_close(losses[1:3], expected)
