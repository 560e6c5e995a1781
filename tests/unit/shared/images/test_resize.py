"""Pictures made smaller, and pictures as numbers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.images.decode import from_array, resize, to_array
from tests.unit.pictures import (
    photograph,
)


class TestResizing:
    @pytest.mark.parametrize(
        ("size", "edge", "expected"),
        [
            ((640, 480), 320, (320, 240)),
            ((480, 640), 320, (240, 320)),
            ((1000, 16), 10, (10, 1)),
            ((20, 20), 40, (40, 40)),
        ],
    )
    def test_the_long_edge_rules(self, size: tuple[int, int], edge: int, expected: tuple[int, int]) -> None:
        """Given any shape, if I resize it, I expect its long edge as asked and its aspect kept."""
        assert resize(Image.new("RGB", size), edge).size == expected

    def test_smaller_is_averaged(self) -> None:
        """Given a chessboard of pixels, if I make it a quarter, I expect gray and no pattern."""
        board = Image.fromarray(
            np.repeat((np.indices((64, 64)).sum(axis=0) % 2 * 255)[..., None], 3, 2).astype(np.uint8)
        )
        middle = np.asarray(resize(board, 16))[2:-2, 2:-2]
        assert np.abs(middle.astype(int) - 127).max() < 8

    def test_no_size(self) -> None:
        """Given a size of nothing, if I resize, I expect a refusal."""
        with pytest.raises(InvalidRequest, match="at least 1"):
            resize(photograph(), 0)


class TestArrays:
    def test_all_levels_survive(self) -> None:
        """Given each of the 256 levels, if I go to numbers and back, I expect the same."""
        levels = Image.fromarray(np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3))
        array = to_array(levels)
        assert array.dtype == np.float32
        assert (array.shape, array.min(), array.max()) == ((16, 16, 3), 0, 1)
        assert np.array_equal(np.asarray(from_array(array)), np.asarray(levels))

    def test_numbers_are_rounded_and_clipped(self) -> None:
        """Given numbers outside and between, if I make an image, I expect the nearest levels."""
        array = np.broadcast_to(np.array([-3.0, 1.7, 0.9999 / 255], np.float32), (16, 16, 3))
        assert from_array(array).getpixel((0, 0)) == (0, 255, 1)
