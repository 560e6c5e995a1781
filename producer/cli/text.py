"""A job's status in words."""

from __future__ import annotations

from rich.text import Text

from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State
from stylefarm.shared.text import counted

COLORS = {
    State.DONE: "green",
    State.FAILED: "red",
    State.CANCELLED: "yellow",
    State.RUNNING: "cyan",
}


def colored(state: State) -> Text:
    """Return the state in its color; one of another release is said to be."""
    if state not in list(State):
        return Text(f"{state} (of another release)")
    return Text(str(state), style=COLORS.get(state, ""))


def progress_of(status: Status) -> str:
    """Return the steps done of all steps, as in 120/300."""
    return f"{status.iteration}/{status.iterations}"


def loss_of(status: Status) -> str:
    """Return the last total loss in four digits, marked where it has grown; or nothing."""
    diverged = " (diverged)" if status.warning else ""
    return "" if status.loss is None else f"{status.loss:.4g}{diverged}"


def rating_of(status: Status) -> str:
    """Return the stars and the flag, as in "4 stars, pick"; or nothing."""
    stars = "" if status.stars is None else counted(status.stars, "star")
    return ", ".join(filter(None, (stars, status.flag)))


def duration(seconds: float) -> str:
    """Return a time that is only roughly known, in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
