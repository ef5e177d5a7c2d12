"""Run maskkit as `python -m maskkit`, which is also how torchrun starts it, or as the command `maskkit`."""

import gc

# Modules stay: looking through theirs for garbage at every turn took a tenth of a small command's time.
gc.set_threshold(10_000)

from maskkit.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
