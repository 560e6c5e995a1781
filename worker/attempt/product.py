"""The Protocol of what an attempt makes: a picture, or a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from stylefarm.shared.images.encode import Output
from stylefarm.worker.attempt.outcome import Rendered
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.methods.method import Progress


class PictureEncoder(Protocol):
    """Makes files of pictures."""

    @property
    def output(self) -> Output:
        """The file format and its options."""
        ...

    def finished(self, image: Tensor) -> Tensor:
        """Return the picture (3, H, W) as it is saved: in [0, 1], on the CPU."""
        ...

    def encode_finished(self, picture: Tensor, iteration: int) -> bytes:
        """Return the file of a picture that `finished` has returned. Raises InvalidRequest."""
        ...


class Product(Protocol):
    """What an attempt makes of its spec."""

    @property
    def encoder(self) -> PictureEncoder:
        """Makes the files of snapshots. Raises what is wrong with the job's pictures, and ServiceUnavailable."""
        ...

    @property
    def snapshot_every(self) -> int:
        """Iterations from one snapshot to the next; 0: none."""
        ...

    @property
    def too_large(self) -> str:
        """The sentence for the user where it did not fit into the memory."""
        ...

    def prepare(self, path: ComputePath) -> Mapping[str, Any]:
        """Fetch what it is made from, and return what the attempt's record says of how it is computed."""
        ...

    def finish(self, progress: Progress, folder: str, cache: TargetCache) -> Rendered:
        """Store what was made, and measure it.

        Args:
            progress: the last step.
            folder: where the attempt's objects are in the object store, without a slash at the end.
            cache: keeps what was read of contents and styles for the metrics of the next jobs.
        """
        ...
