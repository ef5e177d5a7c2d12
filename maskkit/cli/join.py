"""`maskkit join`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Reading, Source


@command(loads="tables")
def join(
    *,
    parts: Annotated[
        list[Source],
        "What the shards of one run have made: files in any order, a folder of them, or a pattern in quotes, "
        "such as 'parts/*.parquet'.",
        Argument("PART"),
        Reading(what="part"),
    ],
    output: common_options.Output = OMITTED,
) -> None:
    """Join the parts that --shard of label, crop or predict has made into what they are together.

    The whole has the bytes of a run that was not divided. Commands read a folder or a pattern of parts as one
    without that: this is for other programs, for safekeeping, and so as not to join again and again.

    Example: maskkit join parts/*.parquet -o predictions.parquet
    """
    from maskkit.stages.join import join as stage

    whole = stage(parts)
    output.write(whole.data)
    terminal.note(f"joined {len(parts)} parts" if len(parts) > 1 else f"joined {parts[0].title}")
