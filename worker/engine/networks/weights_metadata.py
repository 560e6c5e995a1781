"""The metadata of a weights file in the farm's own form: the architecture, and the network's input."""

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
        """The input of the network."""
        return InputSpace(self.range, self.mean, self.std, self.order)


def write_metadata(architecture: Architecture, space: InputSpace) -> dict[str, str]:
    """Return the metadata of a safetensors file; the same weights have the same.

    Args:
        architecture: Of the network.
        space: How it takes pixels.

    Example:
        >>> from stylefarm.shared.spec.space import TORCHVISION
        >>> read_metadata(write_metadata("vgg19", TORCHVISION)).space == TORCHVISION
        True
    """
    return {KEY: WeightsMetadata(architecture=architecture, **vars(space)).model_dump_json(by_alias=True)}


def read_metadata(metadata: dict[str, str] | None) -> WeightsMetadata | None:
    """Return the metadata of a safetensors file; None if it is not in the farm's own form.

    Raises:
        InvalidRequest: This release cannot read it.

    Example:
        >>> read_metadata(None) is None
        True
    """
    text = (metadata or {}).get(KEY)
    if text is None:
        return None
    try:
        return WeightsMetadata.model_validate_json(text)
    except ValidationError:
        raise InvalidRequest(
            "the weights say of themselves what this release cannot read: import the file that they were made from"
        ) from None
