"""The way of a job through an embedded farm, from Python."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sqlalchemy import text

from stylefarm import (
    Farm,
    InvalidRequest,
    InvalidSpec,
    Job,
    JobFailed,
    JobSpec,
    NotFound,
    State,
    StillPending,
    sweep_losses,
    sweep_sheet,
)
from stylefarm.producer.client.waiting import POLL_SECONDS
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import Fence
from stylefarm.shared.images.encode import read_parameters
from stylefarm.shared.spec.networks import PRETRAINED_FILES

SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"], "size": 32, "style_loss": "gram"}


@pytest.fixture
def farm() -> Iterator[Farm]:
    with Farm() as farm:
        yield farm


@pytest.fixture
def pair(pictures: Path) -> dict[str, str]:
    return {"content": str(pictures / "a.png"), "style": str(pictures / "s.png")}


def write_weights(path: Path, channels: int = 64) -> str:
    """The first convolutions of a VGG as torchvision lays them out; returns the file's SHA-256."""
    draw = torch.Generator().manual_seed(0)
    shapes = {0: (channels, 3), 2: (64, 64), 5: (128, 64)}
    state = {f"features.{n}.weight": torch.randn(*shape, 3, 3, generator=draw) * 0.1 for n, shape in shapes.items()}
    state |= {f"features.{n}.bias": torch.zeros(shape[0]) for n, shape in shapes.items()}
    torch.save(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_job_tells_of_itself_while_it_is_rendered_and_after(farm: Farm, pair: dict[str, str]) -> None:
    """Given a job, if it is waited for, I expect its watcher to see it move, and all that was resolved to be told."""
    job = farm.submit(**pair, **SHALLOW, iterations=30, snapshot_every=10, format="webp")
    seen: list[State] = []
    status = job.wait(watch=lambda statuses: seen.append(statuses[0].state))
    assert status.state is State.DONE
    assert seen[0] is State.QUEUED
    assert (status.spec["features"], status.spec["learning_rate"]) == ("random", 1.0)
    assert any("random" in note for note in status.notes)
    assert [snapshot.iteration for snapshot in job.snapshots()] == [10, 20]
    assert job.snapshots()[0].fetch().image.size == (32, 24)
    stored = job.snapshots()[0].stored
    assert (stored.width, stored.height, stored.media_type) == (32, 24, "image/webp")
    result = job.result()
    assert (result.suffix, result.image.size) == (".webp", (32, 24))
    losses = job.losses()
    assert losses.total[-1] == status.loss
    assert losses.total[-1] < losses.total[0]


def test_what_a_job_waits_for_is_rendered_too(farm: Farm, pair: dict[str, str]) -> None:
    """Given an embedded farm and a chain of three jobs, if the last is waited for, I expect all of them rendered."""
    first = farm.submit(**pair, **SHALLOW, iterations=2)
    second = farm.submit(**pair, **SHALLOW, iterations=2, init="noise", seed=1, after=first)
    third = farm.submit(**pair, **SHALLOW, iterations=2, init="noise", seed=2, after=[second.id[:8]])
    assert third.status().state is State.WAITING
    assert third.wait(timeout=60).state is State.DONE
    assert first.status().state is second.status().state is State.DONE


def test_what_is_tried_again_meanwhile_is_rendered_too(farm: Farm, pair: dict[str, str]) -> None:
    """Given a paused job whose parent is done, if that is tried again and it is resumed, I expect both rendered."""
    first = farm.submit(**pair, **SHALLOW, iterations=2)
    second = farm.submit(**pair, **SHALLOW, iterations=2, init="noise", seed=1, after=first)
    first.wait(timeout=60)
    second.pause()
    polls: list[State] = []

    def watch(statuses: Sequence[Status]) -> None:
        polls.append(statuses[0].state)
        if len(polls) == 2:
            first.retry()
            second.resume()

    assert second.wait(timeout=30, watch=watch).state is State.DONE
    assert State.WAITING in polls
    assert first.status().attempt == 2


def test_a_rendered_job_is_rendered_once_more(farm: Farm, pair: dict[str, str]) -> None:
    """Given a done job, if it is paused, I expect nothing; if it is retried, the same picture from a new attempt."""
    job = farm.submit(**pair, **SHALLOW, iterations=2)
    before = job.result(timeout=60).data
    assert not job.pause()
    assert job.retry()
    assert job.result(timeout=60).data == before
    assert job.status().attempt == 2


def test_pretrained_weights_are_taken_from_a_file(farm: Farm, pair: dict[str, str], tmp_path: Path) -> None:
    """Given a file of weights, if a job names it, I expect it rendered with them, and their hash in the spec."""
    digest = write_weights(tmp_path / "w.pth")
    job = farm.submit(**pair, **SHALLOW, iterations=3, weights=str(tmp_path / "w.pth"))
    random = farm.submit(**pair, **SHALLOW, iterations=3)
    assert job.status().spec["weights"] == f"sha256:{digest}"
    assert job.status().spec["features"] == "vgg19"
    assert job.result().data != random.result().data


def test_pretrained_weights_are_found_in_torchvision_s_cache(
    farm: Farm, pair: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given weights where torchvision keeps its downloads, if features are auto, I expect those; a damaged file not."""
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    digest = write_weights(tmp_path / "w.pth")
    monkeypatch.setitem(PRETRAINED_FILES, "vgg19", f"vgg19-{digest[:8]}.pth")
    cached = cache / PRETRAINED_FILES["vgg19"]
    (tmp_path / "w.pth").rename(cached)
    status = farm.submit(**pair, **SHALLOW, iterations=1).wait()
    assert (status.state, status.spec["weights"]) == (State.DONE, f"sha256:{digest}")
    cached.write_bytes(b"damaged")
    with pytest.raises(InvalidRequest, match="delete it"):
        farm.submit(**pair, **SHALLOW)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"features\.0\.weight \(conv1_1\) of shape \(32, 3, 3, 3\), not \(64, 3, 3, 3\)"),
        (b"PK\x03\x04 no archive", "neither a torch state dict nor safetensors"),
        (b"\x80\x02cos\nsystem\n(S'true'\ntR.", "neither a torch state dict nor safetensors"),
    ],
)
def test_wrong_weights_fail_the_job_in_a_sentence(
    farm: Farm, pair: dict[str, str], tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    """Given weights of another network or no weights at all, I expect the job to fail and to say so."""
    path = tmp_path / "w.pth"
    write_weights(path, channels=32)
    if content is not None:
        path.write_bytes(content)
    job = farm.submit(**pair, **SHALLOW, weights=str(path))
    with pytest.raises(JobFailed, match=sentence):
        job.result()
    assert job.status().error_class == "input"


def test_weights_that_are_not_numbers_fail_the_job_in_a_sentence(
    farm: Farm, pair: dict[str, str], tmp_path: Path
) -> None:
    """Given a network in which one weight is not a number, I expect a failure that says which, and nothing rendered."""
    path = tmp_path / "w.pth"
    write_weights(path)
    state = torch.load(path, weights_only=True)
    state["features.2.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, path)
    job = farm.submit(**pair, **SHALLOW, weights=str(path), snapshot_every=1)
    with pytest.raises(JobFailed, match=r"numbers in features\.2\.weight \(conv1_2\) that are not finite"):
        job.result()
    assert (job.status().error_class, len(job.losses()), job.snapshots()) == ("input", 0, [])


def test_nothing_is_stored_of_a_sweep_with_a_wrong_cell(farm: Farm, pair: dict[str, str], tmp_path: Path) -> None:
    """Given a sweep of which one cell cannot be, if it is submitted, I expect nothing stored at all."""
    with pytest.raises(InvalidSpec, match="iterations = 0"):
        farm.sweep(matrix={"iterations": [5, 0]}, base={**pair, **SHALLOW})
    with farm.services.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM sweeps").scalar() == 0
    assert not list(farm.services.blobs.keys("inputs/"))


def test_a_sweep_is_seen_at_a_glance(farm: Farm, pictures: Path) -> None:
    """Given a rendered sweep with a cancelled cell, I expect its sheet and its plot."""
    names = {axis: [pictures / f"{name}.png" for name in pair] for axis, pair in _AXES.items()}
    sweep = farm.sweep(matrix=names, base={**SHALLOW, "iterations": 2}, name="glance")
    sweep.jobs()[3].cancel()
    assert [status.state for status in sweep.wait()] == [State.DONE] * 3 + [State.CANCELLED]
    sheet = sweep_sheet(sweep, cell=64)
    assert sheet.width > 3 * 64
    assert sheet.height > 2 * 48
    assert sweep_losses(sweep).startswith(b"\x89PNG")
    with pytest.raises(InvalidRequest, match="no axis seed"):
        sweep_sheet(sweep, rows="seed")


_AXES = {"content": "ab", "style": "st"}


def test_a_timeout_stops_nothing(farm: Farm, pair: dict[str, str]) -> None:
    """Given a job, if it is waited for too short a time, I expect StillPending, and the job to be done later."""
    job = farm.submit(**pair, **SHALLOW, iterations=5)
    # Before the wait, with which its rendering begins.
    with pytest.raises(StillPending):
        job.fetch()
    with pytest.raises(StillPending):
        job.wait(timeout=0)
    assert job.wait().state is State.DONE


def test_closing_puts_the_job_at_hand_back(pair: dict[str, str]) -> None:
    """Given a farm that is closed while it renders, I expect the job queued again, and the next farm to go on."""

    def stop_once_it_runs(statuses: Sequence[Status]) -> None:
        if statuses[0].state is State.RUNNING:
            raise KeyboardInterrupt

    with Farm() as first:
        job = first.submit(**pair, **SHALLOW, iterations=100_000)
        with pytest.raises(KeyboardInterrupt):
            job.wait(watch=stop_once_it_runs)
    with Farm() as second:
        job = second.find_job(job.id)
        assert (job.status().state, job.status().attempt) == (State.QUEUED, 1)
        with pytest.raises(KeyboardInterrupt):
            job.wait(watch=stop_once_it_runs)
        assert (job.status().state, job.status().attempt) == (State.RUNNING, 2)
        job.cancel()


def test_a_farm_that_nobody_closes_loses_nothing(pair: dict[str, str], tmp_path: Path) -> None:
    """Given a program that ends while its farm renders, if it never closed it, I expect exit 0 and the job queued."""
    program = (
        "from stylefarm import Farm, StillPending\n"
        f"job = Farm().submit(**{pair!r}, **{SHALLOW!r}, iterations=100000)\n"
        "while job.status().state != 'running':\n"
        "    try:\n"
        "        job.wait(timeout=0.2)\n"
        "    except StillPending:\n"
        "        pass\n"
        "print(job.id)\n"
    )
    environment = {**os.environ, "STYLEFARM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=200
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    with Farm() as farm:
        assert farm.find_job(ended.stdout.strip()).status().state is State.QUEUED


def test_a_closed_farm_says_that_it_is_closed(pair: dict[str, str]) -> None:
    """Given a closed farm, if a job of it is waited for, I expect a sentence, not an endless wait."""
    with Farm() as farm:
        job = farm.submit(**pair, **SHALLOW)
    with pytest.raises(InvalidRequest, match="closed"):
        job.wait()


def test_what_is_not_there_is_said(farm: Farm, pair: dict[str, str]) -> None:
    """Given ids that no job and no weights have, I expect NotFound."""
    with pytest.raises(NotFound):
        Job(farm, "00000000-0000-0000-0000-000000000000").wait()
    with pytest.raises(NotFound, match="no weights"):
        farm.submit(**pair, **SHALLOW, weights="sha256:" + "0" * 64)


def test_a_picture_s_metadata_renders_it_again(farm: Farm, pair: dict[str, str], tmp_path: Path) -> None:
    """Given a result, if a job is submitted with the parameters in its metadata, I expect the very same bytes."""
    write_weights(tmp_path / "w.pth")
    first = farm.submit(**pair, **SHALLOW, iterations=3, weights=str(tmp_path / "w.pth")).result().data
    parameters = read_parameters(first) or {}
    names = {name: value for name, value in parameters.items() if name in JobSpec.model_fields}
    again = farm.submit(**names).result().data
    assert image_bytes(again) == image_bytes(first)


def image_bytes(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).tobytes()


def test_two_farms_render_a_job_once(pair: dict[str, str]) -> None:
    """Given two farms with one home, if both wait for the same jobs, I expect each job rendered once."""
    with Farm() as one, Farm() as other:
        sweep = one.sweep(matrix={"seed": [1, 2, 3]}, base={**pair, **SHALLOW, "init": "noise", "iterations": 20})
        elsewhere = threading.Thread(target=other.find_sweep(sweep.id).wait)
        elsewhere.start()
        statuses = sweep.wait()
        elsewhere.join()
    assert [(status.state, status.attempt) for status in statuses] == [(State.DONE, 1)] * 3


def test_what_waits_for_another_program_is_polled_with_pauses(farm: Farm, pair: dict[str, str]) -> None:
    """Given a sweep of one job at a time, which another program renders, if it is waited for, I expect pauses."""
    sweep = farm.sweep(matrix={"iterations": [1, 2]}, base={**pair, **SHALLOW}, max_running=1)
    first, second = sweep.jobs()
    claimed = farm.store.attempts.claim(first.id, "another program")
    assert claimed is not None
    polls: list[State] = []
    with pytest.raises(StillPending):
        second.wait(2, watch=lambda statuses: polls.append(statuses[0].state))
    # Twice at once: before the second poll, nothing is known of the first try.
    assert len(polls) <= 3 + 2 / POLL_SECONDS
    farm.store.attempts.release(Fence(first.id, claimed.attempt), "given up", {})
    assert [status.state for status in sweep.wait(60)] == [State.DONE] * 2


def test_a_closed_farm_takes_no_connection_from_another() -> None:
    """Given two farms of one program, if one is closed while the other is asking, I expect the other to keep its own.

    What was in use would otherwise be given back to nobody, and stay open until it is searched for as garbage.
    """
    with Farm() as one:
        engine = one.services.engine
        with engine.connect() as asking:
            asking.execute(text("SELECT 1"))
            kept = asking.connection.driver_connection
            Farm().close()
        with engine.connect() as again:
            assert again.connection.driver_connection is kept


def test_a_result_is_measured(farm: Farm, pair: dict[str, str], pictures: Path) -> None:
    """Given jobs of more and less style, if they are rendered, I expect metrics that say so; and of a mixture, too."""
    little, much = (farm.submit(**pair, **SHALLOW, iterations=40, style_weight=w).wait() for w in (0.01, 1e4))
    assert little.metrics.keys() == {"gram", "sliced", "self_similarity", "ssim", "clipped", "seconds"}
    assert little.metrics["ssim"] > 0.9 > much.metrics["ssim"]
    assert much.metrics["gram"] < little.metrics["gram"]
    assert much.metrics["sliced"] < little.metrics["sliced"]
    assert little.metrics["seconds"] > 0
    styles = [pair["style"], str(pictures / "t.png")]
    mixed = farm.submit(content=pair["content"], style=styles, **SHALLOW, iterations=1, style_weights=[3, 1]).wait()
    assert mixed.metrics["gram"] > 0


def test_a_result_without_style_or_too_narrow_is_measured_as_far_as_it_goes(farm: Farm, pictures: Path) -> None:
    """Given a job without a style, or of a narrow picture, I expect those metrics alone that there are."""
    content = str(pictures / "a.png")
    alone = farm.submit(content=content, style=[], **SHALLOW, style_weight=0.0, iterations=1).wait()
    assert alone.metrics.keys() == {"self_similarity", "ssim", "clipped", "seconds"}
    Image.open(pictures / "a.png").resize((160, 48)).save(pictures / "narrow.png")
    narrow = farm.submit(content=str(pictures / "narrow.png"), style=content, **SHALLOW, iterations=1).wait()
    assert narrow.metrics.keys() == {"clipped", "seconds"}


def test_a_cancelled_job_stops_before_its_lease_is_renewed(
    pair: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a lease that is renewed once an hour, if a running job is cancelled, I expect it to stop all the same."""
    monkeypatch.setenv("STYLEFARM_LEASE_SECONDS", "86400")
    monkeypatch.setenv("STYLEFARM_HEARTBEAT_SECONDS", "3600")

    def watch(statuses: Sequence[Status]) -> None:
        if statuses[0].state is State.RUNNING:
            job.cancel()

    with Farm() as farm:
        job = farm.submit(**pair, **SHALLOW, iterations=90_000)
        status = job.wait(120, watch=watch)
    assert status.state is State.CANCELLED


def test_a_job_that_diverges_says_so(farm: Farm, pair: dict[str, str]) -> None:
    """Given steps that are far too long, if the job is done, I expect a warning with how far its loss has grown."""
    calm, wild = (
        farm.submit(**pair, **SHALLOW, optimizer="adam", learning_rate=rate, iterations=5).wait()
        for rate in (0.02, 1e3)
    )
    assert calm.warning is None
    assert wild.state is State.DONE
    assert wild.metrics["loss_ratio"] > 100
    assert "times as high as it began: give a smaller learning_rate" in (wild.warning or "")


def test_what_is_printed_is_short(farm: Farm, pair: dict[str, str]) -> None:
    """Given a farm, a picture and counts, if they are printed, I expect a line that says what they are."""
    sweep = farm.sweep(matrix={"tv_weight": np.linspace(1, 2, 2)}, base={**pair, **SHALLOW, "iterations": 1})
    sweep.wait()
    assert repr(farm).startswith("Farm('sqlite:///")
    assert repr(sweep.counts()) == "{'done': 2}"
    assert repr(sweep.jobs()[0].result()) == "Result(suffix='.png')"
