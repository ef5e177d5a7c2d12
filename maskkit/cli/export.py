"""`maskkit export`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.streams import source, target


def export(
    context: typer.Context,
    checkpoint: Annotated[
        Optional[str],
        typer.Argument(
            metavar="CHECKPOINT",
            help="A model, from `maskkit train`; `-` reads standard input.",
            show_default=False,
        ),
    ] = None,
    output: common_options.Output = None,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:  # fmt: skip
    """Write a model as ONNX, for programs that know neither maskkit nor torch.

    It takes `images`, any number of them, to `logits`. Its metadata hold the classes, and how a photo
    becomes numbers. What it computes is compared with torch before it is written.

    Example: maskkit export run/fold0.safetensors -o model.onnx
    """
    from maskkit.artifacts.checkpoint import Checkpoint

    to = target(output, force=force, inputs=[checkpoint])
    given = Checkpoint.read(source(checkpoint, what="checkpoint"))
    common_options.stop_if_dry(context, dry_run)
    from maskkit.stages.export import export as stage  # torch: the checks above need it not

    data = stage(given)
    to.write(data)
    size = f"{given.preprocess.height}x{given.preprocess.width}"
    terminal.note(f"{given.model} at {size}, {len(given.space)} classes, {len(data) / 1e6:.1f} MB")
