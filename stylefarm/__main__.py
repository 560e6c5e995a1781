"""The program `stylefarm`, also as `python -m stylefarm`."""

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    # While it is being imported there is nothing to put in order; Python's own handler would print a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stylefarm.producer import cli

    cli.main()


if __name__ == "__main__":
    main()
