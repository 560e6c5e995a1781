"""Jobs as futures, and sweeps as something to look into: in the manner of concurrent.futures, pandas and notebooks."""

from __future__ import annotations

import base64
import csv
import json
import pickle
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from examples.embedded import embedded_settings
from stylefarm import (
    Farm,
    InvalidRequest,
    JobFailed,
    JobSpec,
    NotFound,
    State,
    StillPending,
    Sweep,
    as_completed,
    export_results,
    frame,
)
from stylefarm.producer.views.metrics import MEASURES
from stylefarm.producer.views.rows import AFTER, BEFORE, PROGRESS
from stylefarm.shared.db.records import JobSelector, NewJob
from stylefarm.shared.spec.spec import load_spec
from tests.made_up import made_up

AXES: Mapping[str, Any] = {"content": ["cat.png", "dog.png"], "style_weight": [1.0, 10.0, 100.0]}
OUTCOMES = {1.0: State.DONE, 10.0: State.FAILED, 100.0: State.CANCELLED}
SMALL = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1"], "size": 32, "style_loss": "gram", "iterations": 2}


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        yield farm


@pytest.fixture
def ended(farm: Farm) -> Sweep:
    """A done, a failed and a cancelled job for each of two contents."""
    return made_up(farm, AXES, outcome=lambda cell: OUTCOMES[cell["style_weight"]])


def test_jobs_come_as_they_end(farm: Farm, pictures: Path) -> None:
    """Given three jobs, the last of them urgent and one named twice, I expect each once, the urgent one first."""
    pair = {"content": str(pictures / "a.png"), "style": str(pictures / "s.png")}
    jobs = [farm.submit(**pair, **SMALL, init="noise", seed=seed, priority=9 if seed == 2 else 5) for seed in range(3)]
    came = [job.id for job in as_completed([*jobs, jobs[0]], timeout=120)]
    assert came[0] == jobs[2].id
    assert sorted(came) == sorted(job.id for job in jobs)
    assert all(job.done() for job in jobs)
    assert list(as_completed([])) == []


def test_a_wait_may_end_with_the_first(farm: Farm) -> None:
    """Given jobs of which some have ended, I expect a wait for the first, or the first failure, to return at once.

    And one for all to end with StillPending.
    """
    outcomes = {1.0: State.DONE, 10.0: State.PAUSED, 100.0: State.PAUSED}
    sweep = made_up(farm, AXES, outcome=lambda cell: outcomes[cell["style_weight"]])
    now = sweep.wait(timeout=60, return_when=FIRST_COMPLETED)
    assert [status.state for status in now] == [State.DONE, State.PAUSED, State.PAUSED] * 2
    for waited in (lambda: sweep.wait(0.1, return_when=FIRST_EXCEPTION), lambda: list(sweep.as_completed(0.1))):
        with pytest.raises(StillPending, match="4 of 6 jobs have not ended"):
            waited()
    sweep.jobs()[1].cancel()
    now = sweep.wait(timeout=60, return_when=FIRST_EXCEPTION)
    assert now[1].state is State.CANCELLED
    with pytest.raises(InvalidRequest, match="ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION"):
        sweep.wait(return_when="LAST")


def test_a_job_tells_how_it_ended(ended: Sweep) -> None:
    """Given a done, a failed and a cancelled job, I expect each to answer as a future does, and its own error."""
    done, failed, cancelled = ended.jobs()[:3]
    assert [job.done() for job in (done, failed, cancelled)] == [True] * 3
    assert [job.cancelled() for job in (done, failed, cancelled)] == [False, False, True]
    assert done.exception() is None
    with pytest.raises(JobFailed) as raised:
        failed.result()
    error = failed.exception()
    assert error is not None
    for copy in (error, raised.value, pickle.loads(pickle.dumps(error))):
        assert (copy.job_id, copy.error_class) == (failed.id, "input")
        assert copy.error is not None
        assert copy.error.startswith("a.png cannot be decoded")
        assert copy.error in str(copy)
    stopped = cancelled.exception()
    assert stopped is not None
    assert (stopped.job_id, stopped.error) == (cancelled.id, None)


def test_one_state_or_value_need_not_be_in_a_list(ended: Sweep) -> None:
    """Given a state or a value alone, I expect what a list of it finds; of a state that there is not, a sentence."""
    farm = ended.farm
    assert [one.id for one in farm.jobs(states="failed")] == [one.id for one in farm.jobs(states=[State.FAILED])] != []
    assert farm.jobs(where={"style_weight": 10}) == farm.jobs(where={"style_weight": [10]}) != []
    assert farm.jobs(where={"content": "cat.png"}) == farm.jobs(where={"content": ["cat.png"]}) != []
    with pytest.raises(InvalidRequest, match="no state 'quued': did you mean 'queued'"):
        farm.jobs(states=["quued"])


