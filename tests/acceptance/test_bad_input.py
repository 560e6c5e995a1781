"""What a careless user does: each time the documented exit code, one sentence, and nothing left behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from stylefarm.shared.db.connection import connect
from tests.programs import PROGRAM, CommandLine, InProcess
from tests.servers import PostgresServer, RedisServer, SwiftServer
from tests.servers.variables import variables_of
from tests.unit.pictures import photograph, raw_png, saved

RENDER = ("render", "a.png", "s.png", "-o", "out.png")
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
FULL = Path("/dev/full")
NOWHERE = "127.0.0.1:1"  # no server listens on this port

# Each bad picture by its name, and what is said of it.
PICTURES = {
    "missing.png": "missing.png does not exist: check the path",
    "folder.png": "folder.png is not a file: give the path of one picture",
    "text.jpg": "text.jpg is not a picture that can be read here: give one of PNG, JPEG, ",
    "empty.png": "empty.png is empty: check that it was copied or downloaded to its end",
    "cut.jpg": "cut.jpg cannot be decoded",
    "dot.png": "dot.png is 1 x 1: give one with at least 16 pixels on each side",
    "large.png": "large.png is 100 x 100 (10,000 pixels), more than the limit of 5,000: make it smaller",
    "bomb.png": "bomb.png is 50000 x 50000 (2,500,000,000 pixels), more than the limit",
    "moves.gif": "moves.gif is animated (2 frames): export one frame",
    "thin.png": "thin.png is 5 px on its short side at size = 64, too small for relu5_1: at least 16 px are needed",
}

OPTIONS = [
    ("--size 64 --min-size 128", "min_size = 128 is larger than size = 64"),
    ("--style-weight -1", "style_weight = -1: must be greater than or equal to 0"),
    ("--style-weight heavy", "style_weight = 'heavy': must be a valid number"),
    ("--style-weight 0 --content-weight 0", "content_weight and style_weight are both 0"),
    ("--stile-weight 1", "no such option '--stile-weight': did you mean '--style-weight'?"),
    ("--iterations 0", "iterations = 0: must be greater than or equal to 1"),
    ("--iterations", "'--iterations' requires an argument"),
    ("--init nose", "invalid value for '--init': 'nose' is not one of 'content', 'style', 'noise', 'blend', 'image'"),
    ("--style-layers relu4_9", "no layer 'relu4_9': did you mean 'relu4_"),
    ("--features vgg19", "its pretrained weights are not in torchvision's cache on this machine: name a file"),
    ("--weights text.jpg", "weights: text.jpg is no file of weights: give one that torch.save or safetensors wrote"),
    ("--weights missing.pth", "weights: missing.pth cannot be opened (No such file or directory)"),
    ("--weights folder.png", "weights: folder.png cannot be opened (Is a directory)"),
    ("--weights text.jpg --features random", "features = random takes no weights"),
    ("-o nowhere/out.png", "the folder nowhere does not exist: create it"),
    ("-o a.png/out.png", "a.png is a file, not a folder"),
    ("-o folder.png", "folder.png is a folder: give the name of a file in it"),
    ("-o /proc/out.png", "/proc"),
    ("-o a.png", "a.png exists: give --force to overwrite it"),
    ("-o a.png --force", "-o a.png would overwrite a.png, which it is rendered from: give another -o"),
    ("-o ./folder.png/../s.png --force", "s.png, which it is rendered from: give another -o"),
    ("--init image --init-image https://example.org/a.png", "https://example.org/a.png is a web address"),
    ("-o out.bmp", "out.bmp names no format: end it in .png, .jpg, .jpeg, .webp"),
    ("-o out", "out names no format"),
    ("--format jpeg", "out.png is named as png, but format = jpeg: leave out one of the two"),
]

# Sweep files, and what is said of them behind their name.
SWEEPS = [
    ("matrix: {content: [a.png", ", line 1, column 25: this is no YAML"),
    ("name: \x07", " is no YAML: unacceptable character"),
    ("[" * 1000, " is nested too deeply"),
    ("", ": a sweep file is a mapping with `matrix`"),
    ("base: {content: a.png, style: s.png}", ": the matrix is missing or empty"),
    (
        "base: {style: s.png}\nmatrix: {contend: [a.png]}",
        ", line 2, column 10: unknown axis 'contend': did you mean 'content'?",
    ),
    (
        "base: {content: a.png, style: s.png, iteration: 3}\nmatrix: {seed: [1]}",
        ", line 1, column 38: unknown parameter 'iteration': did you mean 'iterations'?",
    ),
    ("base: {content: a.png}\nmatrix: {seed: [1]}", ": style is missing: name a picture"),
    (
        "base: {content: a.png, style: s.png}\nmatrix: {iterations: [5, 0]}",
        ", line 2, column 10: iterations = 0: must be greater",
    ),
    (
        "base: {content: a.png, style: s.png}\nmatrix: {style_weight: [-1]}",
        ", line 2, column 10: style_weight = -1: must be greater",
    ),
]


@pytest.fixture
def folder(pictures: Path) -> Path:
    """The folder of the good pictures, with all the bad ones in it too."""
    (pictures / "folder.png").mkdir()
    (pictures / "text.jpg").write_text("a letter, not a picture")
    (pictures / "empty.png").touch()
    (pictures / "cut.jpg").write_bytes(saved(photograph(), "JPEG")[:500])
    Image.new("RGB", (1, 1)).save(pictures / "dot.png")
    photograph(100, 100).save(pictures / "large.png")
    (pictures / "bomb.png").write_bytes(raw_png(50_000, 50_000, 8, 2, b""))
    Image.new("RGB", (32, 32), "red").save(
        pictures / "moves.gif", save_all=True, append_images=[Image.new("RGB", (32, 32), "blue")]
    )
    photograph(200, 16).save(pictures / "thin.png")
    return pictures


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The settings of an embedded farm that allows small pictures only."""
    paths = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    return {**paths, "STYLEFARM_MAX_PIXELS": "5000", "STYLEFARM_THREADS": "1"}


