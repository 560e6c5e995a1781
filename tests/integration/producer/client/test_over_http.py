"""A farm is the same farm by its own database and over HTTP: what a program asks, and what it is told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stylefarm import (
    AsyncFarm,
    Farm,
    FarmError,
    InvalidImage,
    InvalidRequest,
    InvalidSpec,
    JobFailed,
    NotFound,
    State,
    StillPending,
    download_sweep,
    read_grid,
    sweep_losses,
    sweep_sheet,
)
from stylefarm.producer.backends.remote.connection import FarmConnection
from stylefarm.producer.grids import parse_grid
from stylefarm.shared.errors import InvalidSettings, ServiceUnavailable
from stylefarm.shared.store.access import Role
from tests.integration.producer.client.asked import SEEDS, SHALLOW, Asked

over_http = pytest.mark.parametrize("asked", ["http"], indirect=True)


def test_a_job_is_submitted_waited_for_and_looked_at(asked: Asked) -> None:
    """Given a picture, if it is submitted, I expect a watcher to see it move, and the very bytes that the farm has."""
    seen: list[State] = []
    pair = asked.pair(snapshot_every=2, format="webp", tags=["cats"], note="mine", priority=7)
    job = asked.farm.submit(**pair)
    assert job.created
    status = job.wait(timeout=120, watch=lambda statuses: seen.append(statuses[0].state))
    assert (status.state, status.content, status.style) == (State.DONE, "a.png", "s.png")
    assert (status.priority, status.tags, status.note) == (7, ["cats"], "mine")
    assert seen[-1] is State.DONE
    assert asked.own.find_job(job.id).status() == job.status() == status
    assert job.result().data == asked.own.find_job(job.id).result().data
    assert job.result().suffix == ".webp"
    assert [shot.stored for shot in job.snapshots()] == [shot.stored for shot in asked.own.find_job(job.id).snapshots()]
    assert job.snapshots()[0].image.size == (32, 24)
    curve, expected = job.losses(), asked.own.find_job(job.id).losses()
    assert (curve.iteration.tolist(), list(curve.terms)) == (expected.iteration.tolist(), list(expected.terms))
    assert curve.total.tolist() == expected.total.tolist()
    there, own = (farm.backend.history(job.id) for farm in (asked.farm, asked.own))
    assert there == own
    # What --json prints is the same to the byte.
    assert json.dumps(there.events) == json.dumps(own.events)
    again = asked.farm.submit(**{**pair, "priority": 2})
    assert (again.id, again.created) == (job.id, False)
    once_more = asked.farm.submit(**pair, force=True, after=[job])
    assert once_more.created
    assert once_more.result(timeout=120).data == job.result().data


@over_http
def test_a_picture_is_sent_once(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given pictures that the farm has, if they are submitted again, under another name too, I expect no bytes sent."""
    sent: list[int] = []
    upload = FarmConnection.upload

    def counted(self: FarmConnection, path: str, data: bytes, **query: str) -> Any:
        sent.append(len(data))
        return upload(self, path, data, **query)

    monkeypatch.setattr(FarmConnection, "upload", counted)
    (asked.pictures / "new.png").write_bytes((asked.pictures / "b.png").read_bytes() + b"\0")
    (asked.pictures / "copy.png").write_bytes((asked.pictures / "new.png").read_bytes())
    fields = asked.pair(content=str(asked.pictures / "new.png"))
    job = asked.farm.submit(**fields)
    first = len(sent)
    assert first >= 1
    other = asked.farm.submit(**{**fields, "content": str(asked.pictures / "copy.png")}, force=True)
    assert len(sent) == first
    assert (job.status().content, other.status().content) == ("new.png", "copy.png")
    asked.farm.delete([item for item in (job, other) if item.wait(timeout=120).state.final])


