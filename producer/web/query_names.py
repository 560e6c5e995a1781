"""Query parameters that no route knows, which would be ignored without a word."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.text import nearest


def query_check(prefix: str) -> Callable[[Request], None]:
    """Return what refuses queries with a name that their route does not know: a mistyped filter would list all jobs.

    Args:
        prefix: what all of the routes begin with.

    Example:
        api = APIRouter(prefix="/api/v1", dependencies=[Depends(query_check("/api/v1"))])
    """

    def check(request: Request) -> None:
        """Raise InvalidRequest if there is such a name."""
        if not request.query_params:
            return
        path = prefix + request.scope["route"].path.removeprefix(prefix)
        method = "get" if request.method == "HEAD" else request.method.lower()
        operation = request.app.openapi()["paths"][path][method]
        known = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
        for name in request.query_params:
            if name not in known:
                hint = nearest(name, known) if known else ": this address has none"
                raise InvalidRequest(f"there is no query parameter {name!r:.60}{hint}")

    return check
