"""Which cells of a sweep an action is for: those at some positions, or those that a filter selects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from stylefarm.producer.web.documents import places_on_axes
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queries.cells import CellRow
from stylefarm.shared.queries.reviews import StoredRating
from stylefarm.shared.services import Services


class Span(BaseModel):
    """A range of numbers, both ends in it; an end that is left out is open."""

    model_config = ConfigDict(extra="forbid")

    low: float | None = None
    high: float | None = None

    def has(self, value: float | None) -> bool:
        """Return whether a number is in the range; None never is."""
        if value is None:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class CellFilter(BaseModel):
    """Cells by state, metrics, axes and rating; what is left out filters nothing."""

    model_config = ConfigDict(extra="forbid")

    states: list[State] = []
    metrics: Annotated[dict[str, Span], Field(examples=[{"ssim": {"low": 0.4}}])] = {}
    axes: Annotated[dict[str, list[int]], Field(examples=[{"style": [0, 2]}])] = {}
    """By axis, the places of the values that are wanted."""
    stars: Span | None = None
    flag: list[Literal["pick", "reject", "none"]] = []

    def matches(self, cell: CellRow, at: Mapping[str, int | None], rating: StoredRating | None) -> bool:
        """Return whether a cell is selected."""
        if self.states and cell.state not in self.states:
            return False
        if self.flag and ((rating and rating.flag) or "none") not in self.flag:
            return False
        if self.stars is not None and not self.stars.has(None if rating is None else rating.stars):
            return False
        measured = {**cell.metrics, "loss": cell.loss}
        if not all(span.has(measured.get(name)) for name, span in self.metrics.items()):
            return False
        return all(at[name] in places for name, places in self.axes.items())


class CellSelection(BaseModel):
    """Cells by their positions, or by a filter; neither: all cells."""

    model_config = ConfigDict(extra="forbid")

    positions: Annotated[list[int], Field(max_length=1_000_000)] | None = None
    filter: CellFilter | None = None
    expected_count: Annotated[int, Field(ge=0)] | None = None

    def cells(self, services: Services, sweep_id: str, user: str) -> list[CellRow]:
        """Return the selected cells.

        Raises:
            NotFound: there is no such sweep.
            InvalidRequest: positions and a filter are given.
        """
        if self.positions is not None and self.filter is not None:
            raise InvalidRequest("positions and a filter are given: leave one of them out")
        sweep = services.queries.sweep(sweep_id)
        cells = list(services.cell_reads.cells(sweep_id).cells)
        if self.positions is not None:
            wanted = set(self.positions)
            return [cell for cell in cells if cell.position in wanted]
        if self.filter is None:
            return cells
        chosen, ratings = self.filter, services.review_reads.of_sweep(user, sweep_id)
        unknown = next((name for name in chosen.axes if name not in sweep.axes), None)
        if unknown is not None:
            raise InvalidRequest(f"the sweep has no axis {unknown!r:.60}: it has {', '.join(sweep.axes) or 'none'}")
        places = dict(zip(sweep.axes, places_on_axes(cells, sweep.axes), strict=True))
        return [
            cell
            for number, cell in enumerate(cells)
            if chosen.matches(cell, {name: places[name][number] for name in chosen.axes}, ratings.get(cell.job))
        ]
