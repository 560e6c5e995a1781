"""What a request asks to be rendered, checked: it names pictures by their hashes alone, and no file of this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.submission.resolver import pictures_of
from stylefarm.shared.dispatch.weights import WeightsRegistry
from stylefarm.shared.errors import InvalidSpec, NotFound
from stylefarm.shared.services import Services
from stylefarm.shared.spec.marks import Marks
from stylefarm.shared.spec.spec import BLOB, parse_spec
from stylefarm.shared.spec.terms import split_terms

# A picture may be given a name, as in "sha256:1f.../cat.jpg".
_ADDRESS = re.compile(r"sha256:[0-9a-f]{64}(/[^/\x00-\x1f\x7f]{1,255})?")
_NAME = re.compile(r"(sha256:[0-9a-f]{64}|[a-z0-9][a-z0-9._-]{0,62})")
PICTURES = ("content", "style", "content_masks", "style_masks", "init_image")


def checked_fields(farm: Farm, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job as they were given, once it is clear that they name no file of this machine.

    Args:
        farm: where they go.
        fields: parameters and terms.

    Raises:
        InvalidSpec: a picture is named otherwise than by its hash, weights or a model otherwise than by their names, or
            a parameter is wrong.
    """
    _, given = split_terms({name: value for name, value in fields.items() if name not in Marks._fields})
    check_addresses(farm, given)
    for name in pictures_of(parse_spec(given)):
        _check_picture("picture", name)
    return dict(fields)


def checked_sweep(farm: Farm, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sweep file's content as it was given, once it is clear that it names no file of this machine.

    Args:
        farm: where it goes.
        document: base, matrix, zip, include, exclude and the rest.

    Raises:
        InvalidSpec: a picture is named otherwise than by its hash, or a section is none.
    """
    sections = [document.get("base"), document.get("matrix")]
    for name in ("zip", "include", "exclude"):
        value = document.get(name)
        # One entry may stand by itself.
        sections += value if isinstance(value, list) else [value]
    for section in sections:
        if isinstance(section, Mapping):
            check_addresses(farm, section)
    return dict(document)


def check_addresses(farm: Farm, fields: Mapping[str, Any]) -> None:
    """Check each value that may name a file. Raises InvalidSpec, and NotFound for names that the farm does not know."""
    for name in PICTURES:
        for one in _leaves(fields.get(name)):
            _check_picture(name, one)
    for name, known in NAMED.items():
        for one in _leaves(fields.get(name)):
            if not isinstance(one, str) or not _NAME.fullmatch(one):
                raise InvalidSpec(
                    f"{name} = {one!r:.80} is no name: over HTTP, give the name that the farm knows it by"
                )
            # What is no name here might be that of a file in the folder that the server runs in.
            if not one.startswith(BLOB) and not known(farm.services, one):
                raise NotFound(f"{name} = {one!r}: the farm has nothing of that name, and over HTTP it must have")


def _knows_weights(services: Services, name: str) -> bool:
    return WeightsRegistry(services.engine).find(name) is not None


def _knows_model(services: Services, name: str) -> bool:
    # In this order: a training that ends between the two looks has left its model.
    return services.queries.training(name) is not None or services.store.models.find(name) is not None


NAMED: Mapping[str, Callable[[Services, str], bool]] = {"weights": _knows_weights, "model": _knows_model}


def _leaves(value: object) -> Iterator[object]:
    """Yield the values in a list of lists, but for None."""
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    elif value is not None:
        yield value


def _check_picture(name: str, value: object) -> None:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise InvalidSpec(
            f"{name} = {value!r:.80} is no content hash: over HTTP, pictures are sent to /api/v1/images first, and"
            ' named by their addresses, "sha256:..."'
        )