def test_a_sweep_is_submitted_waited_for_and_looked_at(asked: Asked, tmp_path: Path) -> None:
    """Given a sweep file with a folder, a zip and an include, I expect its cells, rendered, in all views."""
    seed = next(SEEDS)
    (asked.pictures / "styles").mkdir(exist_ok=True)
    for name in ("s.png", "t.png"):
        (asked.pictures / "styles" / name).write_bytes((asked.pictures / name).read_bytes())
    file = asked.pictures / "cats.yaml"
    fields = {**SHALLOW, "init": "noise", "content": "a.png"}
    del fields["size"]
    base = "\n".join(f"  {name}: {value}" for name, value in fields.items())
    file.write_text(
        f"name: cats\nbase:\n{base}\nmatrix:\n  style: styles/\nzip:\n  seed: [{seed}, {next(SEEDS)}]\n"
        f"  size: [24, 32]\ninclude:\n  seed: {seed}\n  tv_weight: 2\npriority: 6\n"
    )
    sweep = asked.farm.sweep(file, tags=["print"], note="four", max_running=2)
    assert (sweep.name, list(sweep.axes), sweep.tags, sweep.note) == (
        "cats",
        ["style", "seed", "size"],
        ("print",),
        "four",
    )
    assert (len(sweep), len(sweep.created), sweep.skipped) == (4, 4, 0)
    statuses = sweep.wait(timeout=240)
    assert [status.state for status in statuses] == [State.DONE] * 4
    assert [(status.style, status.cell["size"]) for status in statuses] == [
        ("s.png", 24),
        ("s.png", 32),
        ("t.png", 24),
        ("t.png", 32),
    ]
    assert [status.cell.get("tv_weight") for status in statuses] == [2, None, 2, None]
    assert {status.priority for status in statuses} == {6}
    own = asked.own.find_sweep(sweep.id)
    assert (sweep.counts(), sweep.failures()) == (own.counts(), [])
    assert sweep.statuses() == own.statuses()
    assert sweep.statuses(limit=2) == own.statuses()[:2]
    assert sweep.changes().jobs == own.changes().jobs
    # One cursor for both: it lies some seconds back, and of two one may lie before the end of a job, one after it.
    cursor = sweep.changes().cursor
    assert sweep.changes(cursor).jobs == own.changes(cursor).jobs
    assert sweep.best("loss").id == own.best("loss").id
    assert sweep.pace() > 0
    assert [result.data for result in sweep.results()] == [result.data for result in own.results()]
    assert list(sweep.frame()["ssim"]) == list(own.frame()["ssim"])
    assert sorted(job.id for job in sweep.as_completed()) == sorted(status.id for status in statuses)
    done = download_sweep(sweep, tmp_path / "out", where={"style": ["s.png"]})
    assert [one.path.name[:7] for one in done.written] == ["s_seed-"] * 2
    assert len(download_sweep(sweep, tmp_path / "out").kept) == 2
    assert sweep_sheet(sweep, rows="style", columns="size", cell=32).width > 64
    assert sweep_losses(sweep).startswith(b"\x89PNG")
    again = asked.farm.sweep(read_grid(file))
    assert (again.id, again.created) == (sweep.id, frozenset())
    anew = asked.farm.sweep(read_grid(file), force=True)
    assert (anew.id != sweep.id, len(anew.created)) == (True, 4)
    anew.cancel()


def test_cells_with_bad_pictures_are_left_out(asked: Asked) -> None:
    """Given a picture that is none, I expect a sweep refused with a sentence on it, or its cells left out."""
    (asked.pictures / "bad.png").write_bytes(b"no picture")
    names = [str(asked.pictures / name) for name in ("b.png", "bad.png", "gone.png")]
    matrix = {"content": names, "size": [24, 32]}
    base = {name: value for name, value in asked.pair().items() if name not in {"content", "size"}}
    with pytest.raises(InvalidImage, match=r"2 pictures cannot be used: .*bad\.png.*gone\.png.*skip_bad=True") as found:
        asked.farm.sweep(matrix=matrix, base=base)
    assert "--skip-bad" in found.value.on_command_line
    sweep = asked.farm.sweep(matrix=matrix, base=base, skip_bad=True)
    assert (len(sweep), sweep.skipped, len(sweep.problems)) == (2, 4, 2)
    assert [len(values) for values in sweep.axes.values()] == [3, 2]
    sweep.cancel()
    with pytest.raises(InvalidImage, match="no cell is left"):
        asked.farm.sweep(matrix={"content": names[1:]}, base={**base, "size": 24}, skip_bad=True)


