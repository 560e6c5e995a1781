"""Plots as HTML files that need nothing else: Plotly, with its own script in them."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stylefarm.producer.charts.losses import LossCurve, curve_keys
from stylefarm.producer.charts.over import DODGE, Places, SpreadLine
from stylefarm.producer.charts.tradeoff import (
    PlotText,
    Point,
    Spread,
    metric_spans_decades,
    needs_logarithm,
    spans_decades,
)
from stylefarm.producer.theme import BACKGROUND, BRIGHT, MUTED, PANEL, RULE, SERIES, TEXT, term_colors
from stylefarm.shared.errors import InvalidRequest

# More names than these are listed beside the plot, in a list that scrolls.
MOST_BELOW = 6
_NO_PLOTLY = "an interactive plot needs Plotly, which is not installed: pip install 'stylefarm[plots]', or ask for .svg"


def loss_page(curves: Mapping[str, LossCurve], *, title: str = "", log: bool = True) -> bytes:
    """Return the HTML of loss curves: of one job by term, of more their totals; the scale can be changed on the page.

    Args:
        curves: by the name of the job.
        title: above the plot.
        log: whether the scale is logarithmic at first.

    Returns:
        The page, UTF-8.

    Raises:
        InvalidRequest: Plotly is not installed.

    Example:
        Path("losses.html").write_bytes(loss_page({"cat": loss_curve(job)}, title="cat"))
    """
    if len(curves) == 1:
        (curve,) = curves.values()
        colors = term_colors(curve.terms)
        lines = [(term, term, curve.iterations, values, colors[term]) for term, values in curve.terms.items()]
    else:
        keys = curve_keys(curves)
        places = {key: number for number, key in enumerate(dict.fromkeys(keys.values()))}
        lines = [
            (name, keys[name], curve.iterations, curve.total, SERIES[places[keys[name]] % len(SERIES)])
            for name, curve in curves.items()
        ]
        # So the key has the order of the lines at their ends.
        lines.sort(key=lambda line: -_last(line[3]))
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines" if len(values) > 1 else "markers",
            "name": _safe(key),
            "legendgroup": _safe(key),
            "text": _safe(name),
            "hovertemplate": "%{text}<br>%{y:.4g} at %{x}<extra></extra>",
            "x": list(iterations[: len(values)]),
            "y": [value if math.isfinite(value) and (value > 0 or not log) else None for value in values],
            "line": {"color": color, "width": 1.6},
        }
        for name, key, iterations, values, color in lines
        if len(values)
    ]
    seen: set[str] = set()
    for trace in traces:
        trace["showlegend"] = trace["name"] not in seen
        seen.add(trace["name"])
    layout = _layout("iteration", "loss", log=log)
    if len(curves) > 1 or len(traces) > MOST_BELOW:
        layout["legend"] = {**layout["legend"], "orientation": "v", "y": 1, "yanchor": "auto"}
    buttons = [_scale("logarithmic", "log"), _scale("linear", "linear")]
    layout["updatemenus"] = [
        {
            "type": "buttons",
            "direction": "right",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "showactive": False,
            "buttons": buttons,
            "bgcolor": PANEL,
            "bordercolor": RULE,
            "font": {"color": TEXT, "size": 12},
        }
    ]
    return _page(traces, layout, title, "")


def _last(values: Sequence[float]) -> float:
    return next((value for value in reversed(values) if math.isfinite(value)), -math.inf)


def trade_off_page(points: Sequence[Point], text: PlotText, below: str = "") -> bytes:
    """Return the HTML of a point for each method, with arms to the quartiles in both directions.

    Args:
        points: the methods.
        text: title, axes and note of the plot.
        below: HTML for under it.

    Returns:
        The page, UTF-8.

    Raises:
        InvalidRequest: Plotly is not installed.

    Example:
        page = trade_off_page(points, PlotText("methods", "seconds", "ssim", ""))
    """
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": _safe(point.name),
            "x": [point.x.median],
            "y": [point.y.median],
            "error_x": _arms(point.x),
            "error_y": _arms(point.y),
            "marker": {"size": 11, "color": SERIES[number % len(SERIES)]},
            "hovertemplate": f"{_safe(str(point.y))}<br>in {_safe(str(point.x))} s<br>{point.y.count} jobs",
        }
        for number, point in enumerate(points)
    ]
    layout = _layout(text.across, text.up, log=False)
    layout["xaxis"]["type"] = "log" if spans_decades(points) else "linear"
    layout["yaxis"]["type"] = "log" if metric_spans_decades(points) else "linear"
    return _page(traces, layout, text.title, text.note, below)


def over_page(lines: Sequence[SpreadLine], places: Places, text: PlotText, below: str = "") -> bytes:
    """Return the HTML of a metric over an axis: medians, with arms to the quartiles.

    Args:
        lines: the methods.
        places: the values of the axis.
        text: title, axes and note of the plot.
        below: HTML for under it.

    Returns:
        The page, UTF-8.

    Raises:
        InvalidRequest: Plotly is not installed.

    Example:
        page = over_page(lines, places, PlotText("methods", "style_weight", "ssim", ""))
    """
    traces = []
    for number, line in enumerate(lines):
        found = zip(places.positions, places.labels, line.spreads, strict=True)
        points = sorted((place, label, spread) for place, label, spread in found if spread)
        spreads = [spread for _, _, spread in points]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers" if places.numbers is None else "lines+markers",
                "name": _safe(line.name),
                "x": [_safe(label) if places.numbers is None else place for place, label, _ in points],
                "y": [spread.median for spread in spreads],
                "error_y": {
                    "type": "data",
                    "array": [spread.arms[1] for spread in spreads],
                    "arrayminus": [spread.arms[0] for spread in spreads],
                    "thickness": 1,
                },
                "marker": {"size": 8, "color": SERIES[number % len(SERIES)]},
                "line": {"width": 1.6, "color": SERIES[number % len(SERIES)]},
                "text": [f"{_safe(text.across)} {_safe(label)}<br>{spread}" for _, label, spread in points],
                "hovertemplate": "%{text}<br>%{fullData.name}<extra></extra>",
            }
        )
    shown = [value for line in lines for spread in line.spreads if spread for value in (spread.low, spread.high)]
    layout = _layout(_safe(text.across), text.up, log=needs_logarithm(shown))
    layout["showlegend"] = len(lines) > 1
    kind: dict[str, Any]
    if places.numbers is None:
        kind = {"type": "category", "categoryarray": [_safe(label) for label in places.labels]}
        layout |= {"scattermode": "group", "scattergap": 1 - DODGE}
    else:
        ticks = {"tickvals": list(places.numbers), "ticktext": [_safe(label) for label in places.labels]}
        kind = {"type": "log" if places.logarithmic else "linear", **ticks}
    layout["xaxis"] |= kind
    return _page(traces, layout, text.title, text.note, below)


def _arms(spread: Spread) -> dict[str, Any]:
    below, above = spread.arms
    return {"type": "data", "array": [above], "arrayminus": [below], "thickness": 1}


def _scale(label: str, kind: str) -> dict[str, Any]:
    return {"label": label, "method": "relayout", "args": [{"yaxis.type": kind}]}


def _layout(across: str, up: str, *, log: bool) -> dict[str, Any]:
    axis = {
        "gridcolor": RULE,
        "zerolinecolor": RULE,
        "linecolor": RULE,
        "tickfont": {"color": MUTED},
        "automargin": True,
    }
    return {
        "paper_bgcolor": BACKGROUND,
        "plot_bgcolor": PANEL,
        "font": {"color": TEXT, "family": "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"},
        "margin": {"l": 64, "r": 24, "t": 48, "b": 16},
        "hoverlabel": {"bgcolor": PANEL, "font": {"color": TEXT}},
        "legend": {"bgcolor": "rgba(0,0,0,0)", "orientation": "h", "y": -0.16, "yanchor": "top"},
        "showlegend": True,
        "xaxis": {**axis, "title": {"text": across, "font": {"color": MUTED}}},
        "yaxis": {
            **axis,
            "title": {"text": up, "font": {"color": MUTED}},
            "type": "log" if log else "linear",
            "nticks": 6,
            "exponentformat": "power",
        },
    }


def _page(
    traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], title: str, note: str, below: str = ""
) -> bytes:
    try:
        from plotly.graph_objects import Figure
        from plotly.io import to_html
    except ImportError as error:
        raise InvalidRequest(_NO_PLOTLY) from error
    # Lists rather than arrays: Plotly would encode arrays as base64, which is larger for short curves and not readable.
    figure = Figure(data=list(traces), layout=layout)
    options = {"displaylogo": False, "responsive": True}
    plot = to_html(figure, options, include_plotlyjs=True, full_html=False, default_height="100%")
    heading = html.escape(title)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading or "losses"}</title>
<style>
html, body {{ height: 100%; margin: 0; background: {BACKGROUND}; color: {TEXT}; }}
body {{ display: flex; flex-direction: column; font: 14px/1.4 system-ui, "DejaVu Sans", sans-serif; }}
h1 {{ margin: 16px 24px 0; font-size: 20px; font-weight: 600; color: {BRIGHT}; overflow-wrap: anywhere; }}
main {{ flex: 1; min-height: 320px; padding: 0 8px; }}
main > div {{ height: 100%; }}
.table {{ margin: 8px 24px; overflow-x: auto; flex: none; }}
table {{ border-collapse: collapse; white-space: nowrap; font-variant-numeric: tabular-nums; }}
th, td {{ font-size: 13px; padding: 4px 12px 4px 0; text-align: left; border-bottom: 1px solid {RULE}; }}
th {{ color: {MUTED}; font-weight: 500; font-size: 12px; }}
/* Plotly renders its buttons as it likes, and white where the mouse is. */
.updatemenu-item-rect {{ fill: {PANEL} !important; }}
.updatemenu-button:hover .updatemenu-item-rect {{ fill: {RULE} !important; }}
/* All but the plot comes first, since Plotly takes the room that is left when it draws. */
main {{ order: 1; }}
.table {{ order: 2; }}
p {{ order: 3; margin: 8px 24px 16px; font-size: 12px; color: {MUTED}; }}
</style>
</head>
<body>
<h1>{heading}</h1>
{below}
<p>{html.escape(note)}</p>
<main>{plot}</main>
</body>
</html>
""".encode()


def _safe(name: str) -> str:
    """Escape a name for Plotly, which takes some HTML in names."""
    return html.escape(" ".join(name.split()), quote=False) or " "
