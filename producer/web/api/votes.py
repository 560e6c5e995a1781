"""Votes between two pictures, the next pair, and the ranking that follows from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylefarm.producer.views.preference import by_content, next_pair, strengths
from stylefarm.producer.web.access import FarmDep, Reader, Submitter
from stylefarm.producer.web.answers import answer
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.cells import CellRow
from stylefarm.shared.schema.http_reviews import NextVoteAnswer, RankingAnswer, VoteAnswer
from stylefarm.shared.services import Services

router = APIRouter(tags=["reviews"])

JobId = Annotated[str, Field(min_length=36, max_length=36)]


class NewVote(BaseModel):
    """A vote: two jobs of the sweep, and which of them is better."""

    model_config = ConfigDict(extra="forbid")

    left: JobId
    right: JobId
    outcome: Literal["left", "right", "tie", "skip"]


def _done(services: Services, sweep_id: str) -> list[CellRow]:
    """Return the cells whose pictures can be compared, each job once."""
    services.queries.sweep(sweep_id)
    cells = [cell for cell in services.cell_reads.cells(sweep_id).cells if cell.state is State.DONE]
    return list({cell.job: cell for cell in reversed(cells)}.values())[::-1]


@router.get("/sweeps/{sweep_id}/votes/next", response_model=NextVoteAnswer)
def next_vote(request: Request, farm: FarmDep, reader: Reader, sweep_id: str) -> Response:
    """Return the two pictures of one content of which a vote tells most; null if there are no two."""
    cells = _done(farm.services, sweep_id)
    groups = by_content((cell.job, cell.cell) for cell in cells)
    votes = [(vote.left, vote.right, vote.outcome) for vote in farm.services.review_reads.votes(sweep_id)]
    pair = next_pair(groups, votes)
    places = {cell.job: cell.position for cell in cells}
    shown = None if pair is None else {"left": places[pair[0]], "right": places[pair[1]]}
    return answer(request, {"pair": shown, "votes": len(votes)})


@router.post("/sweeps/{sweep_id}/votes", status_code=201, response_model=VoteAnswer)
def vote(farm: FarmDep, user: Submitter, sweep_id: str, body: NewVote) -> dict[str, Any]:
    """Cast a vote; an undo takes it back."""
    action = farm.store.reviews.vote(user.user, sweep_id, body.left, body.right, body.outcome)
    return {"action": action.id}


@router.get("/sweeps/{sweep_id}/ranking", response_model=RankingAnswer)
def ranking(request: Request, farm: FarmDep, reader: Reader, sweep_id: str) -> Response:
    """Return the pictures by what all votes say of them, the best first (Bradley and Terry's model)."""
    return answer(request, ranking_document(farm.services, sweep_id))


def ranking_document(services: Services, sweep_id: str) -> dict[str, Any]:
    """Return the same of a sweep as a value. Raises NotFound."""
    cells = _done(services, sweep_id)
    votes = [(vote.left, vote.right, vote.outcome) for vote in services.review_reads.votes(sweep_id)]
    found = strengths([cell.job for cell in cells], votes)
    ranked = sorted(cells, key=lambda cell: (-found[cell.job].value, cell.position))
    return {
        "votes": len(votes),
        "ranking": [
            {
                "job": cell.job,
                "position": cell.position,
                "score": found[cell.job].value,
                "error": found[cell.job].error,
                "votes": found[cell.job].votes,
            }
            for cell in ranked
        ],
    }
