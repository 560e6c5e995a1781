"""The middle of a job's way: its inputs, the engine, and the sinks that the engine's progress feeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image

import shared
from shared.blobs import fetch_verified, store_object
from shared.encoding import Format, content_type
from shared.errors import Diverged, OutOfMemory
from shared.exif import kept_exif
from shared.images import decode
from shared.services import Services
from shared.spec import BLOB, JobSpec
from shared.store import Fence, StoredObject
from shared.tables import Job
from worker.engine.device import ComputePath, choose
from worker.engine.iterative import Progress, Rules, Scale, optimise
from worker.finish import Finish
from worker.inputs import Inputs
from worker.lease import Lease
from worker.network import build_network
from worker.retry import patiently
from worker.sinks import Background, LossSink, Sink, SnapshotSink
from worker.translate import make_optimiser, prepared

# Random features are scaled on pictures of this long edge at most: a larger one says no more of a layer's deviation.
CALIBRATION_EDGE = 512


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
            inputs = Inputs.fetched(self.spec, self._picture)
            finish = self._finish(inputs)
            last = self._run(self._steps(inputs, path), finish)
            data = finish.encode(last.image[0], last.iteration)
        return self._store(data, finish.output.format)

    def _run(self, steps: Iterator[Progress], finish: Finish) -> Progress:
        """Runs the engine to its end; returns its last progress."""
        background = Background()
        try:
            sinks = self._sinks(background, finish)
            for progress in steps:
                self.lease.check()
                for sink in sinks:
                    sink.take(progress)
            for sink in sinks:
                sink.close()
            background.finish()
        except Diverged:
            # What went before is still worth having: the curve, and the last good snapshot.
            background.finish()
            raise
        finally:
            background.close()
        return progress

    def _steps(self, inputs: Inputs, path: ComputePath) -> Iterator[Progress]:
        spec = self.spec
        calibration = inputs.sized(min(spec.sizes[-1], CALIBRATION_EDGE), path.device)
        images = [calibration.content, *(style.image for style in calibration.styles)]
        cache = self.services.settings.home.expanduser() / "cache"
        vgg = build_network(spec, images, self.services.blobs, cache, path)
        scales = [
            Scale(iterations, partial(prepared, inputs, edge, vgg, path.device)) for edge, iterations in spec.schedule
        ]
        return optimise(scales, make_optimiser(spec), Rules(spec.clamp, spec.average, spec.stop_change))

    def _picture(self, address: str) -> Image.Image:
        return decode(self._bytes(address), address, max_pixels=self.services.settings.max_pixels).image

    def _bytes(self, address: str) -> bytes:
        sha256 = address.removeprefix(BLOB)
        return patiently(lambda: fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256))

    def _finish(self, inputs: Inputs) -> Finish:
        exif = kept_exif(self._bytes(self.spec.content)) if self.spec.exif == "keep" else None
        return Finish(self.spec, inputs.content, self._parameters(), exif)

    def _sinks(self, background: Background, finish: Finish) -> Sequence[Sink]:
        services = self.services
        every = self.spec.snapshot_every
        return (
            LossSink(services.store, self.fence, background),
            SnapshotSink(services.store, services.blobs, self.fence, background, every=every, finish=finish),
        )

    def _store(self, data: bytes, file_format: Format) -> StoredObject:
        key = f"jobs/{self.job.id}/{self.fence.attempt}/result.{file_format}"
        return patiently(lambda: store_object(self.services.blobs, key, data, content_type(file_format)))

    def _parameters(self) -> dict[str, object]:
        """What is written into the files: enough to paint the picture again."""
        names = {"content_name": self.job.content_name, "style_name": self.job.style_name}
        return {"stylefarm": shared.__version__, **names, **self.spec.model_dump(mode="json")}


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
