"""What a user thinks of pictures, from Python and the command line: rated, listed, exported, undone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from stylefarm import Farm, InvalidRequest, NotFound, Sweep, export_results
from stylefarm.producer.web.app import create_app
from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.ratings import Rating
from stylefarm.shared.store.access import Role
from tests.made_up import made_up

AXES: dict[str, list[Any]] = {"content": ["cat.png"], "style": ["waves.png"], "style_weight": [1, 10, 100, 1000]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a farm whose user is Ada."""
    return Settings(home=tmp_path / "farm", user="ada")


@pytest.fixture
def farm(settings: Settings) -> Iterator[Farm]:
    """Ada's connection."""
    with Farm(settings) as farm:
        yield farm


@pytest.fixture
def sweep(farm: Farm) -> Sweep:
    """Four cells, all of them done: the first is a pick of 4 stars, the second is rejected, the third has 2 stars."""
    made = made_up(farm, AXES)
    first, second, third, _ = made.jobs()
    assert first.rate(stars=4, flag="pick") == Rating(4, "pick")
    second.rate(flag="reject")
    third.rate(stars=2)
    return made


def ratings(sweep: Sweep) -> list[tuple[int | None, str | None]]:
    """The ratings of all cells."""
    return [(status.stars, status.flag) for status in sweep.statuses()]


def test_a_rating_is_changed_in_part_cleared_and_undone(farm: Farm, sweep: Sweep) -> None:
    """Given ratings, if a part is set or cleared, I expect the rest to stay, and each action undone by one undo."""
    rated = [(4, "pick"), (None, "reject"), (2, None), (None, None)]
    assert ratings(sweep) == rated
    first = sweep.jobs()[0]
    first.rate(stars=None)
    assert (first.status().stars, first.status().flag) == (None, "pick")
    farm.rate(sweep, stars=5)
    assert ratings(sweep) == [(5, "pick"), (5, "reject"), (5, None), (5, None)]
    undone = farm.undo()
    assert undone is not None
    assert undone.ratings[first.id] == Rating(None, "pick")
    farm.undo()
    assert ratings(sweep) == rated
    farm.redo()
    assert ratings(sweep)[0] == (None, "pick")
    with pytest.raises(InvalidRequest, match="no stars and no flag are given"):
        first.rate()
    with pytest.raises(InvalidRequest, match="a rating of 6 stars is out of range: give 0 to 5"):
        first.rate(stars=6)
    first.delete()
    with pytest.raises(NotFound):
        first.rate(stars=1)


def test_jobs_are_found_by_their_ratings(farm: Farm, sweep: Sweep) -> None:
    """Given ratings, I expect picks in the order of cells, and lists by stars, flags, and both."""
    ids = [job.id for job in sweep.jobs()]
    assert [job.id for job in sweep.picks()] == ids[:1]
    wanted = {
        (("stars", 2),): {0, 2},
        (("stars", 3),): {0},
        (("flag", "reject"),): {1},
        (("flag", ("pick", "reject")),): {0, 1},
        (("flag", "none"),): {2, 3},
        (("flag", "none"), ("stars", 0)): {2},
    }
    for given, places in wanted.items():
        found = farm.jobs(**dict(given), limit=None)  # type: ignore[arg-type]
        assert {status.id for status in found} == {ids[place] for place in places}, given
    with pytest.raises(InvalidRequest, match="no flag 'picks': did you mean 'pick'"):
        farm.jobs(flag="picks")
    with pytest.raises(InvalidRequest, match="stars is out of range"):
        farm.jobs(stars=9)


def test_ratings_stand_in_frames_tables_and_documents(farm: Farm, sweep: Sweep, tmp_path: Path) -> None:
    """Given ratings, I expect them in what is waited for, listed by id, in frames, exports and JSON."""
    expected = ratings(sweep)
    assert [(status.stars, status.flag) for status in sweep.wait()] == expected
    assert [(status.stars, status.flag) for status in farm.statuses(sweep.jobs())] == expected
    frame = sweep.frame()
    assert list(frame["flag"])[:2] == ["pick", "reject"]
    assert frame["stars"].dropna().tolist() == [4, 2]
    exported = export_results(sweep, tmp_path / "cats.csv")
    rows = list(csv.DictReader(exported.read_text(encoding="utf-8").splitlines()))
    assert [(row["stars"], row["flag"]) for row in rows] == [("4", "pick"), ("", "reject"), ("2", ""), ("", "")]
    document = sweep.jobs()[0].status().as_json()
    assert (document["stars"], document["flag"]) == (4, "pick")


def test_everybody_has_ratings_of_their_own(farm: Farm, settings: Settings, sweep: Sweep) -> None:
    """Given Ada's ratings, I expect none for Bob, neither in Python nor over HTTP, and Ada's where she asks there."""
    job = sweep.jobs()[0]
    with Farm(settings.model_copy(update={"user": "bob"})) as other:
        assert ratings(other.find_sweep(sweep.id)) == [(None, None)] * 4
        other.find_job(job.id).rate(stars=1)
    assert job.status().stars == 4
    asked = [f"/api/v1/jobs/{job.id}", "/api/v1/jobs:batchGet"]
    with TestClient(create_app(farm, is_open=True), base_url="http://localhost") as client:
        for user, stars in (("ada", 4), ("bob", 1), ("eve", None)):
            headers = {"Authorization": f"Bearer {farm.store.access.create_token(user, Role.READ)[1]}"}
            got = client.get(asked[0], headers=headers).json()
            (listed,) = client.post(asked[1], json={"jobs": [job.id]}, headers=headers).json()["jobs"]
            assert (got["job"]["stars"], listed["job"]["stars"]) == (stars, stars)
        # Who sends no token is the user of this machine.
        assert client.get(asked[0]).json()["job"]["stars"] == 4


def test_polling_reads_no_ratings_and_a_list_reads_them_once(farm: Farm, sweep: Sweep) -> None:
    """Given a sweep, if it is polled, I expect no question about ratings; if it is listed, one."""
    asked: list[str] = []
    jobs = sweep.jobs()

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "ratings" in statement:
            asked.append(statement)

    event.listen(farm.services.engine, "before_cursor_execute", note)
    farm.waiting(jobs, timeout=None).poll_once()
    assert asked == []
    sweep.statuses()
    assert len(asked) == 1
    farm.jobs(limit=None)
    assert len(asked) == 2
