"""The state of an optimization as tensors and plain numbers, enough to continue it elsewhere and later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

# What an optimizer remembers of steps past, and can begin anew without: its names begin so.
HISTORY = "history."


@dataclass(frozen=True)
class EngineState:
    """Named tensors, of any device and dtype, with one row for each image, and named numbers that all images share.

    The tensors are the engine's own: they stay as they are until its next step. `restore` copies what it will change.

    Args:
        tensors: Tensors by name, (B, ...).
        numbers: Numbers by name.

    Example:
        >>> import torch
        >>> state = EngineState({"x": torch.zeros(2, 3)}, {"step": 1}).named("adam.")
        >>> state.bytes, list(state.part("adam.").tensors), state.of(0).tensors["adam.x"].shape[0]
        (24, ['x'], 1)
    """

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, float]

    @property
    def bytes(self) -> int:
        """The size of the tensors in bytes."""
        return sum(tensor.numel() * tensor.itemsize for tensor in self.tensors.values())

    def named(self, prefix: str) -> EngineState:
        """Return the same state under longer names.

        Args:
            prefix: Comes before each name.
        """
        return EngineState(
            {prefix + name: tensor for name, tensor in self.tensors.items()},
            {prefix + name: number for name, number in self.numbers.items()},
        )

    def part(self, prefix: str) -> EngineState:
        """Return what stands under names with a prefix, by the names without it.

        Args:
            prefix: What `named` got.
        """
        own = {name.removeprefix(prefix): number for name, number in self.numbers.items() if name.startswith(prefix)}
        return EngineState(_Part(self.tensors, prefix), own)

    def joined(self, other: EngineState) -> EngineState:
        """Return what both states have.

        Args:
            other: A state of other names.

        Example:
            >>> EngineState({}, {"step": 1}).joined(EngineState({}, {"done": 5})).numbers
            {'step': 1, 'done': 5}
        """
        return EngineState({**self.tensors, **other.tensors}, {**self.numbers, **other.numbers})

    def of(self, index: int) -> EngineState:
        """Return the state of one image of a batch.

        Args:
            index: Its place in the batch, from 0.
        """
        own = {name: tensor[index : index + 1] for name, tensor in self.tensors.items()}
        return EngineState(own, self.numbers)

    def without_history(self) -> EngineState:
        """Return the same state without what an optimizer can rebuild, which is most of it with L-BFGS.

        Example:
            >>> EngineState({}, {"iteration": 3, "history.pairs": 2}).without_history().numbers
            {'iteration': 3}
        """
        return EngineState(
            {name: tensor for name, tensor in self.tensors.items() if HISTORY not in name},
            {name: number for name, number in self.numbers.items() if HISTORY not in name},
        )

    def copied(self) -> EngineState:
        """Return a copy on the CPU that no later step changes.

        Example:
            >>> import torch
            >>> x = torch.zeros(1, 3)
            >>> before = EngineState({"x": x}, {}).copied()
            >>> _ = x.add_(1)
            >>> before.tensors["x"].tolist()
            [[0.0, 0.0, 0.0]]
        """
        return EngineState({name: tensor.to("cpu", copy=True) for name, tensor in self.tensors.items()}, self.numbers)


class _Part(Mapping[str, Tensor]):
    """A part of a mapping, looked up on demand: the tensors of a file are read one at a time."""

    def __init__(self, whole: Mapping[str, Tensor], prefix: str) -> None:
        self._whole = whole
        self._prefix = prefix

    def __getitem__(self, name: str) -> Tensor:
        return self._whole[self._prefix + name]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self._prefix) for name in self._whole if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)
