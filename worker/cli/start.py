"""The command `stylefarm worker`."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from stylefarm.shared.cli.command_group import CommandGroup, say_in_vain
from stylefarm.shared.cli.console import MOST_SECONDS
from stylefarm.shared.dispatch.workers import NewWorker
from stylefarm.shared.errors import FarmError
from stylefarm.shared.services import connect_services
from stylefarm.shared.settings import load_settings
from stylefarm.worker.cli.fleet import COMMANDS
from stylefarm.worker.cli.queues import Choices, read_devices, read_labels, read_name
from stylefarm.worker.host import log, parent_watch, slot
from stylefarm.worker.host.hint_watch import HintWatch
from stylefarm.worker.host.maintenance import MaintenanceThreads
from stylefarm.worker.host.nvml import find_devices
from stylefarm.worker.host.pin import VISIBLE, Machine, Slot, SlotRequest, plan_slots
from stylefarm.worker.host.pulse import Pulse, make_pulse
from stylefarm.worker.host.registration import Registration, full_name
from stylefarm.worker.host.supervisor import Supervisor

if TYPE_CHECKING:
    from stylefarm.worker.monitoring.server import MetricsServer

INTERRUPTED = 130

# The whole program again, in a process of its own. -P keeps a `shared.py` in the current folder from being imported.
PROGRAM = (sys.executable, "-P", "-c", "from stylefarm.producer.cli import main; main()")


@click.group(cls=CommandGroup)
def worker() -> None:
    """Start and manage workers."""


@worker.command()
@click.option(
    "--name",
    callback=read_name,
    help="Name of the worker in logs and events; slot and host name are added.",
)
@click.option(
    "--gpus",
    metavar="LIST",
    help="GPUs and MIG slices to use, such as 0,2:1, or UUIDs; `none` for none. [default: all]",
)
@click.option(
    "--slots-per-gpu", default=1, show_default=True, type=click.IntRange(1, 64), help="Jobs at a time on each GPU."
)
@click.option(
    "--cpu",
    metavar="N",
    type=click.IntRange(0, 4096),
    help="Jobs at a time on the CPU, sharing its threads. [default: 1 without a GPU]",
)
@click.option(
    "--grace",
    metavar="SECONDS",
    default=600,
    show_default=True,
    type=click.IntRange(0, MOST_SECONDS),
    help="Seconds that running jobs may take when the worker is stopped; then they are checkpointed.",
)
@click.option(
    "--queues",
    "kinds",
    metavar="LIST",
    callback=read_devices,
    help="Take only jobs that ask for these devices: any of auto,cpu,gpu. [default: auto, and the slot's own]",
)
@click.option(
    "--labels", metavar="LIST", callback=read_labels, help="Also take jobs with these labels, such as night,big."
)
@click.option(
    "--metrics-port",
    metavar="PORT",
    type=click.IntRange(1, 65_535),
    help="Port for Prometheus metrics and /healthz. [default: STYLEFARM_METRICS_PORT, or none]",
)
def start(
    name: str | None,
    gpus: str | None,
    slots_per_gpu: int,
    cpu: int | None,
    grace: int,
    kinds: Sequence[str],
    labels: Sequence[str],
    metrics_port: int | None,
) -> int:
    """Start a worker, which renders jobs until it is stopped.

    Each GPU (or MIG slice, or CPU slot) gets its own process, which is restarted when it dies. The first Ctrl-C (or
    SIGTERM) lets running jobs finish within --grace. The second one stops at once; other workers take the jobs when
    their leases have expired.
    """
    if gpus == "none":
        say_in_vain("slots_per_gpu", because="with --gpus none")
    settings = load_settings()
    slot.broker_of(settings)
    slot.check_installed()
    services = connect_services(settings)
    slot.check_services(services)
    reconciler = services.reconciler
    assert reconciler is not None, "where there is a broker, there is one"
    # Not before: what refuses a command is one sentence, without what libraries log on the way to it.
    log.configure(settings, full_name(name or "worker"))
    wanted = SlotRequest(gpus, slots_per_gpu, cpu)
    devices = [] if wanted.no_gpus else find_devices()
    places = plan_slots(wanted, Machine(devices, os.environ.get(VISIBLE), settings.threads, _cores()))
    choices = Choices(kinds, labels)
    with (
        _watch(settings.metrics_host, metrics_port or settings.metrics_port, places) as watch,
        _pulses(place.name for place in places) as pulses,
    ):
        supervisor = Supervisor(places, partial(_command, name, choices, watch, pulses), grace=grace)
        roll = Registration(services.workers, _listed(places, name, choices), supervisor)
        if watch is not None:
            watch.serve(services, supervisor, roll.slots, pulses)
        attention = HintWatch(reconciler.announcer.hints, services.workers, roll.slots, pulses, supervisor)
        with MaintenanceThreads(reconciler, roll.call, services.webhook_caller, attention.look):
            well = supervisor.run()
        roll.leave()
    return 0 if well else INTERRUPTED


@worker.command("slot", hidden=True)
@click.option("--name", required=True)
@click.option("--queues", required=True)
@click.option("--parent", required=True, type=int)
@click.option("--pulse", required=True, type=click.Path(path_type=Path))
@click.option("--metrics", type=click.Path(path_type=Path))
def run_slot(name: str, queues: str, parent: int, pulse: Path, metrics: Path | None) -> int:
    """Run the process of one slot; `start` starts it."""
    parent_watch.end_with(parent)
    settings = load_settings()
    log.configure(settings, full_name(name))
    if metrics is not None:
        slot.keep_metrics_in(metrics)
    try:
        return slot.run_slot(settings, name, queues.split(","), Pulse(pulse))
    except FarmError as error:
        # Here a sentence that is no line of the log would stand between those of others.
        structlog.get_logger("stylefarm.worker").error("not started", reason=str(error))
        return error.exit_code


for _name_of, _of_command in COMMANDS.items():
    worker.add_command(_of_command, _name_of)


def _name(name: str | None, place: Slot) -> str:
    return f"{name}-{place.name}" if name else place.name


def _listed(places: Sequence[Slot], name: str | None, choices: Choices) -> dict[str, NewWorker]:
    host = socket.gethostname()
    return {
        place.name: NewWorker(
            full_name(_name(name, place)), host, place.device, choices.queues(place), list(choices.labels)
        )
        for place in places
    }


@contextlib.contextmanager
def _watch(host: str, port: int | None, places: Sequence[Slot]) -> Iterator[MetricsServer | None]:
    """Return the worker's port, if it is to have one."""
    if port is None:
        yield None
        return
    # A machine that only asks about workers has no prometheus_client.
    from stylefarm.worker.monitoring.server import open_port

    with open_port(host, port, places) as watch:
        yield watch


@contextlib.contextmanager
def _pulses(slots: Iterable[str]) -> Iterator[Mapping[str, Path]]:
    """Return a file for the pulse of each slot, which only the owner can read."""
    with tempfile.TemporaryDirectory(prefix="stylefarm-slots-") as folder:
        made = {slot: Path(folder) / slot for slot in slots}
        for path in made.values():
            make_pulse(path)
        yield made


def _command(
    name: str | None, choices: Choices, watch: MetricsServer | None, pulses: Mapping[str, Path], place: Slot
) -> list[str]:
    full = _name(name, place)
    queues = ",".join(choices.queues(place))
    metrics = ["--metrics", str(watch.folders[place.name])] if watch else []
    own = ["--name", full, "--queues", queues, "--parent", str(os.getpid()), "--pulse", str(pulses[place.name])]
    return [*PROGRAM, "worker", "slot", *own, *metrics]


def _cores() -> int:
    """Return the cores that this process may use, which in a container can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
