"""Lists as the user wants them: a table, JSON, ids, chosen fields, lines of a format; sorted, once or followed."""

from __future__ import annotations

import functools
import re
import string
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import click

from stylefarm.shared.cli.console import echo, print_json, print_line, print_table
from stylefarm.shared.cli.text_table import Cell
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.text import nearest

FOLLOW_SECONDS = 2.0
# Columns that a table has only where an entry has something there.
OPTIONAL = ("rating", "tags")
# Letters to which a field is filled up, and digits of a number: nobody reads more, and memory has an end.
WIDEST = 10_000

Command = TypeVar("Command", bound=Callable[..., Any])
Entry = Mapping[str, Any]

# Option, form and help.
FORMS = (
    (("-q", "--quiet"), "ids", "Print only the ids, one per line."),
    (("--jsonl",), "jsonl", "Print JSON objects, one per line."),
    (("--json",), "json", "Print one JSON object."),
)


class Item(NamedTuple):
    """An entry of a list: as JSON, and as a row of the table."""

    entry: Entry
    row: Sequence[Cell]


@dataclass(frozen=True)
class EntryOutput:
    """How one entry is printed.

    Attributes:
        fields: the fields that JSON has, with dots for those within others; empty: all.
        template: a line with fields in braces; empty: no lines.
    """

    fields: Sequence[str] = ()
    template: str = ""

    def __bool__(self) -> bool:
        return bool(self.fields or self.template)

    def show_entry(self, entry: Entry, name: str | None = None) -> None:
        """Print one entry as `--fields` or `--format` say.

        Args:
            entry: as JSON.
            name: of the entry in the JSON object; None: it is the object.

        Raises:
            InvalidRequest: there is no such field.
        """
        if self.template:
            for line in self.lines(entry):
                echo(line)
        else:
            print_json(self.chosen(entry) if name is None else {name: self.chosen(entry)})

    def chosen(self, entry: Entry) -> Entry:
        """Return the entry with the chosen fields alone, by the names that the user gave them.

        Raises:
            InvalidRequest: there is no such field.

        Example:
            >>> EntryOutput(("id", "metrics.ssim")).chosen({"id": "9a41c07d", "metrics": {"ssim": 0.5}, "loss": 1.5})
            {'id': '9a41c07d', 'metrics.ssim': 0.5}
        """
        return {name: field_of(entry, name) for name in self.fields} if self.fields else entry

    def lines(self, entry: Entry) -> list[str]:
        r"""Return the template with the fields of the entry in it; \n in it begins another line.

        Raises:
            InvalidRequest: there is no such field, or it cannot be written so.

        Example:
            >>> EntryOutput(template="{id} {metrics.ssim:.1f}").lines({"id": "9a41c07d", "metrics": {"ssim": 0.52}})
            ['9a41c07d 0.5']
        """
        try:
            return [_Template().vformat(part, (), entry) for part in self.template.split("\\n")]
        except (ValueError, TypeError) as error:
            raise InvalidRequest(f"--format {self.template!r:.100} cannot be filled in: {error}") from None


@dataclass(frozen=True)
class ListOutput(EntryOutput):
    """How a list is printed, as the options of `list_options` say.

    Attributes:
        form: "json", "jsonl", "ids", or None for a table.
        sort: the field by which it is sorted, after a minus from the greatest to the least; empty: as it comes.
        follow: whether it is printed again whenever it has changed, until the user stops it.
    """

    form: str | None = None
    sort: str = ""
    follow: bool = False

    def show(
        self, name: str, columns: Sequence[str], read: Callable[[], Sequence[Item]], limit: int | None = None
    ) -> None:
        """Print a list.

        Args:
            name: of the list in the JSON object.
            columns: the head of the table; those of ratings and tags are left out where there are none.
            read: returns the entries; each has an `id` or, without one, a `name`.
            limit: how many entries are printed after sorting; None: all.

        Raises:
            InvalidRequest: there is no such field.
        """
        shown = None
        while True:
            items = self._sorted(read())[:limit]
            if items != shown:
                if shown is not None and self.is_table:
                    echo()
                self._print(name, columns, items, shown or ())
            if not self.follow:
                return
            shown = items
            time.sleep(FOLLOW_SECONDS)

    @property
    def is_table(self) -> bool:
        """Whether a person reads it, and no program."""
        return self.form is None and not self.fields and not self.template

    def _sorted(self, items: Sequence[Item]) -> Sequence[Item]:
        if not self.sort:
            return items
        field, backward = self.sort.removeprefix("-"), self.sort.startswith("-")
        valued = [(field_of(item.entry, field), item) for item in items]
        known = [pair for pair in valued if pair[0] is not None]
        return [
            *(item for _, item in sorted(known, key=lambda pair: _order(pair[0]), reverse=backward)),
            # What has no value is last either way.
            *(item for value, item in valued if value is None),
        ]

    def _print(self, name: str, columns: Sequence[str], items: Sequence[Item], before: Sequence[Item]) -> None:
        """Print the list; of what was printed line by line before, only what has changed."""
        entries = [item.entry for item in items]
        if self.form == "json" or (self.fields and self.form is None):
            print_json({name: [self.chosen(entry) for entry in entries]})
            return
        if self.is_table:
            empty = [n for n, name in enumerate(columns) if name in OPTIONAL and not any(item.row[n] for item in items)]
            kept = [n for n in range(len(columns)) if n not in empty]
            print_table([columns[n] for n in kept], [[item.row[n] for n in kept] for item in items])
            return
        old = [item.entry for item in before]
        for entry in entries:
            if entry not in old:
                self._print_one(entry)

    def _print_one(self, entry: Entry) -> None:
        if self.form == "jsonl":
            print_line(self.chosen(entry))
        elif self.form == "ids":
            echo(entry["id"] if "id" in entry else entry["name"])
        else:
            for line in self.lines(entry):
                echo(line)


