"""--survey of the commands that look at photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from maskkit.cli.shell.parameters import Source

if TYPE_CHECKING:
    from maskkit.imaging.surveyed import SurveyedPhotos


def surveys(sources: Sequence[Source]) -> list[SurveyedPhotos]:
    """Read the surveys that are taken in the place of photos."""
    from maskkit.imaging.surveyed import SurveyedPhotos

    return [SurveyedPhotos.read(source) for source in sources]
