"""`maskkit show`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Only, Source
from maskkit.cli.shell.streams import STREAM, print_json, print_line


@command(loads="tables")
def show(
    *,
    artifact: Annotated[
        Source,
        "A manifest, predictions, a checkpoint, an exported model or a decision; `-` reads standard input.",
        Argument(),
    ] = OMITTED,
    history: Annotated[bool, "Print the commands that made it, as a shell script."] = False,
    shown: Annotated[common_options.ReportOptions, Only("json")],
) -> None:
    """Say what an artifact is: kind, label space, counts, columns; with --history, how it was made.

    Example: maskkit show run/fold0.safetensors --history
    """
    from maskkit.artifacts.script import script
    from maskkit.reporting.stage_reports import artifact_report
    from maskkit.stages.show import header_of
    from maskkit.stages.show import show as stage

    if history:
        records = header_of(artifact).history
        if shown.json:
            print_json([record.to_json() for record in records])
        else:
            print_line(script(records, output=artifact.name if artifact.name != STREAM else "output"))
        return
    shown.show(artifact_report(stage(artifact)))
