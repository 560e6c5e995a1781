"""Errors: their exit codes and HTTP statuses, as the tree at the top of their module says."""

from __future__ import annotations

import re
from http import HTTPStatus

from stylefarm.shared import errors
from stylefarm.shared.errors import FarmError


def family(base: type[FarmError]) -> list[type[FarmError]]:
    return [base, *(error for child in base.__subclasses__() for error in family(child))]


def test_each_error_is_as_the_tree_says() -> None:
    """Given the tree in the module's docstring, I expect the classes, their bases and their codes to be those."""
    bases: dict[int, type[FarmError]] = {}
    named = []
    for indent, name, exit_code, status in re.findall(
        r"^( *)(\w+)(?: +exit (\d+) +HTTP (\d+))?$", errors.__doc__ or "", re.MULTILINE
    ):
        error: type[FarmError] = getattr(errors, name)
        depth = len(indent) // 4
        bases[depth] = error
        named.append(error)
        if depth:
            assert error.__base__ is bases[depth - 1]
        expected = (int(exit_code), int(status)) if exit_code else None
        inherited = (error.__base__.exit_code, error.__base__.http_status) if depth else None  # type: ignore[union-attr]
        assert (error.exit_code, error.http_status) == (expected or inherited)
    assert set(named) == {error for error in family(FarmError) if error.__module__ == errors.__name__}


def test_statuses_are_errors_of_http() -> None:
    """Given any error, I expect an HTTP status of an error, 422 for an invalid request."""
    for error in family(FarmError):
        assert HTTPStatus(error.http_status) >= 400
    assert {error.http_status for error in family(errors.InvalidRequest)} == {422}
