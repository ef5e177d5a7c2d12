"""What is said of photos that cannot be used, and of those that are not whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pyarrow as pa

from maskkit.errors import MaskkitError, examples
from maskkit.labels import AGE, OLDEST
from maskkit.storage.address import PathOrAddress

log = logging.getLogger(__name__)

NAMED = 20  # how many bad photos an error names


def report_bad(bad: Mapping[str, str], root: PathOrAddress, total: int, *, skip_bad: bool) -> None:
    """Say which photos cannot be used, and why, of so many in all.

    Raises:
        MaskkitError: None is left, or they are not to be left out.
    """
    named = examples((f"{name} ({why})" for name, why in bad.items()), most=NAMED)
    if len(bad) == total and set(bad.values()) == {"missing"}:
        raise MaskkitError(
            f"none of the {total} photos is under {root}",
            why=f"there is no {root / next(iter(bad))}",
            fix="use --root to name the folder that the paths are relative to",
        )
    if not skip_bad:
        raise MaskkitError(
            f"{len(bad)} of {total} photos cannot be used",
            why=named,
            fix="repair, rename or replace them, or use --skip-bad to leave them out",
        )
    if len(bad) == total:
        raise MaskkitError(f"none of {total} photos can be used", why=named, fix="check the table and --root")
    log.warning("left out %d of %d photos: %s", len(bad), total, named)


def report_ages(ages: Mapping[int, object], table: pa.Table, *, skip_bad: bool) -> None:
    """Say which ages nobody has, of rows where no correction says another.

    Raises:
        MaskkitError: They are not to be taken as unknown.
    """
    rows = [row for row in ages if not table[AGE][row].is_valid]
    if not rows:
        return
    paths = table["path"].take(pa.array(rows)).to_pylist()
    named = examples(
        (f"{path} ({AGE} {ages[row]})" for path, row in zip(paths, rows, strict=True)), most=NAMED
    )
    if not skip_bad:
        raise MaskkitError(
            f"{len(rows)} photos have an {AGE} below 0 or above {OLDEST}",
            why=named,
            fix="correct it in the table or by --corrections, or leave the cell empty; with --skip-bad, such "
            "an age is unknown",
        )
    log.warning(
        "the %s of %d photos is below 0 or above %d, and unknown now: %s", AGE, len(rows), OLDEST, named
    )


def say_what_is_lacking(complaints: Mapping[str, str], total: int) -> None:
    """Name photos that can be decoded, though their pixels are not all there: every reader reads them so."""
    named = examples((f"{name} ({what})" for name, what in complaints.items()), most=NAMED)
    log.warning(
        "%d of %d photos are incomplete or damaged, and taken as they are (`maskkit audit` lists them): %s",
        len(complaints), total, named,
    )  # fmt: skip
