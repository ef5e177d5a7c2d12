"""`maskkit demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import Argument
from maskkit.cli.shell.streams import print_line
from maskkit.options.fields import Between
from maskkit.storage.address import place_typed


@command()
def demo(
    *,
    directory: Annotated[Path, "Folder to make.", Argument("DIR")],
    people: Annotated[int, "People in the training set.", Between(1, 400)] = 150,
    test_people: Annotated[int, "People in the test set.", Between(0, 400)] = 40,
    seed: common_options.Seed = 0,
    force: common_options.Force = False,
) -> None:
    """Draw a small data set in the competition's layout, of people who do not exist.

    DIR/train holds train.csv and seven photos per person, DIR/eval holds info.csv, its photos, and
    answers.csv with their truth.

    Example: maskkit demo demo
    """
    from maskkit.stages.demo import demo as stage

    if not isinstance(place_typed(directory), Path):
        raise typer.BadParameter("photos are drawn into a folder of this machine", param_hint="DIR")
    stage(directory, people=people, test_people=test_people, seed=seed, force=force)
    print_line(str(directory))
