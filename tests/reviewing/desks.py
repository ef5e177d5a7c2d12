"""A review of a few drawn people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.labelling.correction_lines import to_corrections_csv
from maskkit.reviewing.desk import Desk
from maskkit.stages.audit import CORRECTION_COLUMNS
from maskkit.stages.review import review

# Of the people of `train_csv`: 000001 is male and 19, 000002 female and 19, 000003 male and 27.
PROPOSED = [
    ("", "000001", "gender", "female", "male", "suspect:person", "0.9000", "P(female) = 0.9, 7 of 7 agree"),
    ("", "000001", "age", "60plus", "19", "suspect:person", "0.8000", "P(60plus) = 0.8"),
    (
        "000002_female_Asian_19/mask1.jpg",
        "000002",
        "mask",
        "none",
        "wear",
        "suspect:photo",
        "0.7000",
        "P(none)",
    ),
    ("", "000003", "age", "30to59", "27", "suspect:person", "0.6000", "P(30to59) = 0.6"),
]


def fixes(rows: Sequence[Sequence[str]] = PROPOSED) -> Source:
    """Return proposals as `audit --corrections` writes them."""
    return Source("fixes.csv", pa.py_buffer(to_corrections_csv(CORRECTION_COLUMNS, rows)))


def desk_of(manifest: Manifest, output: Path | None = None, **how: Any) -> Desk:
    """Return a review of PROPOSED, and begin its file."""
    desk = review(manifest, how.pop("fixes", fixes()), output=output, **how)
    desk.decisions.save()
    return desk


def rows_of(data: bytes | Path) -> list[dict[str, str]]:
    """Return the lines of a CSV of corrections."""
    text = data.read_bytes() if isinstance(data, Path) else data
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))


def decided(data: bytes | Path) -> list[tuple[str, str, str]]:
    """Return column, value and word of each line."""
    return [(row["column"], row["value"], row["reviewed"]) for row in rows_of(data)]
