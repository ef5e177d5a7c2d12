"""`--like`: the options of models that are there, as defaults of the command that makes another."""

from __future__ import annotations

import typer

from maskkit.cli.shell.recipes import as_typed
from maskkit.cli.shell.startup import prepare_for_torch


def read_like(context: typer.Context, names: list[str] | None) -> list[str] | None:
    """Make the options of these checkpoints the command's defaults; recipe and command line win."""
    if not names or context.resilient_parsing:
        return names
    prepare_for_torch()
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.training.likeness import shared_options

    options = {str(item.name): item for item in context.command.params}
    values = {  # checked, because models of other versions, and what other programs wrote, are read too
        name: as_typed(context, options[name], value, whose=f"the training of {names[0]} has set")
        for name, value in shared_options([Checkpoint.read(name) for name in names]).items()
    }
    context.default_map = {**values, **(context.default_map or {})}
    return names
