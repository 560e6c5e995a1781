"""The middle of a job's way: its inputs, the engine, and the sinks that the engine's progress feeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import shared
from shared.blobs import fetch_verified, store_object
from shared.encoding import content_type
from shared.errors import OutOfMemory
from shared.images import decode
from shared.services import Services
from shared.spec import BLOB, JobSpec
from shared.store import Fence, StoredObject
from shared.tables import Job
from worker.engine.device import ComputePath, choose
from worker.engine.initial import initial_image
from worker.engine.iterative import Objective, Progress, Weights, make_optimiser, optimise
from worker.lease import Lease
from worker.network import build_network
from worker.pictures import encode_tensor, to_tensor
from worker.retry import patiently
from worker.sinks import Background, LossSink, Sink, SnapshotSink


@dataclass(frozen=True)
class Painting:
    """One attempt at one job."""

    services: Services
    job: Job
    spec: JobSpec
    lease: Lease

    @property
    def fence(self) -> Fence:
        """The attempt's right to write."""
        return self.lease.fence

    def paint(self, record: dict[str, Any]) -> StoredObject:
        """Paints the picture and stores it; what was computed with goes into `record`.

        Raises the lease's Stop, Diverged, OutOfMemory, ServiceUnavailable, and what is wrong with the inputs.
        """
        path = choose(self.spec.precision)
        record.update(device=_device_name(path), precision=path.precision, threads=torch.get_num_threads())
        with _memory_errors(self.spec):
            last = self._run(path)
            return self._store(last)

    def _run(self, path: ComputePath) -> Progress:
        """Runs the engine to its end; returns its last progress."""
        steps = self._steps(path)
        background = Background()
        try:
            sinks = self._sinks(background)
            for progress in steps:
                self.lease.check()
                for sink in sinks:
                    sink.take(progress)
            for sink in sinks:
                sink.close()
            background.finish()
        finally:
            background.close()
        return progress

    def _steps(self, path: ComputePath) -> Iterator[Progress]:
        spec = self.spec
        content, style = (self._input(address, path) for address in (spec.content, spec.style))
        cache = self.services.settings.home.expanduser() / "cache"
        vgg = build_network(spec, [content, style], self.services.blobs, cache, path)
        weights = Weights(spec.content_weight, spec.style_weight, spec.tv_weight)
        objective = Objective(vgg, content, style, _resolved(spec.content_layers), spec.style_layers, weights)
        start = initial_image(content, spec.init, spec.noise_ratio, spec.seed)
        optimiser = make_optimiser(spec.optimizer, _resolved(spec.learning_rate))
        return optimise(objective, start, optimiser, spec.iterations)

    def _input(self, address: str, path: ComputePath) -> Tensor:
        sha256 = address.removeprefix(BLOB)
        data = patiently(lambda: fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256))
        picture = decode(data, address, max_pixels=self.services.settings.max_pixels)
        return to_tensor(picture.image, _resolved(self.spec.size), path.device)

    def _sinks(self, background: Background) -> Sequence[Sink]:
        services, spec = self.services, self.spec
        return (
            LossSink(services.store, self.fence, background),
            SnapshotSink(
                services.store,
                services.blobs,
                self.fence,
                background,
                every=spec.snapshot_every,
                file_format=spec.format,
                parameters=self._parameters(),
            ),
        )

    def _store(self, last: Progress) -> StoredObject:
        file_format = self.spec.format
        data = encode_tensor(last.image[0], file_format, {**self._parameters(), "iteration": last.iteration})
        key = f"jobs/{self.job.id}/{self.fence.attempt}/result.{file_format}"
        return patiently(lambda: store_object(self.services.blobs, key, data, content_type(file_format)))

    def _parameters(self) -> dict[str, object]:
        """What is written into the files: enough to paint the picture again."""
        names = {"content_name": self.job.content_name, "style_name": self.job.style_name}
        return {"stylefarm": shared.__version__, **names, **self.spec.model_dump(mode="json")}


def _resolved(value: Any) -> Any:
    """A parameter that was "auto" when it was written, and is a number in every stored spec."""
    if isinstance(value, str):
        raise TypeError(f"a stored spec holds {value!r} which submitting should have resolved")
    return value


def _device_name(path: ComputePath) -> str:
    return torch.cuda.get_device_name(path.device) if path.device.type == "cuda" else "cpu"


@contextmanager
def _memory_errors(spec: JobSpec) -> Iterator[None]:
    """Turns the ways in which torch runs out of memory into OutOfMemory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(_too_large(spec)) from error
    except RuntimeError as error:
        # The CPU's allocator has no exception class of its own.
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory(_too_large(spec)) from error


def _too_large(spec: JobSpec) -> str:
    return f"a picture of size = {spec.size} does not fit into this worker's memory: ask for a smaller size"
