"""The palette of contact sheets, plots and pages: dark, so that pictures stand out.

Colors are sRGB, as "#rrggbb".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stylefarm.shared.db.states import State

BACKGROUND, PANEL, RULE = "#14161b", "#1b1e25", "#2c313b"
BRIGHT, TEXT, MUTED = "#f2f4f8", "#c9ced8", "#858c9a"
# The stripes in place of a picture that is missing, and of one whose job failed.
HATCH, FAILED_PANEL, FAILED_HATCH = "#252932", "#241a1d", "#332227"
BACKDROP = "#0b0c0f"
"""What dims a page behind a dialog."""

MISSING = "#343a46"
STATES: Mapping[State, str] = {
    State.WAITING: "#434a58",
    State.QUEUED: "#5b6373",
    State.RUNNING: "#6fb1f5",
    State.PAUSED: "#b79a5b",
    State.DONE: "#5fae86",
    State.FAILED: "#e58a8a",
    State.CANCELLED: "#8d7a9c",
}

_TERMS: Mapping[str, str] = {"total": BRIGHT, "content": "#6fb1f5", "style": "#f2a35e", "tv": "#7cc79a"}
SERIES = ("#6fb1f5", "#f2a35e", "#7cc79a", "#c79ad9", "#e5c07b", "#e58a8a", "#72c6c9", "#a3adc2", "#d98cb3", "#9fc46b")
"""The curves of a plot, one after the other; after the last, the first again."""


def term_colors(names: Iterable[str]) -> dict[str, str]:
    """Return a color for each term of a loss, in order, each once: the usual ones have their own.

    Args:
        names: the terms.

    Example:
        >>> term_colors(["total", "energy"])
        {'total': '#f2f4f8', 'energy': '#c79ad9'}
    """
    distinct = list(dict.fromkeys(names))
    free = [color for color in SERIES if color not in _TERMS.values()]
    others = [name for name in distinct if name not in _TERMS]
    own = {name: free[number % len(free)] for number, name in enumerate(others)}
    return {name: own.get(name) or _TERMS[name] for name in distinct}


def css_variables() -> str:
    """Return the palette as CSS custom properties, one a line, for the `:root` rule of a page.

    Example:
        >>> css_variables().splitlines()[0]
        '  --background: #14161b;'
    """
    named = {
        "background": BACKGROUND,
        "panel": PANEL,
        "rule": RULE,
        "bright": BRIGHT,
        "text": TEXT,
        "muted": MUTED,
        "hatch": HATCH,
        "failed-panel": FAILED_PANEL,
        "failed-hatch": FAILED_HATCH,
        "backdrop": BACKDROP,
        "missing": MISSING,
        **{str(state): color for state, color in STATES.items()},
    }
    return "\n".join(f"  --{name}: {color};" for name, color in named.items())