def test_values_are_drawn_alike(asked: Asked) -> None:
    """Given spans to draw from, I expect the cells that the seed of the drawing means, also over HTTP."""
    base = {name: value for name, value in asked.pair().items() if name not in {"seed", "content"}}
    matrix = {
        "seed": {"uniform": [1, 10**6]},
        "tv_weight": {"loguniform": [0.1, 10]},
        "content": asked.pair()["content"],
    }
    parts: dict[str, Any] = {"matrix": matrix, "base": base, "sample": {"count": 3, "seed": 1}}
    sweep = asked.farm.sweep(**parts)
    drawn = [(cell["seed"], cell["tv_weight"]) for cell in parse_grid(parts).values()]
    assert [(status.cell["seed"], status.cell["tv_weight"]) for status in sweep.statuses()] == drawn
    sweep.cancel()


def test_commands_change_what_they_name(asked: Asked) -> None:
    """Given paused, failed and done jobs, I expect each command to say how many it has changed, and no more."""
    sweep = asked.made_up([State.PAUSED, State.PAUSED, State.FAILED, State.FAILED, State.DONE])
    first, second, failed, _, done = sweep.jobs()
    assert (first.reprioritize(9), first.status().priority) == (True, 9)
    assert (done.reprioritize(9), done.cancel(), done.pause(), done.resume()) == (False, False, False, False)
    assert sweep.reprioritize(3) == 2
    assert (first.cancel(), first.cancel(), first.cancelled()) == (True, False, True)
    with pytest.raises(JobFailed, match="cancelled: at the request of its user"):
        first.result()
    assert isinstance(failed.exception(), JobFailed)
    assert [status.id for status in sweep.failures(limit=1)] == [sweep.jobs()[3].id]
    assert (sweep.pause(), second.retry()) == (0, False)
    assert sweep.cancel() == 1
    assert second.done()
    assert sweep.retry(failed=True, from_checkpoint=True) == 2
    sweep.cancel()
    assert sweep.resume() == 0
    assert first.retry(from_checkpoint=True)
    first.cancel()
    with pytest.raises(InvalidSpec, match="priority"):
        first.reprioritize(10)


def test_jobs_are_found_by_what_is_known_of_them(asked: Asked) -> None:
    """Given tagged, rated and failed jobs, I expect each filter of lists to find those that it names, in order."""
    sweep = asked.made_up([State.DONE, State.FAILED, State.DONE, State.PAUSED], name=f"found {next(SEEDS)}")
    jobs, farm = sweep.jobs(), asked.farm
    before = sweep.statuses()[0].created_at
    assert jobs[0].tag("best", "maybe") == ("best", "maybe")
    assert jobs[0].tag(remove=["maybe"], note="look") == ("best",)
    assert sweep.tag("of-all", note="") == ("of-all",)
    assert jobs[2].rate(stars=4).stars == 4
    farm.rate([jobs[0], jobs[2]], flag="pick")
    asked_for: list[tuple[dict[str, Any], list[int]]] = [
        ({"tags": "of-all"}, [0, 1, 2, 3]),
        ({"tags": ["best", "of-all"]}, [0]),
        ({"states": "failed"}, [1]),
        ({"states": [State.DONE, "paused"]}, [0, 2, 3]),
        ({"where": {"seed": [sweep.axes["seed"][2]]}}, [2]),
        ({"where": {"content": "a", "style": "s.png", "seed": str(sweep.axes["seed"][1])}}, [1]),
        ({"where": {"content_layers": [["relu9_9"]]}}, []),
        ({"stars": 4}, [2]),
        ({"flag": "pick"}, [0, 2]),
        ({"flag": ["none"]}, [1, 3]),
        ({"since": before, "until": before}, [0, 1, 2, 3]),
        ({"limit": 2}, [0, 1]),
    ]
    for filters, places in asked_for:
        found = farm.jobs(**{"sweep": sweep, "limit": None, **filters})
        assert [status.id for status in found] == [jobs[place].id for place in places], filters
    assert [status.id for status in farm.jobs(limit=4)] == [job.id for job in jobs]
    assert [(status.stars, status.flag) for status in sweep.statuses()][2] == (4, "pick")
    assert [job.id for job in sweep.picks()] == [jobs[0].id, jobs[2].id]
    everything = farm.jobs(limit=None)
    assert everything == asked.own.jobs(limit=None)
    assert farm.statuses([jobs[1], jobs[0].id, jobs[1]]) == [everything[1], everything[0], everything[1]]
    assert [one.id for one in farm.sweeps(limit=1, tags="of-all")] == [sweep.id]
    assert farm.find_sweep(sweep.name).id == farm.find_sweep("@last").id == farm.find(sweep.id[:8]).id == sweep.id
    assert farm.find_job("@last~1").id == farm.find_job(jobs[1].id[:8]).id == jobs[1].id
    assert list(farm.frame(jobs)["seed"]) == list(sweep.axes["seed"])
    undone, redone = farm.undo(), farm.redo()
    assert undone is not None
    assert redone is not None
    assert {job: rating.flag for job, rating in undone.ratings.items()} == {jobs[0].id: None, jobs[2].id: None}
    assert redone.kind == "rating"


