"""What a newcomer meets first: a folder to begin with, the help, and the reference of the parameters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import CommandLine, InProcess


@pytest.fixture
def inside(tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    """The program in an empty folder, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    folder = tmp_path / "begin here"
    folder.mkdir()
    return InProcess.of(CommandLine(folder, {**home, "STYLEFARM_THREADS": "1"}), request)


def test_a_folder_to_begin_with(inside: InProcess) -> None:
    """Given an empty folder, if a project is made in it, I expect a sweep that can be submitted, a script that runs,
    and, if it is made again, a refusal and nothing overwritten."""
    made = inside.run("init", "first")
    assert made.code == 0, made.messages
    assert made.out.splitlines() == [
        f"first/{name}" for name in ("sweep.yaml", "render.py", "photograph.jpg", "plate.jpg")
    ]
    tried = inside.run("sweep", "create", "first/sweep.yaml", "--set", "features=random", "--dry-run", "--json")
    assert tried.code == 0, tried.messages
    assert (tried.document["dry_run"]["cells"], tried.document["dry_run"]["skipped"]) == (6, 0)

    script = inside.folder / "first" / "render.py"
    text = script.read_text()
    quick = text.replace('"size": 256, "quality": "draft"', '"size": 32, "iterations": 1, "features": "random"')
    assert quick != text
    script.write_text(quick)
    ended = subprocess.run(
        [sys.executable, str(script)], env=inside.environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[:2] for line in ended.stdout.splitlines()] == [["4", "done"], ["16", "done"], ["64", "done"]]
    assert (script.parent / "best.png").exists()

    (script.parent / "sweep.yaml").unlink()
    again = inside.run("init", "first", "--json")
    assert (again.code, script.read_text()) == (2, quick)
    assert "first/render.py, first/photograph.jpg, first/plate.jpg: there already" in again.messages
    assert not (script.parent / "sweep.yaml").exists()


def test_help_is_short_and_whole(inside: InProcess) -> None:
    """Given the help of render, I expect what is used most; with --help-all every parameter, by what it is about."""
    brief, whole = (inside.run("render", option).out for option in ("--help", "--help-all"))
    assert "--style-weight" in brief
    assert "--help-all" in brief
    assert "--corrections" not in brief
    assert "--iterations NUMBER" in brief
    assert "[300; of squeezenet: 50]" in brief
    assert "--corrections" in whole
    titles = [line for line in whole.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "Options:",
        "Presets:",
        "Pictures:",
        "Losses:",
        "Iterations and scales:",
        "Feature network:",
        "Optimizer:",
        "Trained models:",
        "Output files:",
        "How the job is run:",
    ]


def test_parameters_are_explained(inside: InProcess) -> None:
    """Given the name of a parameter, in any spelling, I expect its values, presets and condition; and of a wrong name
    the nearest one."""
    shown = inside.run("parameters", "weight-decay")
    assert "number, 0 to 1" in shown.out
    assert "optimizer = sgd" in shown.out
    (entry,) = inside.run("parameters", "weight_decay", "--json").document["parameters"]
    assert (entry["default"], entry["presets"]) == (0.0, {"mxnet": 0.0005})
    everything = inside.run("parameters")
    assert everything.out.startswith("Presets\n")
    assert len(inside.run("parameters", "--json").document["parameters"]) > 60
    wrong = inside.run("parameters", "stile_weight")
    assert (wrong.code, "did you mean 'style_weight'?" in wrong.messages) == (2, True)


def test_a_profile_is_chosen_by_its_name(inside: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given profiles in stylefarm.toml, if one is named before a command, I expect its settings."""
    monkeypatch.setenv("STYLEFARM_PROFILE", "")  # what the program sets is undone with the test
    (inside.folder / "stylefarm.toml").write_text("[profiles.small]\nmax_pixels = 77\n")
    shown = json.loads(inside.run("--profile", "small", "config", "show", "--json").out)["settings"]
    assert shown["max_pixels"] == {"value": 77, "source": "stylefarm.toml [profiles.small]"}
    wrong = inside.run("--profile", "smal", "job", "list")
    assert (wrong.code, "did you mean 'small'?" in wrong.messages) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sweep", "list", "--since", "2h"), "no such option '--since' (see stylefarm sweep list --help)"),
        (("sweep", "list", "--limt", "2"), "did you mean '--limit'?"),
        (("sweeps", "list"), "did you mean 'sweep'?"),
    ],
)
def test_a_similar_name_is_proposed(inside: InProcess, arguments: tuple[str, ...], sentence: str) -> None:
    """Given a name that is not there, I expect a similar one to be proposed, and none that shares its dashes alone."""
    ended = inside.run(*arguments)
    assert (ended.code, sentence in ended.messages) == (2, True), ended.messages