@pytest.fixture
def program(folder: Path, variables: Mapping[str, str]) -> CommandLine:
    """The program itself, in the folder of the pictures."""
    return CommandLine(folder, variables)


@pytest.fixture
def inside(program: CommandLine, request: pytest.FixtureRequest) -> InProcess:
    """The same in this process."""
    return InProcess.of(program, request)


def refused(program: CommandLine, folder: Path, code: int, arguments: tuple[str, ...]) -> str:
    """The one sentence that `arguments` are refused with; checked on the way that nothing else has come of them."""
    before = _files(folder.parent)
    ended = program.run(*arguments)
    assert (ended.code, ended.out) == (code, ""), ended
    (line,) = ended.messages.splitlines()
    assert line.startswith("stylefarm: ")
    assert "Traceback" not in line
    assert _files(folder.parent) == before
    _check_nothing_is_submitted(folder.parent / "home" / "farm.db")
    return line.removeprefix("stylefarm: ")


def _files(folder: Path) -> dict[str, str]:
    """What is in a folder, but for an embedded farm's database."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("farm.db")
    }


def _check_nothing_is_submitted(database: Path) -> None:
    if database.is_file():
        connect(f"sqlite:///{database}").dispose()
        with contextlib.closing(sqlite3.connect(database)) as connection:
            for table in ("jobs", "sweeps"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize(("name", "sentence"), PICTURES.items(), ids=list(PICTURES))
def test_a_bad_picture_is_not_rendered(inside: InProcess, folder: Path, name: str, sentence: str) -> None:
    """Given a bad picture, if it is rendered, I expect to be told which, and what is wrong with it."""
    arguments = ("render", name, "s.png", "-o", "out.png", "--size", "64", "--iterations", "1")
    assert refused(inside, folder, 2, arguments).startswith(sentence)


@pytest.mark.parametrize("name", ["missing.png", "text.jpg", "cut.jpg", "bomb.png"])
def test_the_program_itself_refuses_it(program: CommandLine, name: str) -> None:
    """Given a bad picture, if the program is run as its user runs it, I expect the same."""
    arguments = ("render", name, "s.png", "-o", "out.png", "--size", "64", "--iterations", "1")
    assert refused(program, program.folder, 2, arguments).startswith(PICTURES[name])


# A folder stands for the pictures in it.
NO_PICTURES = "sweep.yaml, line 2, column 10: the axis style has 'folder.png', in which there is no picture"
SWEPT = {
    **PICTURES,
    "folder.png": NO_PICTURES,
    "'https://example.org/a.png'": "https://example.org/a.png is a web address",
}


@pytest.mark.parametrize(("name", "sentence"), SWEPT.items(), ids=list(SWEPT))
def test_one_bad_picture_keeps_a_sweep_from_being_submitted(
    inside: InProcess, folder: Path, name: str, sentence: str
) -> None:
    """Given a bad picture among good styles, if the sweep is created, I expect that none of its jobs is."""
    (folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, size: 64}}\nmatrix: {{style: [s.png, {name}, t.png], seed: [1, 2]}}\n"
    )
    assert refused(inside, folder, 2, ("sweep", "create", "sweep.yaml")).startswith(sentence)


@pytest.mark.parametrize(("options", "sentence"), OPTIONS, ids=[options for options, _ in OPTIONS])
def test_a_bad_option_is_refused(inside: InProcess, folder: Path, options: str, sentence: str) -> None:
    """Given a parameter or an output that cannot be, if one renders with it, I expect to be told which, and why."""
    given = options.split()
    # An option that is given twice would be told, too.
    command = RENDER[: RENDER.index("-o")] if "-o" in given else RENDER
    assert sentence in refused(inside, folder, 2, (*command, *given))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("sweep", "create", "/dev/zero"), "/dev/zero is a pipe or a device: give the path of a file"),
        (("sweep", "create", "pipe"), "pipe is a pipe or a device"),
        (("sweep", "search", "pipe"), "pipe is a pipe or a device"),
        ((*RENDER, "--weights", "pipe"), "pipe is a pipe or a device"),
        ((*RENDER, "--weights", "/dev/zero"), "/dev/zero is a pipe or a device"),
        (("weights", "import", "pipe"), "pipe is a pipe or a device"),
        (("render", "pipe", "s.png", "-o", "out.png"), "pipe is not a file"),
        (("sweep", "create", "huge.yaml"), "huge.yaml has more than 20,000,000 bytes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_never_ends_is_not_read(inside: InProcess, folder: Path, arguments: tuple[str, ...], named: str) -> None:
    """Given a pipe, a device or a file of gigabytes in place of a small file, I expect a sentence at once."""
    os.mkfifo(folder / "pipe")
    with (folder / "huge.yaml").open("wb") as file:
        file.truncate(20_000_001)
    ended = inside.run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.messages.splitlines()
    assert named in line


@pytest.mark.parametrize(("text", "sentence"), SWEEPS, ids=range(len(SWEEPS)))
def test_a_bad_sweep_file_is_refused(inside: InProcess, folder: Path, text: str, sentence: str) -> None:
    """Given a sweep file that is none, or asks for what cannot be, I expect its name and what is wrong in it."""
    (folder / "sweep.yaml").write_text(text)
    assert refused(inside, folder, 2, ("sweep", "create", "sweep.yaml")).startswith(f"sweep.yaml{sentence}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("sweep create missing.yaml", "missing.yaml cannot be read (No such file or directory): check the path"),
        ("sweep create folder.png", "folder.png cannot be read (Is a directory)"),
        ("sweep create a.png", "a.png is no text: a sweep file is YAML in UTF-8"),
        ("sweep craete sweep.yaml", "no such command 'craete': did you mean 'create'?"),
        ("rendr a.png s.png", "no such command 'rendr': did you mean 'render'?"),
        ("render a.png s.png", "missing option '-o' / '--output' (see stylefarm render --help)"),
        ("worker start", "an embedded farm has no workers, it renders while you wait: set STYLEFARM_BROKER_URL"),
    ],
)
def test_a_command_that_cannot_be(inside: InProcess, folder: Path, arguments: str, sentence: str) -> None:
    """Given a slip in a command, I expect to be told what is meant, or missing."""
    assert refused(inside, folder, 2, tuple(arguments.split())).startswith(sentence)


@pytest.mark.parametrize("command", ["job show", "job wait", "job download", "job cancel", "sweep show", "sweep wait"])
def test_an_unknown_id_is_not_found(inside: InProcess, folder: Path, command: str) -> None:
    """Given an id that does not exist, or is too short to be one, I expect 3, and what was not found."""
    noun = command.split()[0]
    assert f"there is no {noun} {UNKNOWN_ID}" in refused(inside, folder, 3, (*command.split(), UNKNOWN_ID))
    assert "give its id, or its first 4 digits or more" in refused(inside, folder, 3, (*command.split(), "abc"))


@pytest.mark.parametrize("arguments", [RENDER, ("sweep", "show", UNKNOWN_ID), ("config", "show")], ids=" ".join)
def test_an_unknown_setting_is_refused(inside: InProcess, folder: Path, arguments: tuple[str, ...]) -> None:
    """Given a stylefarm.toml with a slip in it, whatever is done, I expect the nearest name of a setting."""
    (folder / "stylefarm.toml").write_text('hoem = "here"\n')
    sentence = refused(inside, folder, 2, arguments)
    assert "'hoem'" in sentence
    assert "did you mean 'home'?" in sentence


@pytest.mark.parametrize("home", ["a.png", "a.png/below"])
def test_a_home_that_is_no_folder_is_refused(program: CommandLine, home: str) -> None:
    """Given a STYLEFARM_HOME that is a file, or below one, if one renders, I expect to be told."""
    path = str(program.folder / home)
    farm = CommandLine(program.folder, {**program.variables, "STYLEFARM_HOME": path})
    sentence = refused(farm, farm.folder, 2, RENDER)
    assert path in sentence
    assert "STYLEFARM_HOME" in sentence


def test_a_database_that_is_none_is_refused(program: CommandLine) -> None:
    """Given a file of another kind where the farm's database should be, if one renders, I expect 69, and its name."""
    home = program.folder / "home"
    home.mkdir()
    (home / "farm.db").write_bytes((program.folder / "a.png").read_bytes())
    farm = CommandLine(program.folder, {**program.variables, "STYLEFARM_HOME": str(home)})
    assert f"the database {home / 'farm.db'} cannot be used (" in refused(farm, farm.folder, 69, RENDER)


