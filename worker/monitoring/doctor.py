"""Check a farm from this machine: what is wrong, and what to do about it."""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select

from stylefarm import migrations
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.connection import address_of, translate_errors
from stylefarm.shared.db.states import WorkerState
from stylefarm.shared.db.tables import LeaderLockRow
from stylefarm.shared.dispatch.backlog import Backlog
from stylefarm.shared.dispatch.reconcile import RECONCILER_LOCK
from stylefarm.shared.dispatch.weights import WeightsRegistry
from stylefarm.shared.dispatch.workers import FAILING
from stylefarm.shared.errors import FarmError, InvalidSpec
from stylefarm.shared.images.fonts import font_of
from stylefarm.shared.queue.routes import queue_name
from stylefarm.shared.services import Services
from stylefarm.shared.spec.builtin import LOSSES, METHODS
from stylefarm.shared.spec.registry import Plugin, Registry
from stylefarm.shared.spec.weights_at_hand import automatic_weights
from stylefarm.shared.text import counted
from stylefarm.worker.host.nvml import find_devices

SKEW_SECONDS = 2.0
LARGE_SKEW_SECONDS = 60.0
LITTLE_DISK_BYTES = 2_000_000_000
NO_DISK_BYTES = 100_000_000

# Debian's packages of fonts, and letters of scripts that are in each.
SCRIPTS: Mapping[str, Mapping[str, str]] = {
    "fonts-noto-cjk": {"Chinese": "汉字", "Japanese": "神かカ", "Korean": "한국"},
    "fonts-noto-core": {"Hindi": "हद", "Bengali": "বল", "Tamil": "தம", "Thai": "ไทย"},
}


class Health(StrEnum):
    """How grave a finding is."""

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """What was checked, its health, a sentence, and a remedy."""

    what: str
    health: Health
    words: str
    remedy: str = ""


# Health, sentence and remedy of each finding of one check.
Found = Iterator[tuple[Health, str, str]]


def examine(services: Services) -> Iterator[Finding]:
    """Check everything, and yield each finding as soon as it is known; what cannot be checked is a finding, too."""
    for what, check in CHECKS.items():
        try:
            for finding in check(services):
                yield Finding(what, *finding)
        except FarmError as error:
            message, _, remedy = str(error).partition(": ")
            yield Finding(what, Health.WRONG, message, remedy)


def _check_database(services: Services) -> Found:
    engine = services.engine
    migrations.prepare(engine, embedded=services.settings.embedded)
    yield Health.FINE, f"{engine.dialect.name} at {address_of(engine)}, revision {migrations.head()}", ""


def _check_redis(services: Services) -> Found:
    if services.announcer is None:
        yield Health.FINE, "an embedded farm needs none", ""
        return
    hints = services.announcer.hints
    hints.check()
    server = hints.about()
    if server.get("maxmemory_policy") != "noeviction":
        policy = server.get("maxmemory_policy")
        yield Health.WARNING, f"Redis may throw hints away ({policy})", "set maxmemory-policy noeviction"
    if not server.get("aof_enabled"):
        yield Health.WARNING, "Redis forgets its hints when it restarts", "set appendonly yes"
    yield Health.FINE, f"it answers, and holds {server.get('used_memory_human')}", ""


def _check_objects(services: Services) -> Found:
    key, data = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(64)
    services.blobs.put(key, data, "application/octet-stream")
    same = services.blobs.get(key) == data
    services.blobs.delete(key)
    if same:
        yield Health.FINE, "an object was written, read and deleted", ""
    else:
        yield Health.WRONG, "an object came back with other bytes than were written", "check the object store"


def _check_clocks(services: Services) -> Found:
    started = time.time()
    with translate_errors(services.engine), services.engine.connect() as connection:
        moment = connection.execute(select(now())).scalar_one()
    yield _skew("the database", moment.timestamp(), started, time.time())
    if services.announcer is not None:
        started = time.time()
        seconds = services.announcer.hints.clock()
        yield _skew("Redis", seconds, started, time.time())


def _skew(whose: str, theirs: float, started: float, ended: float) -> tuple[Health, str, str]:
    """Compare a clock with this one, by which it was read between two moments."""
    seconds = theirs - (started + ended) / 2
    # A service that answers late may have read its clock at any moment of that time.
    if abs(seconds) <= SKEW_SECONDS + (ended - started) / 2:
        return Health.FINE, f"this clock and that of {whose} agree", ""
    health = Health.WRONG if abs(seconds) > LARGE_SKEW_SECONDS else Health.WARNING
    ahead = "ahead of" if seconds > 0 else "behind"
    return health, f"the clock of {whose} is {abs(seconds):.1f} s {ahead} this one", "run NTP on both machines"


def _check_workers(services: Services) -> Found:
    if services.settings.embedded:
        yield Health.FINE, "an embedded farm renders in the process that waits", ""
        return
    listed = services.workers.listed()
    takers = [entry for entry in listed if entry.state == WorkerState.ACTIVE]
    for entry in listed:
        name = entry.worker.name
        if entry.state == WorkerState.BENCHED:
            yield Health.WARNING, f"{name} is benched: {entry.worker.reason}", f"stylefarm worker unbench {name}"
        elif entry.state == FAILING:
            yield Health.WARNING, f"{name} is failing: {entry.reason}", "see its log"
        elif entry not in takers and entry.state != WorkerState.DRAINING:
            yield (
                Health.WARNING,
                f"{name} has been silent for {entry.silent_for:.0f} s",
                "see its log, or start it again",
            )
    served = {queue for entry in takers for queue in entry.worker.queues}
    for device, label in Backlog(services.engine).routes():
        if queue_name(device, label) not in served:
            queue = f"device {device}" + (f" and label {label}" if label else "")
            yield (
                Health.WARNING,
                f"jobs for {queue} are queued, and no worker takes them",
                "start one: worker start --help",
            )
    if takers:
        yield Health.FINE, f"{counted(len(takers), 'slot')} {'takes' if len(takers) == 1 else 'take'} jobs", ""
    else:
        yield Health.WARNING, "none takes jobs", "start one: stylefarm worker start"