def test_what_is_deleted_is_gone(asked: Asked) -> None:
    """Given a sweep and a job, if they are deleted, I expect the count of what went, and no trace."""
    sweep = asked.made_up([State.DONE, State.FAILED, State.CANCELLED], snapshots=1)
    first, second, _ = sweep.jobs()
    first.delete()
    with pytest.raises(NotFound, match=f"there is no job {first.id}"):
        first.status()
    with pytest.raises(NotFound):
        asked.farm.delete([second, first])
    assert second.status().state is State.FAILED, "all or none"
    deleted = asked.farm.delete([sweep])
    assert (deleted.sweeps, deleted.jobs) == (1, 2)
    with pytest.raises(NotFound):
        asked.farm.find_sweep(sweep.id)


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        (lambda asked: asked.farm.find_job("deadbeef"), NotFound, "there is no job deadbeef"),
        (lambda asked: asked.farm.find_sweep("nobody's"), NotFound, "no sweep is called"),
        (lambda asked: asked.farm.find("nothing"), NotFound, "no job and no sweep is called 'nothing'"),
        (lambda asked: asked.farm.statuses(["0" * 36]), NotFound, "there is no job 0000"),
        (lambda asked: asked.farm.submit(**asked.pair(content="gone.jpg")), InvalidImage, "gone.jpg"),
        (lambda asked: asked.farm.submit(**asked.pair(sizee=3)), InvalidSpec, "did you mean 'size'"),
        (lambda asked: asked.farm.submit(**asked.pair(weights="nowhere")), FarmError, "nowhere"),
        (lambda asked: asked.farm.submit(**asked.pair(content="sha256:" + "0" * 64)), NotFound, "0000"),
        (lambda asked: asked.farm.jobs(where={"sizee": 3}), InvalidRequest, "no parameter 'sizee'"),
        (lambda asked: asked.farm.jobs(states="lost"), InvalidRequest, "no state 'lost'"),
    ],
)
def test_what_is_wrong_is_told_alike(
    asked: Asked, act: Callable[[Asked], object], error: type[Exception], sentence: str
) -> None:
    """Given a wrong request, I expect the same error, and the same sentence, by the database and over HTTP."""
    with pytest.raises(error, match=sentence):
        act(asked)


def test_what_has_not_ended_is_waited_for_in_vain(asked: Asked) -> None:
    """Given a paused job, if it is waited for or fetched, I expect StillPending; a failed one tells its error."""
    sweep = asked.made_up([State.PAUSED, State.FAILED])
    paused, failed = sweep.jobs()
    with pytest.raises(StillPending, match="1 of 1 jobs have not ended in the time given"):
        paused.wait(timeout=0.3)
    with pytest.raises(StillPending, match="is paused: wait for it first"):
        paused.fetch()
    with pytest.raises(JobFailed, match=r"a\.png cannot be decoded") as found:
        failed.result()
    assert (found.value.job_id, found.value.error_class) == (failed.id, "input")
    with pytest.raises(StillPending, match="no job of sweep"):
        sweep.best()
    assert paused.newest() is None


