"""What commands print with `--json`, and what the HTTP API answers, held against their schemas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from httpx2 import Response
from pydantic import TypeAdapter, ValidationError

from stylefarm.shared.schema.answers import VERSION
from stylefarm.shared.schema.commands import ANSWERS


def check_answer(arguments: Sequence[str], document: Any) -> None:
    """Fail unless a document is an answer of the command that was called so, with all fields of it and no others."""
    names = [word for word in arguments if not word.startswith("-")]
    command = next(name for name in (" ".join(names[:2]), names[0]) if name in ANSWERS)
    assert document.get("schema_version") == VERSION, command
    fields = {name: value for name, value in document.items() if name != "schema_version"}
    problems = [problem for answer in ANSWERS[command] if (problem := _problem(answer, fields))]
    assert len(problems) < len(ANSWERS[command]), f"stylefarm {command}: {problems}"


def check_http_answer(app: FastAPI, response: Response) -> None:
    """Fail unless a JSON answer of the API is what the OpenAPI document says of its route."""
    if not response.is_success or not response.headers.get("content-type", "").startswith("application/json"):
        return
    method, path = response.request.method, response.request.url.path
    if not path.startswith("/api/"):
        return
    response.read()
    answer = next(
        route.response_model
        for route in iter_route_contexts(app.router.routes)
        if method in (route.methods or ()) and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path or ""), path)
    )
    answers = get_args(answer) or (answer,)
    problems = [problem for one in answers if (problem := _problem(one, response.json()))]
    assert len(problems) < len(answers), f"{method} {path}: {problems}"


def _problem(answer: type, fields: dict[str, Any]) -> str:
    try:
        read = _adapter(answer).validate_python(fields, strict=True)
    except ValidationError as error:
        return str(error)
    # Fields that the schema does not name are missing in what was validated.
    return "" if read == fields else f"{answer.__name__} does not name all of {fields}"


@cache
def _adapter(answer: type) -> TypeAdapter[Any]:
    return TypeAdapter(answer)