@pytest.mark.parametrize("command", ["config show", "config show --json", "--help"])
def test_a_reader_may_leave(program: CommandLine, command: str) -> None:
    """Given a reader that has seen enough, as `head` has, if more is printed, I expect 0 and not a word of it."""
    process = program.start(*command.split())
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 0, messages
    assert messages in {"", "this farm is embedded: it renders on this machine\n"}


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_full_disk_under_the_output(program: CommandLine) -> None:
    """Given output that goes to a full disk, if a command prints, I expect 74 and a sentence."""
    with FULL.open("wb") as full:
        ended = subprocess.run(
            [str(PROGRAM), "config", "show", "--json"],
            cwd=program.folder,
            env=program.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 74
    assert ended.stderr == "stylefarm: the output cannot be written: the disk is full; free some space\n"


@pytest.fixture
def servers(
    variables: Mapping[str, str], redis_server: RedisServer, postgres_url: str, swift_server: SwiftServer
) -> dict[str, str]:
    """The settings of a farm on servers, all of which are well."""
    return {
        **variables,
        **variables_of(redis_server, postgres_url, swift_server, "farm-of-the-careless"),
    }


def _sweep(folder: Path) -> tuple[str, ...]:
    (folder / "sweep.yaml").write_text(
        "base: {content: a.png, style: s.png, size: 32, init: noise}\nmatrix: {seed: [1, 2]}\n"
    )
    return ("sweep", "create", "sweep.yaml")


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("BROKER_URL", f"redis://:guess@{NOWHERE}/0", f"Redis at redis://:**@{NOWHERE}/0 does not answer ("),
        ("DATABASE_URL", f"postgresql://farm:guess@{NOWHERE}/x", f"the database at {NOWHERE}/x does not answer ("),
        ("S3_ENDPOINT", f"http://{NOWHERE}", f"the object store at http://{NOWHERE} does not answer ("),
    ],
)
def test_a_server_that_is_not_there(
    folder: Path, servers: Mapping[str, str], setting: str, value: str, sentence: str
) -> None:
    """Given a farm of whose servers one does not listen, if a sweep is created, I expect 69, and which it is."""
    farm = CommandLine(folder, {**servers, f"STYLEFARM_{setting}": value})
    said = refused(farm, folder, 69, _sweep(folder))
    assert said.startswith(sentence)
    assert "guess" not in said


