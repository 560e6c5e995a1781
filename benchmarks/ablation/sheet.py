"""Contact sheets of what is kept: variants by pairs, or the contents by the styles of one variant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchmarks.ablation.measures import path_of
from benchmarks.ablation.pictures import Pair, picture
from stylefarm.producer.sheets.layout import contact_sheet
from stylefarm.producer.sheets.parts import Cell, Head


def variants_sheet(
    out: Path, variants: Sequence[str], pairs: Sequence[Pair], folder: Path | None, cell: int
) -> Image.Image:
    """A row for each variant, a column for each pair."""
    cells = {
        (row, column): _cell(path_of(out, variant, pair))
        for row, variant in enumerate(variants)
        for column, pair in enumerate(pairs)
    }
    heads = [Head(" x ".join(pair), _beside(*(picture(name, folder) for name in pair))) for pair in pairs]
    return contact_sheet([Head(variant) for variant in variants], heads, cells, cell=cell)


def matrix_sheet(
    out: Path, variant: str, contents: Sequence[str], styles: Sequence[str], folder: Path | None, cell: int
) -> Image.Image:
    """A row for each content, a column for each style."""
    cells = {
        (row, column): _cell(path_of(out, variant, (content, style)))
        for row, content in enumerate(contents)
        for column, style in enumerate(styles)
    }
    rows, columns = ([Head(name, picture(name, folder)) for name in names] for names in (contents, styles))
    return contact_sheet(rows, columns, cells, cell=cell)


def _cell(path: Path) -> Cell:
    return Cell(Image.open(path).convert("RGB")) if path.is_file() else Cell(problem="not rendered")


def _beside(one: Image.Image, other: Image.Image) -> Image.Image:
    head = Image.new("RGB", (400, 200))
    for left, image in ((0, one), (200, other)):
        head.paste(image.resize((200, 200)), (left, 0))
    return head