@over_http
def test_a_program_on_asyncio_asks_over_http_too(asked: Asked) -> None:
    """Given an AsyncFarm with an address and a token, if a job is awaited, I expect its picture."""

    async def render() -> bytes:
        token = asked.farm.settings.token
        assert token is not None
        async with AsyncFarm(asked.farm.settings.url, token=token.get_secret_value()) as farm:
            job = await farm.submit(**asked.pair())
            result = await job.result(timeout=120)
            data: bytes = result.data
            return data

    assert asyncio.run(render()).startswith(b"\x89PNG")


@over_http
@pytest.mark.parametrize(
    "act",
    [
        lambda asked: asked.farm.services,
        lambda asked: asked.farm.train(method="ulyanov", name="waves", style="waves.jpg"),
        lambda asked: asked.farm.prune(older_than=timedelta(days=1)),
        lambda asked: asked.made_up([State.DONE]).call("https://example.org/x"),
    ],
)
def test_what_needs_the_farm_s_own_database_says_so(asked: Asked, act: Callable[[Asked], object]) -> None:
    """Given what is done only where the farm is, I expect one sentence that says so, and where to run it."""
    with pytest.raises(InvalidRequest, match=r"own database, and http://.* is asked over HTTP: run it where"):
        act(asked)


@over_http
def test_files_of_weights_stay_where_they_are(asked: Asked) -> None:
    """Given a file of weights of this machine, I expect it refused with a sentence, and nothing sent."""
    weights = asked.pictures / "vgg.pth"
    weights.write_bytes(b"PK")
    with pytest.raises(InvalidRequest, match=r"vgg\.pth' is a file of this machine.*stylefarm weights import"):
        asked.farm.submit(**asked.pair(weights=str(weights)))


@over_http
def test_who_may_not_is_told_what_is_needed(asked: Asked) -> None:
    """Given no token that the farm knows, or one that only reads, I expect a sentence on that, and no secret."""
    url = asked.farm.settings.url
    assert url is not None
    _, reader = asked.own.store.access.create_token("ann", Role.READ)
    sweep = asked.made_up([State.DONE])
    with Farm(url, token=reader) as farm:
        assert farm.find_sweep(sweep.id).statuses()[0].state is State.DONE
        with pytest.raises(
            InvalidSettings, match="needs the role submit, and the token of ann has read: set STYLEFARM_TOKEN"
        ):
            farm.submit(**asked.pair())
        assert reader not in f"{farm!r} {farm.settings!r} {farm.settings.model_dump_json()}"
    with Farm(url, token="secret-of-nobody") as farm:
        with pytest.raises(InvalidSettings, match="does not know this token, or it was revoked") as found:
            farm.jobs()
        assert "secret-of-nobody" not in str(found.value)


@over_http
def test_an_address_where_no_farm_is(asked: Asked) -> None:
    """Given an address of nothing, I expect ServiceUnavailable soon; of something else, a sentence."""
    began = time.monotonic()
    with Farm("http://127.0.0.1:9") as farm, pytest.raises(ServiceUnavailable, match="does not answer"):
        farm.jobs()
    assert time.monotonic() - began < 30
    with Farm(f"{asked.farm.settings.url}/docs") as farm, pytest.raises(InvalidSettings):
        farm.jobs()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://farm.example.org", "in the clear"),
        ("ftp://farm.example.org", "no address of a farm"),
        ("https://ann:secret@farm.example.org", "no address of a farm"),
        ("https://", "no address of a farm"),
        ("farm.example.org", "no address of a farm"),
    ],
)
def test_an_address_that_is_none(url: str, sentence: str) -> None:
    """Given what is no address, or one to which a token would go in the clear, I expect it refused, and not shown."""
    with pytest.raises(InvalidSettings, match=sentence) as found:
        Farm(url, token="t0ken")
    assert "secret" not in str(found.value)
