"""What a file of weights in our own form says of itself: the network's architecture, and how it wants its pixels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.networks import Architecture
from stylefarm.shared.spec.space import InputSpace

# safetensors writes several keys in an order that differs between processes: all is said under this one.
KEY = "stylefarm"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class WeightsMetadata(BaseModel):
    """The architecture and the parts of an InputSpace, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    version: Literal[1] = 1
    architecture: Architecture
    range: Positive
    mean: tuple[Finite, Finite, Finite]
    std: tuple[Positive, Positive, Positive] = Field(alias="deviation")
    order: Literal["rgb", "bgr"]

    @property
    def space(self) -> InputSpace:
        """How the network wants its pixels."""
        return InputSpace(self.range, self.mean, self.std, self.order)


def write_metadata(architecture: Architecture, space: InputSpace) -> dict[str, str]:
    """The metadata of a safetensors file; the same weights have the same."""
    return {KEY: WeightsMetadata(architecture=architecture, **vars(space)).model_dump_json(by_alias=True)}


def read_metadata(metadata: dict[str, str] | None) -> WeightsMetadata | None:
    """What a safetensors file says, None if it is not of our own. Raises InvalidRequest if it cannot be read."""
    text = (metadata or {}).get(KEY)
    if text is None:
        return None
    try:
        return WeightsMetadata.model_validate_json(text)
    except ValidationError:
        raise InvalidRequest(
            "the weights say of themselves what this release cannot read: import the file that they were made from"
        ) from None
