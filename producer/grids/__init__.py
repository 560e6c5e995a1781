"""Grids of parameters: sweep files and what they unfold into."""

from __future__ import annotations

from stylefarm.producer.grids.document import load_grid, parse_grid, parse_settings, read_grid
from stylefarm.producer.grids.grid import Grid

__all__ = ["Grid", "load_grid", "parse_grid", "parse_settings", "read_grid"]