def _check_leader(services: Services) -> Found:
    if services.settings.embedded:
        return
    with translate_errors(services.engine), services.engine.connect() as connection:
        held = select(LeaderLockRow.holder).where(LeaderLockRow.name == RECONCILER_LOCK, LeaderLockRow.until > now())
        holder = connection.execute(held).scalar_one_or_none()
    if holder is None:
        yield Health.WARNING, "no process requeues lost jobs", "start a worker: one of them always leads"
    else:
        yield Health.FINE, f"{holder} leads", ""


def _check_weights(services: Services) -> Found:
    automatic = automatic_weights({row.name for row in WeightsRegistry(services.engine).all()})
    if automatic is not None:
        yield Health.FINE, f"features = auto takes {automatic.title}", ""
    else:
        yield (
            Health.WARNING,
            "no pretrained network is at hand, so features = auto renders with random ones",
            "stylefarm weights pull squeezenet",
        )


def _check_fonts(_services: Services) -> Found:
    for package, samples in SCRIPTS.items():
        missing = [script for script, sample in samples.items() if font_of(sample) is None]
        if missing:
            yield (
                Health.WARNING,
                f"no font has {', '.join(missing)}: names are in Latin letters in sheets and plots",
                f"install one, such as Debian's package {package}",
            )
        else:
            yield Health.FINE, f"there are fonts for {', '.join(samples)}", ""


def _check_disk(services: Services) -> Found:
    home = services.settings.home.expanduser().absolute()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    sentence = f"{free / 1e9:.1f} GB are free below {place}"
    if free > LITTLE_DISK_BYTES:
        yield Health.FINE, sentence, ""
    else:
        health = Health.WRONG if free < NO_DISK_BYTES else Health.WARNING
        yield health, sentence, "make room, or set STYLEFARM_HOME to another disk"


def _check_rendering(services: Services) -> Found:
    missing = [name for name in ("torch", "pynvml") if importlib.util.find_spec(name) is None]
    if missing and services.settings.embedded:
        what = f"this farm renders on this machine, which has no {missing[0]}: nothing that is queued is rendered"
        yield Health.WRONG, what, "pip install 'stylefarm[worker]'"
        return
    if missing:
        yield Health.FINE, f"this machine only submits: it has no {missing[0]}", ""
        return
    devices = find_devices()
    if devices:
        yield Health.FINE, "GPUs: " + ", ".join(f"{device.number} ({device.uuid})" for device in devices), ""
    elif Path("/dev/nvidiactl").exists():
        yield Health.WRONG, "there is a GPU, and its driver tells of none", "see what nvidia-smi says"
    else:
        yield Health.FINE, "no GPU: a worker here renders on the CPU", ""


def _check_plugins(_services: Services) -> Found:
    owners: dict[tuple[str, str], str] = {}
    for registry in (LOSSES, METHODS):
        for plugin in registry.plugins():
            what = f"the {registry.noun} {plugin.name!r} of {plugin.distribution}"
            owner = owners.setdefault((registry.group, plugin.name), plugin.distribution)
            if plugin.name in registry.builtin:
                yield Health.WARNING, f"{what} is not used: the name is built in", "give it another name"
            elif owner != plugin.distribution:
                yield Health.WARNING, f"{what} is not used: {owner} has the name", "uninstall one of the two"
            elif not re.fullmatch(r"[A-Za-z0-9._-]+", plugin.name):
                yield (
                    Health.WARNING,
                    f"{what} cannot be asked for by such a name",
                    "give it a name of letters, digits, . _ -",
                )
            elif importlib.util.find_spec("torch") is None:
                yield Health.FINE, f"{what}; it is loaded where there is torch", ""
            else:
                yield _loaded(registry, plugin, what)
    if not owners:
        yield Health.FINE, "no package provides style losses or methods", ""


def _loaded(registry: Registry, plugin: Plugin, what: str) -> tuple[Health, str, str]:
    # Imported here, since both import torch.
    from stylefarm.worker.engine.losses.style import load_loss
    from stylefarm.worker.engine.methods.method import load_method

    try:
        (load_loss if registry is LOSSES else load_method)(plugin.name)
    except InvalidSpec as error:
        return (
            Health.WARNING,
            f"{what} cannot be used ({error.__cause__ or error})",
            f"upgrade or uninstall {plugin.distribution}",
        )
    return Health.FINE, what, ""


CHECKS: dict[str, Callable[[Services], Found]] = {
    "database": _check_database,
    "redis": _check_redis,
    "objects": _check_objects,
    "clocks": _check_clocks,
    "workers": _check_workers,
    "reconciler": _check_leader,
    "weights": _check_weights,
    "fonts": _check_fonts,
    "disk": _check_disk,
    "rendering": _check_rendering,
    "plugins": _check_plugins,
}