def test_a_picture_is_not_saved_as_what_it_is_not(ended: Sweep, tmp_path: Path) -> None:
    """Given a PNG, if it is saved under the name of a JPEG, I expect a sentence and no file; other names are mine."""
    result = ended.jobs()[0].result()
    with pytest.raises(InvalidRequest, match=r"best.JPG is named as jpeg, but the picture is png: end it in .png"):
        result.save(tmp_path / "best.JPG")
    assert list(tmp_path.glob("best*")) == []
    for name in ("best.PNG", "best", "best.of.three"):
        assert result.save(tmp_path / name).read_bytes() == result.data


def test_a_running_job_is_not_done(farm: Farm) -> None:
    """Given a running job, I expect it to say so, and no end of it in the time given."""
    (job,) = made_up(farm, {"content": ["cat.png"]}, outcome=lambda _: State.RUNNING)
    assert (job.running(), job.done(), job.cancelled()) == (True, False, False)
    with pytest.raises(StillPending):
        job.exception(timeout=0.1)


def test_a_sweep_is_a_collection_of_jobs(ended: Sweep) -> None:
    """Given a sweep, I expect its length, its jobs in order, their statuses by ids, and results up to a failure."""
    assert len(ended) == 6
    ids = [job.id for job in ended]
    assert ids == [status.id for status in ended.statuses()]
    assert [status.id for status in ended.statuses(limit=4)] == ids[:4]
    backwards = list(reversed(ids))
    assert [status.id for status in ended.farm.statuses(backwards)] == backwards
    with pytest.raises(NotFound, match="there is no job 0000"):
        ended.farm.statuses([ids[0], "0000"])
    results = ended.results()
    assert next(results).data == ended.jobs()[0].result().data
    with pytest.raises(JobFailed, match="cannot be decoded"):
        next(results)


def test_changes_since_a_cursor(farm: Farm) -> None:
    """Given a sweep, if a job is cancelled after a cursor, I expect it among the changes since, and a later cursor."""
    sweep = made_up(farm, AXES, outcome=lambda _: State.QUEUED)
    first = sweep.changes()
    assert [change.position for change in sorted(first.jobs, key=lambda change: change.position)] == list(range(6))
    farm.services.store.commands.cancel(JobSelector(job=sweep.jobs()[4].id))
    later = sweep.changes(first.cursor)
    assert {change.position: change.state for change in later.jobs}[4] is State.CANCELLED
    assert later.cursor >= first.cursor


def test_the_best_job(farm: Farm, ended: Sweep) -> None:
    """Given numbers of done jobs, I expect the lowest, of ssim the highest, and a sentence where there is none."""
    done = [job for job in ended if job.exception() is None]
    assert ended.best("seconds").id == done[0].id
    assert ended.best("ssim").id == done[-1].id
    assert ended.best().id == done[0].id  # of equals the first
    with pytest.raises(InvalidRequest, match="unknown metric 'sim': did you mean 'ssim'"):
        ended.best("sim")
    queued = made_up(farm, {"content": ["hen.png"]}, outcome=lambda _: State.QUEUED)
    with pytest.raises(StillPending, match="is done yet: wait for it first"):
        queued.best()
    queued.cancel()
    with pytest.raises(JobFailed, match="there is no best one"):
        queued.best()


def test_losses_are_arrays(ended: Sweep) -> None:
    """Given the curve of a done job, I expect arrays of one length, equal to the same curve alone."""
    first, failed, *_, other = (job for job in ended if not job.cancelled())
    losses = first.losses()
    assert [str(term.dtype) for term in (losses.iteration, losses.total)] == ["int64", "float64"]
    assert losses.iteration.tolist() == list(range(11))
    assert losses.total[-1] == first.status().loss
    np.testing.assert_allclose(losses.style - losses.content, 1.0)
    assert (losses == first.losses(), losses == failed.losses(), losses == 1) == (True, False, False)
    assert (len(losses), len(failed.losses()), len(other.losses())) == (11, 0, 0)


def test_snapshots_are_pictures(farm: Farm) -> None:
    """Given a job with snapshots, I expect each with its iteration and its picture."""
    (job,) = made_up(farm, {"content": ["cat.png"]}, snapshots=2)
    assert [(snapshot.iteration, snapshot.image.size) for snapshot in job.snapshots()] == [
        (5, (48, 36)),
        (10, (48, 36)),
    ]


