"""Whether jobs that are submitted now would be rendered, and what is missing if not."""

from __future__ import annotations

import importlib.util

from stylefarm.producer.client.session import Session
from stylefarm.shared.db.states import WorkerState
from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.queue.routes import queue_name
from stylefarm.shared.spec.terms import Terms


def check_renderer(farm: Session) -> None:
    """Check that an embedded farm can render here, before a command that waits stores anything.

    Args:
        farm: the farm; one on servers has workers to render, and passes.

    Raises:
        InvalidSettings: this machine has no PyTorch.

    Example:
        check_renderer(farm)
        farm.submit(content="cat.jpg", style="waves.jpg").result()
    """
    if farm.settings.embedded and importlib.util.find_spec("torch") is None:
        raise InvalidSettings(
            "this farm is embedded, and there is no PyTorch on this machine to render with: pip install"
            " 'stylefarm[worker]', or name the servers of a farm with workers in the settings"
        )


def obstacle(farm: Session, terms: Terms) -> str | None:
    """Return why nothing would render jobs that are submitted now; None if something would.

    Args:
        farm: the farm.
        terms: those of the jobs, of which the device and the label count.

    Raises:
        ServiceUnavailable: the database does not answer.

    Example:
        print(obstacle(farm, Terms(device="gpu")) or "ready")
    """
    try:
        check_renderer(farm)
    except InvalidSettings as error:
        return str(error)
    # A farm over HTTP sees to its jobs itself.
    if farm.settings.embedded or farm.settings.url is not None:
        return None
    listed = farm.services.workers.listed()
    queue = queue_name(terms.device, terms.label)
    if any(entry.state == WorkerState.ACTIVE and queue in entry.worker.queues for entry in listed):
        return None
    which = f"jobs for device {terms.device}" + (f" and label {terms.label}" if terms.label else "")
    return f"no worker takes {which} now: they wait until one is started (stylefarm worker start)"
