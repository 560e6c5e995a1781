"""Comparisons as files: CSV, Markdown, PNG, SVG or HTML, by the suffix."""

from __future__ import annotations

import csv
import html
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from stylefarm.producer.charts.html import over_page, trade_off_page
from stylefarm.producer.charts.over import SpreadLine, over_plot, places_of
from stylefarm.producer.charts.tradeoff import PlotText, Point, trade_off_plot
from stylefarm.producer.reports.comparison import SWEEP, Comparison, Group
from stylefarm.producer.terminal.progress import working
from stylefarm.producer.views.metrics import MEASURES, NOT_VALIDATED, higher_is_better
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.atomic import check_writable, write_atomically
from stylefarm.shared.foreign_text import csv_cell, markdown
from stylefarm.shared.spec.spec import nearest

TABLES, PLOTS = (".csv", ".md"), (".png", ".svg", ".html")
SECONDS = "seconds"
ARMS = "A point is the median over the jobs that are done; its arms reach to the quartiles."
BAND = "A point is the median over the jobs that are done; its band reaches to the quartiles."
SPREADS = "Each number is the median over the jobs that are done, with the quartiles in brackets."


def write_comparison(comparison: Comparison, path: str | Path, *, metric: str = "gram", force: bool = False) -> Path:
    """Write a comparison: as CSV or Markdown its table, as PNG or SVG its plot, as HTML both.

    Args:
        comparison: what is written.
        path: a file that ends in .csv, .md, .png, .svg or .html.
        metric: what the plot shows over the seconds, or over the axis of the comparison.
        force: overwrite the file if it exists.

    Returns:
        The path.

    Raises:
        InvalidRequest: no job has the metric, the file cannot be written, or Plotly is missing for HTML.
        StorageFull: the disk is full; nothing half-written is left.

    Example:
        write_comparison(compare([sweep]), "methods.png", metric="ssim")
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in TABLES + PLOTS:
        raise InvalidRequest(f"{path} ends in no format of a comparison: give one of {', '.join(TABLES + PLOTS)}")
    check_writable(path, force=force)
    with working("drawing the comparison"):
        data = _table(comparison, suffix) if suffix in TABLES else _plot(comparison, metric, suffix)
    write_atomically(path, data, force=force)
    return path


def table(comparison: Comparison) -> Iterator[list[str]]:
    """Yield a comparison as texts: a head, then a row for each group.

    Args:
        comparison: of how many metrics there are columns.

    Example:
        >>> from stylefarm.producer.reports.comparison import Group
        >>> list(table(Comparison("method", [Group("gatys", jobs=3, done=2, numbers={})], metrics=["ssim"])))
        [['method', 'jobs', 'done', 'ssim'], ['gatys', '3', '2', '']]
    """
    yield [*_names(comparison), "jobs", "done", *comparison.metrics]
    for group in comparison.groups:
        numbers = (group.numbers.get(name) for name in comparison.metrics)
        texts = ("" if number is None else str(number) for number in numbers)
        yield [*_labels(comparison, group), str(group.jobs), str(group.done), *texts]


def _names(comparison: Comparison) -> list[str]:
    """Return what the groups differ in."""
    return [name for name in (comparison.by, comparison.over) if name]


def _labels(comparison: Comparison, group: Group) -> list[str]:
    """Return what a group is called in each of these."""
    return [*([group.name] if comparison.by else []), *([group.label] if comparison.over else [])]


def _table(comparison: Comparison, suffix: str) -> bytes:
    return (_csv(comparison) if suffix == ".csv" else _markdown(comparison)).encode("utf-8", "replace")


def _csv(comparison: Comparison) -> str:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    parts = ("median", "low", "high")
    columns = [f"{name}.{part}" for name in comparison.metrics for part in parts]
    writer.writerow([*map(csv_cell, _names(comparison)), "jobs", "done", *columns])
    for group in comparison.groups:
        found = (group.numbers.get(name) for name in comparison.metrics)
        numbers = [getattr(spread, part, None) for spread in found for part in parts]
        writer.writerow([*map(csv_cell, _labels(comparison, group)), group.jobs, group.done, *numbers])
    return text.getvalue()


def _markdown(comparison: Comparison) -> str:
    head, *rows = ([markdown(cell) for cell in row] for row in table(comparison))
    names = len(_names(comparison))
    rule = [*["---"] * names, *["---:"] * (len(head) - names)]
    lines = [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]
    title = [f"# {markdown(comparison.title)}", ""] if comparison.title else []
    return "\n".join([*title, *lines, "", f"{SPREADS} {NOT_VALIDATED}", ""])


def _plot(comparison: Comparison, metric: str, suffix: str) -> bytes:
    if metric not in comparison.metrics:
        raise InvalidRequest(f"no job has the metric {metric}{nearest(metric, comparison.metrics)}")
    if comparison.over is not None:
        return _plot_over(comparison, comparison.over, metric, suffix)
    prefix = "" if comparison.by == SWEEP else f"{comparison.by} "
    points = [
        Point(prefix + group.name, group.numbers[SECONDS], group.numbers[metric])
        for group in comparison.groups
        if metric in group.numbers and SECONDS in group.numbers
    ]
    text = PlotText(comparison.title, "seconds of rendering", _up(metric), _note(metric, ARMS))
    if suffix == ".html":
        return trade_off_page(points, text, _html(comparison))
    return trade_off_plot(points, text, "svg" if suffix == ".svg" else "png")


def _plot_over(comparison: Comparison, over: str, metric: str, suffix: str) -> bytes:
    values = {group.label: group.at for group in comparison.groups}
    places = places_of(list(values.values()), list(values))
    found = {(group.name, group.label): group.numbers.get(metric) for group in comparison.groups}
    names = dict.fromkeys(group.name for group in comparison.groups)
    lines = [
        SpreadLine(f"{comparison.by} {name}".strip(), [found.get((name, label)) for label in values]) for name in names
    ]
    spread = ARMS if places.numbers is None or suffix == ".html" else BAND
    text = PlotText(comparison.title, over, _up(metric), _note(metric, spread))
    if suffix == ".html":
        return over_page(lines, places, text, _html(comparison))
    return over_plot(lines, places, text, "svg" if suffix == ".svg" else "png")


def _up(metric: str) -> str:
    return f"{metric} ({'more' if higher_is_better(metric) else 'less'} is closer)"


def _note(metric: str, spread: str) -> str:
    meaning = f"{metric}: {MEASURES[metric].description}. " if metric in MEASURES else ""
    return f"{meaning}{spread} {NOT_VALIDATED}"


def _html(comparison: Comparison) -> str:
    head, *rows = table(comparison)
    heads = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="table"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
