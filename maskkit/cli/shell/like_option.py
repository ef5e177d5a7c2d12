"""`--like`: the options of models that are there, as defaults of the command that makes another."""

from __future__ import annotations

import typer

from maskkit.cli.shell.startup import prepare_for_torch


def read_like(context: typer.Context, names: list[str] | None) -> list[str] | None:
    """Make the options of these checkpoints the command's defaults; recipe and command line win."""
    if not names or context.resilient_parsing:
        return names
    prepare_for_torch()
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.training.likeness import shared_options

    shared = shared_options([Checkpoint.read(name) for name in names])
    values = {name: value if isinstance(value, bool) else str(value) for name, value in shared.items()}
    context.default_map = {**values, **(context.default_map or {})}
    return names
