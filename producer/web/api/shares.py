"""Links by which anybody may look at one sweep: made and revoked here, and what they show."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylefarm.producer.web.access import FarmDep, Submitter
from stylefarm.shared.schema.http_reviews import NewShareAnswer, SharesAnswer
from stylefarm.shared.store.access import LONGEST_SHARE_DAYS, Share

router = APIRouter(tags=["access"])


class NewShare(BaseModel):
    """For how many days a link lasts."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[float, Field(gt=0, le=LONGEST_SHARE_DAYS)] = 7


def share_document(share: Share) -> dict[str, Any]:
    """Return a link without its secret."""
    return {
        "id": share.id,
        "sweep": share.sweep_id,
        "user": share.user,
        "created_at": share.created_at.isoformat(),
        "expires_at": share.expires_at.isoformat(),
    }


@router.get("/sweeps/{sweep_id}/shares", response_model=SharesAnswer)
def list_shares(farm: FarmDep, user: Submitter, sweep_id: str) -> dict[str, Any]:
    """Return the links to a sweep that have not ended."""
    farm.services.queries.sweep(sweep_id)
    return {"shares": [share_document(share) for share in farm.store.access.shares(sweep_id)]}


@router.post("/sweeps/{sweep_id}/shares", status_code=201, response_model=NewShareAnswer)
def create_share(request: Request, farm: FarmDep, user: Submitter, sweep_id: str, body: NewShare) -> dict[str, Any]:
    """Make a link to a sweep, which anybody may open until it ends; `url` is not shown again."""
    share, secret = farm.store.access.share(user.user, sweep_id, body.days)
    return {"share": share_document(share), "url": f"{request.url.scheme}://{request.url.netloc}/shares/{secret}"}


@router.delete("/shares/{share_id}", status_code=204)
def revoke_share(farm: FarmDep, user: Submitter, share_id: str) -> Response:
    """Revoke a link."""
    farm.store.access.revoke_share(share_id)
    return Response(status_code=204)
