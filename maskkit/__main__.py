"""Run maskkit as `python -m maskkit`, which is also how torchrun starts it, or as the command `maskkit`."""

import os
import signal

# First of all: until more is loaded, Ctrl-C ends in its exit code instead of a traceback out of an import.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` and shells for `&` want it
        signal.signal(number, lambda number, _: os._exit(128 + number))

import gc  # noqa: E402
from typing import NoReturn  # noqa: E402

# Modules stay: looking through theirs for garbage at every turn took a tenth of a small command's time.
gc.set_threshold(10_000)


def main() -> NoReturn:
    """Run the command line, and end the process."""
    from maskkit.stopping import take_over

    take_over()
    from maskkit.cli import run
    from maskkit.cli.shell.exiting import end

    end(run())


if __name__ == "__main__":
    main()
