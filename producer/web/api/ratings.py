"""Ratings of pictures, and undo."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylefarm.producer.web.access import FarmDep, Reader, Submitter
from stylefarm.producer.web.answers import answer
from stylefarm.shared.schema.http_reviews import RatingsAnswer, RedoneAnswer, ReviewActionAnswer, UndoneAnswer
from stylefarm.shared.spec.ratings import MOST_STARS
from stylefarm.shared.store.reviews import ReviewAction

router = APIRouter(tags=["reviews"])

MOST_RATINGS = 20_000
JobId = Annotated[str, Field(min_length=36, max_length=36, examples=["9a41c07d-6d0e-4c1e-9d57-4d6f2f4d8f10"])]


class RatingChange(BaseModel):
    """What changes of the rating of a job; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    job: JobId
    stars: Annotated[int, Field(ge=0, le=MOST_STARS)] | None = None
    flag: Literal["pick", "reject"] | None = None


class RatingChanges(BaseModel):
    """Ratings that change together, and are undone together."""

    model_config = ConfigDict(extra="forbid")

    ratings: Annotated[list[RatingChange], Field(min_length=1, max_length=MOST_RATINGS)]


@router.post("/ratings", response_model=ReviewActionAnswer)
def rate(request: Request, farm: FarmDep, user: Submitter, changes: RatingChanges) -> dict[str, Any]:
    """Change ratings of the user as one action, which one undo takes back."""
    wanted: dict[str, dict[str, Any]] = {}
    for change in changes.ratings:
        wanted.setdefault(change.job, {}).update(change.model_dump(include={"stars", "flag"}, exclude_unset=True))
    action = farm.store.reviews.rate(user.user, wanted)
    return _told(request, user.user, action)


class RatedJobs(BaseModel):
    """Ids of jobs."""

    model_config = ConfigDict(extra="forbid")

    jobs: Annotated[list[JobId], Field(min_length=1, max_length=MOST_RATINGS)]


@router.post("/ratings:batchGet", response_model=RatingsAnswer)
def batch_get(request: Request, farm: FarmDep, reader: Reader, body: RatedJobs) -> Response:
    """Return the ratings that the user has given to these jobs; those without are left out."""
    found = farm.services.review_reads.ratings(reader.user, list(dict.fromkeys(body.jobs)))
    ratings = [{"job": job, "stars": rating.stars, "flag": rating.flag} for job, rating in found.items()]
    return answer(request, {"ratings": ratings})


@router.post("/undo", response_model=UndoneAnswer)
def undo(request: Request, farm: FarmDep, user: Submitter) -> dict[str, Any]:
    """Undo the newest action of the user: ratings, or a vote."""
    action = farm.store.reviews.undo(user.user)
    return {"undone": None if action is None else _told(request, user.user, action)}


@router.post("/redo", response_model=RedoneAnswer)
def redo(request: Request, farm: FarmDep, user: Submitter) -> dict[str, Any]:
    """Do again what was undone last, unless something else was done since."""
    action = farm.store.reviews.redo(user.user)
    return {"redone": None if action is None else _told(request, user.user, action)}


def _told(request: Request, user: str, action: ReviewAction) -> dict[str, Any]:
    """Tell the other pages of the user what has changed, and return the same."""
    ratings = [{"job": job, "stars": rating.stars, "flag": rating.flag} for job, rating in action.ratings.items()]
    if ratings:
        request.app.state.loop.call_soon_threadsafe(
            request.app.state.watchers.publish_to_user, user, "ratings", {"ratings": ratings}
        )
    return {"action": action.id, "kind": action.kind, "ratings": ratings}
