"""Tables as a terminal has room for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from stylefarm.shared.foreign_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Cell = str | Text

# A column up to this wide is not wrapped: it has an id, a moment, a number. Wider ones are prose, wrapped at words.
NARROW = 24
GAP = 1


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table with a head, in the terminal's width where there is one.

    Where the columns do not fit beside each other, each row is a block of lines, a name and a value in each.

    Args:
        columns: the head.
        rows: the cells; of a plain text nothing is read as markup.

    Returns:
        Lines, with colors where the terminal has them.

    Example:
        >>> print(table_text(("sweep", "name"), [("01d2654f", "[red]cats")]), end="")
        sweep     name
        01d2654f  [red]cats
    """
    # Imported here, since JSON needs none of it.
    from rich.console import Console

    console = Console(highlight=False)
    head, *body = ([_shown(cell) for cell in row] for row in (columns, *rows))
    widths = [_width([row[number] for row in body] + [name]) for number, name in enumerate(head)]
    if not console.is_terminal:
        # A file or a pipe has no width; nothing is cut off or wrapped.
        console.width = 10_000
    with console.capture() as captured:
        if sum(widths) + 2 * GAP * (len(widths) - 1) <= console.width:
            console.print(_beside(head, body, widths))
        else:
            _print_blocks(console, head, body)
    return "\n".join(line.rstrip() for line in captured.get().split("\n"))


def _beside(head: Sequence[Text], rows: Sequence[Sequence[Text]], widths: Sequence[int]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, GAP), header_style="bold")
    for number, (name, width) in enumerate(zip(head, widths, strict=True)):
        # The first column is not wrapped, so that users can copy what a row goes by.
        table.add_column(name, min_width=width, no_wrap=number == 0 or width < NARROW)
    for row in rows:
        table.add_row(*row)
    return table


def _print_blocks(console: Console, head: Sequence[Text], rows: Sequence[Sequence[Text]]) -> None:
    longest = max(name.cell_len for name in head)
    for number, row in enumerate(rows):
        if number:
            console.print()
        for name, cell in zip(head, row, strict=True):
            if cell.plain:
                line = Text.assemble((name.plain, "bold"), " " * (longest - name.cell_len + 2), cell)
                console.print(line, soft_wrap=True)


def _shown(cell: Cell) -> Text:
    """Return a cell as one line without markup; a Text keeps its color."""
    return Text(one_line(cell), style=cell.style) if isinstance(cell, Text) else Text(one_line(cell))


def _width(cells: Sequence[Text]) -> int:
    """Return the least width that a column is readable in."""
    if max(cell.cell_len for cell in cells) <= NARROW:
        return max(cell.cell_len for cell in cells)
    words = (Text(word).cell_len for cell in cells for word in cell.plain.split())
    return max(NARROW, *words)