def test_a_sweep_as_a_frame(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given cells with plain values and lists, I expect a row for each that can be grouped by them."""
    axes: Mapping[str, Any] = {"style": ["a.png", ["a.png", "b.png"]], "style_weight": [1.0, 10.0]}
    sweep = made_up(farm, axes, outcome=lambda cell: State.DONE if cell["style_weight"] == 1 else State.FAILED)
    found = sweep.frame()
    assert found["id"].tolist() == [job.id for job in sweep]
    assert found["style"].tolist() == ["a.png", "a.png", ("a.png", "b.png"), ("a.png", "b.png")]
    assert found["state"].tolist() == ["done", "failed"] * 2
    assert found["seconds"].dropna().tolist() == [0.0, 2.0]
    means = found.groupby("style", sort=False)["style_weight"].mean()
    assert means.tolist() == [5.5, 5.5]
    assert not {*JobSpec.model_fields} & {*BEFORE, *PROGRESS, *AFTER, *MEASURES}
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InvalidRequest, match="needs pandas, which is not installed"):
        sweep.frame()


def test_any_jobs_as_a_frame(farm: Farm, tmp_path: Path) -> None:
    """Given jobs of two sweeps and one by itself, I expect a row for each, with the axes of both, and all by one name.

    The columns are fields of jobs in JSON, or stand there in `cell`, `spec` or `metrics`, and are those of a CSV file.
    """
    first = made_up(farm, {"content": ["cat.png", "dog.png"], "style_weight": [1.0]})
    second = made_up(farm, {"seed": [1, 2]}, outcome=lambda cell: State.DONE if cell["seed"] == 1 else State.QUEUED)
    found = frame([*first, *second])
    assert found["content"].tolist() == ["cat.png", "dog.png", "content.png", "content.png"]
    assert found["style_weight"].tolist()[:2] == [1.0, 1.0]
    assert found["seed"].tolist() == [0, 0, 1, 2]
    assert found["state"].tolist() == ["done"] * 3 + ["queued"]
    assert farm.frame([*farm.jobs(sweep=first), *(job.id for job in second)]).equals(found)
    rendered = first.jobs()[0].status()
    again = NewJob(load_spec(rendered.spec).model_copy(update={"tv_weight": 0.5}), "cat.png", "style.png")
    alone = farm.find_job(farm.store.submissions.create([again])[0])
    assert farm.frame([first.jobs()[0], alone])["tv_weight"].tolist() == [rendered.spec["tv_weight"], 0.5]
    document: dict[str, Any] = json.loads(json.dumps(rendered.as_json()))
    known = {*document, *document["cell"], *document["spec"], *document["metrics"]}
    assert set(found.columns) <= known
    with export_results(first, tmp_path / "first.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file)) == list(first.frame().columns)
    assert list(farm.frame([]).columns) == [*BEFORE, "content", "style", *PROGRESS, *AFTER]
    with pytest.raises(InvalidRequest, match="a frame has the columns of its jobs, and there are none"):
        frame([])


def test_notebooks_show_pictures(farm: Farm) -> None:
    """Given large pictures, I expect a notebook to have small ones: of results, of jobs on the way, none before."""
    states = {"cat.png": State.DONE, "dog.png": State.RUNNING, "hen.png": State.QUEUED}
    sweep = made_up(
        farm, {"content": list(states)}, outcome=lambda cell: states[cell["content"]], snapshots=1, size=(800, 600)
    )
    done, running, queued = sweep.jobs()
    for shown in (done.result()._repr_png_(), done._repr_png_(), running._repr_png_()):
        assert shown is not None
        with Image.open(BytesIO(shown)) as image:
            assert (image.format, image.size) == ("PNG", (512, 384))
    assert queued._repr_png_() is None


def test_notebooks_show_sweeps(farm: Farm) -> None:
    """Given 102 cells and a wicked name, I expect 100 of them, pictures as data, and no markup of the name's own."""
    states = {"cat.png": State.DONE, "<i>.png": State.FAILED}
    axes: Mapping[str, Any] = {"content": list(states), "seed": list(range(51))}
    sweep = made_up(farm, axes, outcome=lambda cell: states[cell["content"]], name="<script>x</script>", variants=1)
    text = sweep._repr_html_()
    assert text.count("<figure") == 100
    assert "The first 100 of 102" in text
    assert "51 done, 51 failed" in text
    assert not re.findall(r"<script|<i>|(?:src|href)=\"(?!data:)", text)
    pictures = re.findall(r'src="data:image/webp;base64,([^"]+)"', text)
    assert len(pictures) == 51
    with Image.open(BytesIO(base64.b64decode(pictures[0]))) as image:
        assert image.format == "WEBP"
        assert max(image.size) <= 128
    assert text.count(">failed</div>") == 49
