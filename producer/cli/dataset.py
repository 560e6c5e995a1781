"""The command `stylefarm dataset`."""

from __future__ import annotations

import click

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.submission.datasets import BUILTIN, builtin_dataset, read_dataset, store_dataset
from stylefarm.shared.blobs.manifest import read_manifest
from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import echo, json_option, print_json, print_pairs, say
from stylefarm.shared.cli.list_output import EntryOutput, Item, ListOutput, entry_options, list_options
from stylefarm.shared.db.library_tables import DatasetRow
from stylefarm.shared.text import counted

COLUMNS = ("name", "pictures", "left out", "size", "read from", "created (UTC)")
EMPTY = (
    "there are no data sets: `stylefarm dataset add NAME FOLDER` adds one, and `builtin` is always there to train with"
)
# Files that are left out stand in as many lines.
MOST_FAULTS = 5


@click.group(cls=CommandGroup)
def dataset() -> None:
    """Add, list and delete data sets of pictures, which models are trained with."""


@dataset.command()
@click.argument("name")
@click.argument("source", metavar="FOLDER|s3://...")
@click.option("--force", is_flag=True, help="Replace another data set of that name.")
@json_option
def add(name: str, source: str, force: bool, as_json: bool) -> None:
    """Read every picture below a FOLDER, or an address in S3, store each once, and list them under NAME.

    Files that cannot be used are left out, and named. `builtin` as the source is scikit-image's photographs.
    """
    with Farm() as farm:
        farm.check_schema()
        is_builtin = source == BUILTIN
        found = builtin_dataset(farm.settings) if is_builtin else read_dataset(source, farm.settings)
        added = store_dataset(name, source, found, farm.services, replace=force)
        row = farm.store.datasets.get(name)
    for fault in list(found.faults.values())[:MOST_FAULTS]:
        say(f"left out: {fault}")
    if len(found.faults) > MOST_FAULTS:
        say(f"and {len(found.faults) - MOST_FAULTS:,} more")
    say(f"{name} {'is registered' if added else 'is there already, with the same pictures'}: {_summary(row)}")
    if as_json:
        print_json({"dataset": row.document(), "added": added, "left_out": dict(found.faults)})
    else:
        echo(name)


@dataset.command("list")
@list_options
def list_datasets(output: ListOutput) -> None:
    """List the data sets of the farm."""
    with Farm() as farm:
        rows = farm.store.datasets.all()
        if output.is_table and not rows:
            say(EMPTY)
            return
        output.show("datasets", COLUMNS, lambda: [Item(row.document(), _row(row)) for row in farm.store.datasets.all()])


@dataset.command()
@click.argument("name")
@json_option
@entry_options
def show(name: str, as_json: bool, output: EntryOutput) -> None:
    """Show the data set NAME; with --json, all of its pictures."""
    with Farm() as farm:
        row = farm.store.datasets.get(name)
        if output:
            output.show_entry(row.document())
        elif as_json:
            manifest = read_manifest(farm.services.blobs, row.sha256)
            print_json({"dataset": row.document(), "pictures": [vars(picture) for picture in manifest.pictures]})
        else:
            print_pairs(dict(zip(COLUMNS, _row(row), strict=True)) | {"sha256": row.sha256})


@dataset.command()
@click.argument("name")
@json_option
def delete(name: str, as_json: bool) -> None:
    """Delete the data set NAME; its pictures go when no job names them any more."""
    with Farm() as farm:
        farm.store.datasets.delete(name)
        farm.services.dropped.delete()
    if as_json:
        print_json({"deleted": name})
    else:
        echo(name)


def _row(row: DatasetRow) -> tuple[str, ...]:
    created = f"{row.created_at:%Y-%m-%d %H:%M}"
    return row.name, f"{row.pictures:,}", f"{row.left_out:,}", f"{row.bytes / 1e6:.1f} MB", row.source, created


def _summary(row: DatasetRow) -> str:
    left_out = f", {counted(row.left_out, 'file')} left out" if row.left_out else ""
    return f"{counted(row.pictures, 'picture')}, {row.bytes / 1e6:.1f} MB{left_out}"
