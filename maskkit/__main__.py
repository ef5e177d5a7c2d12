"""Run maskkit as `python -m maskkit`, which is also how torchrun starts it."""

from maskkit.cli import main

main()
