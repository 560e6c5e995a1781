"""Searching a sweep for its best cell, with the program itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import SHALLOW, CommandLine, InProcess

FILE = f"""\
base: {{content: a.png, style: s.png, size: 32, snapshot_every: 0, optimizer: adam, {SHALLOW}}}
matrix: {{learning_rate: {{loguniform: [0.001, 0.2]}}, iterations: {{uniform: [2, 4]}}, seed: [1, 2]}}
search: {{metric: loss, trials: %d, batch: 3}}
"""


@pytest.fixture
def farm(tmp_path: Path, pictures: Path, request: pytest.FixtureRequest) -> InProcess:
    """The program, without a process of its own, in the folder of the pictures, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    return InProcess.of(CommandLine(pictures, {**home, "STYLEFARM_THREADS": "1"}), request)


def test_a_search_finds_the_best_and_goes_on(farm: InProcess) -> None:
    """Given a search, I expect its trials rendered and the best printed; with more trials, only the further ones."""
    file = farm.folder / "sweep.yaml"
    file.write_text(FILE % 5)
    first = farm.run("sweep", "search", "sweep.yaml", "--json")
    assert first.code == 0, first.messages
    jobs = first.document["jobs"]
    assert (len(jobs), first.document["counts"]) == (5, {"done": 5})
    assert first.document["best"]["loss"] == min(job["loss"] for job in jobs)
    assert all(0.001 <= job["cell"]["learning_rate"] <= 0.2 for job in jobs)
    assert {type(job["cell"]["iterations"]) for job in jobs} == {int}
    file.write_text(FILE % 7)
    more = farm.run("sweep", "search", "sweep.yaml", "--json")
    assert more.code == 0, more.messages
    assert more.document["sweep"]["id"] == first.document["sweep"]["id"]
    ids = [job["id"] for job in more.document["jobs"]]
    assert (len(ids), ids[:5]) == (7, [job["id"] for job in jobs])
    assert f"7 of 7 tried, best loss {more.document['best']['loss']:.6g} with" in more.messages
    best = farm.run("sweep", "search", "sweep.yaml")
    assert (best.code, best.out.strip()) == (0, more.document["best"]["id"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("matrix: {seed: [1, 2]}\n", "sweep.yaml has no search: add search: {metric: loss, trials: 40}"),
        ("matrix: {seed: [1, 2]}\nsearch: {metrics: ssim}\n", "search has 'metrics': did you mean 'metric'"),
        ("matrix: {seed: [1, 2]}\nsearch: {metric: ssim}\nexclude: [{seed: 1}]\n", "exclude does not go with search"),
    ],
)
def test_what_is_no_search_is_refused(farm: InProcess, text: str, sentence: str) -> None:
    """Given a file that says nothing to look for, or something unknown, I expect 2 and a sentence."""
    (farm.folder / "sweep.yaml").write_text(f"base: {{content: a.png, style: s.png, {SHALLOW}}}\n{text}")
    refused = farm.run("sweep", "search", "sweep.yaml")
    assert (refused.code, refused.out) == (2, "")
    assert sentence in refused.messages


def test_a_search_is_not_created_as_a_grid(farm: InProcess) -> None:
    """Given a file with a search, if it is created like a grid, I expect to be told the command that runs it."""
    (farm.folder / "sweep.yaml").write_text(FILE % 5)
    refused = farm.run("sweep", "create", "sweep.yaml")
    assert (refused.code, "stylefarm sweep search runs it" in refused.messages) == (2, True)
