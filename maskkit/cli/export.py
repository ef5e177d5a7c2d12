"""`maskkit export`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Checkpoint


@command()
def export(
    *,
    checkpoint: Annotated[
        Checkpoint, "A model, from `maskkit train`; `-` reads standard input.", Argument()
    ] = OMITTED,
    output: common_options.Output = OMITTED,
) -> None:
    """Write a model as ONNX, for programs that know neither maskkit nor torch.

    It takes `images`, any number of photos, to `logits`. Its metadata hold the classes, and how a photo
    becomes numbers. What it computes is compared with torch before it is written.

    Example: maskkit export run/fold0.safetensors -o model.onnx
    """
    from maskkit.stages.export import export as stage

    data = stage(checkpoint)
    output.write(data)
    size = f"{checkpoint.preprocess.height}x{checkpoint.preprocess.width}"
    terminal.note(f"{checkpoint.model} at {size}, {len(checkpoint.space)} classes, {len(data) / 1e6:.1f} MB")
