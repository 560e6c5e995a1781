"""Lists of jobs and sweeps over HTTP: filtered, page by page, and many jobs by their ids."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from stylefarm import Farm, State, Sweep
from tests.made_up import made_up


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"where": "style_weight=10"}, [1, 4]),
        ({"where": ["style_weight=10", "style_weight=[1]", 'content="dog"']}, [4]),
        ({"state": ["done", "failed"], "where": "content=dog.png"}, [4]),
        ({"flag": "pick"}, [0]),
        ({"flag": "none", "stars": 3}, [2]),
        ({"tag": "best"}, [1]),
        ({"until": "2020-01-01T00:00:00Z"}, []),
        ({"since": "2020-01-01T00:00:00+02:00"}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_lists_are_filtered(client: TestClient, sweep: Sweep, query: dict[str, Any], places: list[int]) -> None:
    """Given rated and tagged jobs, I expect each filter to leave those that it names, page by page, in their order."""
    jobs = [status.id for status in sweep.statuses()]
    ratings = [{"job": jobs[0], "flag": "pick"}, {"job": jobs[2], "stars": 3}]
    assert client.post("/api/v1/ratings", json={"ratings": ratings}).status_code == 200
    assert client.patch(f"/api/v1/jobs/{jobs[1]}/marks", json={"add": ["best"]}).json()["tags"] == ["best"]
    for more in ({}, {"sweep": sweep.id}):
        seen, cursor = [], None
        while True:
            page = client.get(
                "/api/v1/jobs", params={"limit": 1, **query, **more, **({"cursor": cursor} if cursor else {})}
            )
            seen += [entry["job"]["id"] for entry in page.json()["jobs"]]
            cursor = page.json()["next"]
            if cursor is None:
                break
        assert seen == [jobs[place] for place in places]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"where": "style_weight"}, "is no filter"),
        ({"where": "style_wait=1"}, "did you mean"),
        ({"since": "yesterday"}, "is no moment"),
        ({"tag": "Größe!"}, "no tag can be called"),
        ({"cursor": "WyJ4Il0"}, "is no cursor"),
    ],
)
def test_a_filter_that_is_none_is_told(client: TestClient, query: dict[str, str], said: str) -> None:
    """Given a filter that is none, I expect 422 and a sentence."""
    answered = client.get("/api/v1/jobs", params=query)
    assert answered.status_code == 422
    assert said in answered.json()["detail"]


def test_lists_go_on_where_they_ended(client: TestClient, farm: Farm) -> None:
    """Given twelve jobs, if they are listed by fives, I expect each once, although another one comes in between."""
    sweep = made_up(farm, {"content": ["a.png"], "style": ["s.png"], "style_weight": list(range(12))})
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = client.get("/api/v1/jobs", params={"limit": 5, **({"cursor": cursor} if cursor else {})}).json()
        seen += [entry["job"]["id"] for entry in page["jobs"]]
        cursor = page["next"]
        made_up(farm, {"content": ["a.png"], "style": ["s.png"], "style_weight": [100 + len(seen)]})
    assert cursor is None
    assert sorted(seen) == sorted(status.id for status in sweep.statuses())
    failed = client.get("/api/v1/jobs", params={"state": "failed"}).json()
    assert failed == {"jobs": [], "next": None}
    assert len(client.get("/api/v1/sweeps", params={"limit": 2}).json()["sweeps"]) == 2
    batch = client.post("/api/v1/jobs:batchGet", json={"jobs": [seen[3], "0" * 36, seen[0]]}).json()
    assert [entry["job"]["id"] for entry in batch["jobs"]] == [seen[3], seen[0]]
    axes = {"content": ["b.png"], "style": ["s.png"]}
    (waiting,) = (status.id for status in made_up(farm, axes, outcome=lambda _: State.QUEUED).statuses())
    curves = client.post("/api/v1/jobs:batchLosses", json={"jobs": [seen[3], "0" * 36, waiting, seen[0]]}).json()
    assert curves == {"losses": {job: client.get(f"/api/v1/jobs/{job}/losses").json() for job in (seen[3], seen[0])}}
