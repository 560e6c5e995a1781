"""Where an optimization stands, as tensors and plain numbers: enough to go on from there, elsewhere and later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

# What an optimizer remembers of steps past, and can begin anew without: its names begin so.
HISTORY = "history."


@dataclass(frozen=True)
class EngineState:
    """Named tensors, of any device and dtype, a row for each picture, and named numbers, which all have in common.

    As the engine gives it, the tensors are its own: they are as they were until its next step. `restore` copies what
    will be changed.
    """

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, float]

    @property
    def bytes(self) -> int:
        """What the tensors take."""
        return sum(tensor.numel() * tensor.itemsize for tensor in self.tensors.values())

    def named(self, prefix: str) -> EngineState:
        """The same, each name with `prefix` before it."""
        return EngineState(
            {prefix + name: tensor for name, tensor in self.tensors.items()},
            {prefix + name: number for name, number in self.numbers.items()},
        )

    def part(self, prefix: str) -> EngineState:
        """What stands under names with `prefix` before them, by the names without it."""
        own = {name.removeprefix(prefix): number for name, number in self.numbers.items() if name.startswith(prefix)}
        return EngineState(_Part(self.tensors, prefix), own)

    def joined(self, other: EngineState) -> EngineState:
        """Both; their names differ."""
        return EngineState({**self.tensors, **other.tensors}, {**self.numbers, **other.numbers})

    def of(self, picture: int) -> EngineState:
        """The part of one picture of a batch: the first dimension of every tensor is the batch's."""
        own = {name: tensor[picture : picture + 1] for name, tensor in self.tensors.items()}
        return EngineState(own, self.numbers)

    def without_history(self) -> EngineState:
        """The same but for what an optimizer can begin anew without, which is most of it with L-BFGS."""
        return EngineState(
            {name: tensor for name, tensor in self.tensors.items() if HISTORY not in name},
            {name: number for name, number in self.numbers.items() if HISTORY not in name},
        )

    def copied(self) -> EngineState:
        """A copy on the CPU that no later step changes."""
        return EngineState({name: tensor.to("cpu", copy=True) for name, tensor in self.tensors.items()}, self.numbers)


class _Part(Mapping[str, Tensor]):
    """Some of a mapping, looked up when it is asked for: the tensors of a file are read one at a time."""

    def __init__(self, whole: Mapping[str, Tensor], prefix: str) -> None:
        self._whole = whole
        self._prefix = prefix

    def __getitem__(self, name: str) -> Tensor:
        return self._whole[self._prefix + name]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self._prefix) for name in self._whole if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)
