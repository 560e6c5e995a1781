"""The answers of the HTTP API on what users write, think of and show: marks, ratings, votes, views, links."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class RatingDocument(TypedDict):
    """What a user thinks of a picture; null: not rated, no flag."""

    stars: int | None
    flag: Literal["pick", "reject"] | None


class JobRatingDocument(RatingDocument):
    """The same, with the job."""

    job: str


class MarksAnswer(TypedDict):
    """The tags and the note that it has then."""

    tags: list[str]
    note: str | None


class ReviewActionAnswer(TypedDict):
    """An action of a user: its number, its kind, and the ratings that stand then."""

    action: int
    kind: str
    ratings: list[JobRatingDocument]


class RatingsAnswer(TypedDict):
    """The ratings of the user."""

    ratings: list[JobRatingDocument]


class UndoneAnswer(TypedDict):
    """What was undone; null if there was nothing."""

    undone: ReviewActionAnswer | None


class RedoneAnswer(TypedDict):
    """What was done again; null if there was nothing."""

    redone: ReviewActionAnswer | None


class PairDocument(TypedDict):
    """The positions of two cells."""

    left: int
    right: int


class NextVoteAnswer(TypedDict):
    """The pair to vote on, null if there is none, and how many votes there are."""

    pair: PairDocument | None
    votes: int


class VoteAnswer(TypedDict):
    """The number of the action, which an undo takes back."""

    action: int


class RankedDocument(TypedDict):
    """A picture in a ranking: its score with its standard error, and on how many votes it rests."""

    job: str
    position: int
    score: float
    error: float
    votes: int


class RankingAnswer(TypedDict):
    """The pictures by what all votes say of them, the best first."""

    votes: int
    ranking: list[RankedDocument]


class ViewDocument(TypedDict):
    """A view of a sweep: its name, and the query of the page's address."""

    name: str
    query: str


class ViewsAnswer(TypedDict):
    """The views that the user keeps."""

    views: list[ViewDocument]


class ViewAnswer(TypedDict):
    """The view that is kept."""

    view: ViewDocument


class ShareDocument(TypedDict):
    """A link to a sweep, without its secret."""

    id: str
    sweep: str
    user: str
    created_at: str
    expires_at: str


class SharesAnswer(TypedDict):
    """The links to a sweep that have not ended."""

    shares: list[ShareDocument]


class NewShareAnswer(TypedDict):
    """A link; `url` is not shown again."""

    share: ShareDocument
    url: str