def field_of(entry: Entry, name: str) -> Any:
    """Return a field of an entry.

    Args:
        entry: as JSON.
        name: with dots for fields within others, as in "metrics.ssim".

    Returns:
        Its value; None if a mapping within the entry does not have it, as not every job has every metric.

    Raises:
        InvalidRequest: an entry has no such field.

    Example:
        >>> field_of({"metrics": {"ssim": 0.5}}, "metrics.ssim")
        0.5
    """
    first, *rest = name.split(".")
    if first not in entry:
        raise InvalidRequest(f"there is no field {first!r}{nearest(first, entry)}")
    value = entry[first]
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def list_options(command: Command) -> Command:
    """Add the options of every command that lists; it gets them as one `output`, a ListOutput."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,
        fields: str | None,
        sort: str | None,
        template: str | None,
        follow: bool,
        **more: Any,
    ) -> Any:
        chosen = [(names[-1], form) for names, form, _ in FORMS if more.pop(f"as_{form}")]
        if len(chosen) > 1:
            raise InvalidRequest(f"{' and '.join(name for name, _ in chosen)} print the list in two ways: give one")
        form = chosen[0][1] if chosen else None
        if template and (form or fields):
            raise InvalidRequest("--format writes lines of its own: leave out -q, --json, --jsonl and --fields")
        if fields and form == "ids":
            raise InvalidRequest("-q prints ids alone: leave out --fields")
        if sort == "":
            raise InvalidRequest("--sort names no field: write it as in --sort loss")
        output = ListOutput(_names(fields), _template(template), form, sort or "", follow)
        return command(*args, output=output, **more)

    options = [
        click.option("--sort", metavar="FIELD", help="Sort by a field of the JSON; -FIELD: the greatest first."),
        *_entry_options(),
        click.option("-w", "--follow", is_flag=True, help="Print again whatever has changed, until Ctrl-C."),
        *(click.option(*names, f"as_{form}", is_flag=True, help=text) for names, form, text in FORMS),
    ]
    decorated: Any = wrapped
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def entry_options(command: Command) -> Command:
    """Add `--fields` and `--format` to a command that shows one thing; it gets them as one `output`, an EntryOutput."""

    @functools.wraps(command)
    def wrapped(*args: Any, fields: str | None, template: str | None, **more: Any) -> Any:
        if template and fields:
            raise InvalidRequest("--format writes lines of its own: leave out --fields")
        return command(*args, output=EntryOutput(_names(fields), _template(template)), **more)

    decorated: Any = wrapped
    for option in reversed(_entry_options()):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _entry_options() -> list[Callable[[Any], Any]]:
    return [
        click.option("--fields", metavar="A,B.C", help="Print JSON with these fields alone."),
        click.option("--format", "template", metavar="TEXT", help="Print a line such as '{id} {loss:.3g}'."),
    ]


def _names(fields: str | None) -> tuple[str, ...]:
    names = tuple(part.strip() for part in (fields or "").split(",") if part.strip())
    if fields is not None and not names:
        raise InvalidRequest("--fields names no field: write it as in --fields id,state,metrics.ssim")
    return names


def _template(given: str | None) -> str:
    if given == "":
        raise InvalidRequest("--format is empty: write it as in --format '{id} {loss:.3g}'")
    return given or ""


def _order(value: Any) -> tuple[bool, Any]:
    """Return what values of several kinds are sorted by: numbers come before texts."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else str(value)


class _Template(string.Formatter):
    """Fields are looked up in the entry, and nothing else can be reached from the template."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        value = field_of(kwargs, field_name)
        return _Missing() if value is None else value, field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if any(int(number) > WIDEST for number in re.findall(r"[0-9]{1,20}", format_spec)):
            raise ValueError(f"a field has at most {WIDEST:,} letters")
        return str(super().format_field(value, format_spec))


class _Missing(str):
    """A value that is not there: an empty text in any format."""

    __slots__ = ()

    def __format__(self, _specification: str) -> str:
        return ""