@pytest.mark.parametrize("command", ["sweep create", "worker start"])
@pytest.mark.parametrize("setting", ["BROKER_URL", "DATABASE_URL", "S3_SECRET_KEY"])
def test_a_wrong_password(
    folder: Path,
    servers: Mapping[str, str],
    redis_server: RedisServer,
    postgres_server: PostgresServer,
    setting: str,
    command: str,
) -> None:
    """Given a farm of whose servers one refuses the password, I expect 69, which server, and no password."""
    name = f"STYLEFARM_{setting}"
    wrong = servers[name]
    for password in (redis_server.password, postgres_server.password, servers["STYLEFARM_S3_SECRET_KEY"]):
        wrong = wrong.replace(password, "guess")
    farm = CommandLine(folder, {**servers, name: wrong})
    said = refused(farm, folder, 69, _sweep(folder) if command == "sweep create" else ("worker", "start"))
    nouns = {"BROKER_URL": "Redis at ", "DATABASE_URL": "the database at ", "S3_SECRET_KEY": "the object store at "}
    assert said.startswith(nouns[setting])
    assert " refuses " in said
    assert "guess" not in said


@pytest.mark.parametrize("command", ["render", "worker start"])
def test_a_database_that_is_not_migrated(
    folder: Path, servers: Mapping[str, str], empty_postgres_url: str, command: str
) -> None:
    """Given a database in which nothing is, if one renders or starts a worker, I expect 69, and what to run."""
    farm = CommandLine(folder, {**servers, "STYLEFARM_DATABASE_URL": empty_postgres_url})
    said = refused(farm, folder, 69, RENDER if command == "render" else ("worker", "start"))
    assert "`stylefarm db upgrade`" in said
