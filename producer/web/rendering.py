"""The process that renders beside the server of an embedded farm: begun, watched, begun anew, and ended."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.console import say
from stylefarm.shared.settings import Settings

LOOK_SECONDS = 0.2
# Before it is begun anew: what has ended it may end it again.
PAUSE_SECONDS = 2.0
END_SECONDS = 30.0


@contextmanager
def rendering(farm: Farm) -> Iterator[None]:
    """Render the jobs of an embedded farm in a process of its own, so that pages answer at once meanwhile."""
    if not farm.settings.embedded:
        yield
        return
    ended = threading.Event()
    keeper = threading.Thread(target=_keep_rendering, args=(farm.settings, ended))
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def _keep_rendering(settings: Settings, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            end = f"has ended ({_reason(_render_until(settings, ended))})"
        except OSError as error:  # no memory for another process, which may pass
            end = f"could not be started ({error.strerror})"
        if not ended.is_set():
            say(f"the process that renders {end}: another one begins in {PAUSE_SECONDS:.0f} s")
            ended.wait(PAUSE_SECONDS)


def _render_until(settings: Settings, ended: threading.Event) -> int:
    """Run the process until it ends or is to end; return its exit code."""
    command = [sys.executable, "-m", "stylefarm.producer.web.renderer"]
    # Unbuffered, so that nothing is left to be written to a process that has ended.
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as process:  # noqa: S603 - a module of our own
        if process.stdin is not None:
            # The environment and stylefarm.toml may name another farm. That it has ended already is seen below.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(_as_line(settings))
        while process.poll() is None and not ended.wait(LOOK_SECONDS):
            pass
        # The end of its input tells it to end, and so does the end of this process.
        if process.stdin is not None:
            process.stdin.close()
        try:
            return process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _as_line(settings: Settings) -> bytes:
    return json.dumps(settings.model_dump(), default=_as_text).encode() + b"\n"


def _as_text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _reason(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"
