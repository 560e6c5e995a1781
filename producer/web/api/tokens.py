"""Tokens, which only an admin makes and revokes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylefarm.producer.web.access import Admin, FarmDep
from stylefarm.shared.db.access_tables import token_document
from stylefarm.shared.schema.http_farm import NewTokenAnswer, TokensAnswer
from stylefarm.shared.settings import LONGEST_USER
from stylefarm.shared.store.access import Role

router = APIRouter(tags=["access"])


class NewToken(BaseModel):
    """A token: whose it is, what it allows, and for how many days."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(min_length=1, max_length=LONGEST_USER)]
    role: Literal["read", "submit", "admin"] = "submit"
    days: Annotated[float, Field(gt=0, le=36_500)] | None = None


@router.get("/tokens", response_model=TokensAnswer)
def list_tokens(farm: FarmDep, admin: Admin) -> dict[str, Any]:
    """List the tokens, oldest first."""
    return {"tokens": [token_document(row) for row in farm.store.access.tokens()]}


@router.post("/tokens", status_code=201, response_model=NewTokenAnswer)
def create_token(farm: FarmDep, admin: Admin, body: NewToken) -> dict[str, Any]:
    """Make a token; `secret` is not shown again."""
    access = farm.store.access
    token_id, secret = access.create_token(body.user, Role.parse(body.role), body.days)
    row = next(row for row in access.tokens() if row.id == token_id)
    return {"token": token_document(row), "secret": secret}


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(farm: FarmDep, admin: Admin, token_id: str) -> Response:
    """Revoke a token; whoever signed in with it is signed out."""
    farm.store.access.revoke_token(token_id)
    return Response(status_code=204)
