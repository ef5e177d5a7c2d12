"""`maskkit demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.streams import print_line


@command()
def demo(
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    people: Annotated[int, typer.Option(min=1, max=400, help="People in the training set.")] = 150,
    test_people: Annotated[int, typer.Option(min=0, max=400, help="People in the test set.")] = 40,
    seed: common_options.Seed = 0,
    force: common_options.Force = False,
) -> None:
    """Draw a small data set in the competition's layout, of people who do not exist.

    DIR/train holds train.csv and seven photos per person, DIR/eval holds info.csv, its photos, and
    answers.csv with their truth.

    Example: maskkit demo demo
    """
    from maskkit.stages.demo import demo as stage

    stage(directory, people=people, test_people=test_people, seed=seed, force=force)
    print_line(str(directory))
