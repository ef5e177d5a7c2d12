"""What tables name otherwise than folders do: another form of Unicode, ids without their leading zeros."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from maskkit.imaging.spelling import spelled_otherwise
from maskkit.storage.address import PathOrAddress

log = logging.getLogger(__name__)

ID_OF_FOLDER = r"^(?:.*/)?([^_/]+)(?:_[^/]*)?/*$"  # 001498 of images/001498_male_Asian_23
LEADING_ZEROS = r"^0+(.)"


def as_on_disk(paths: pa.ChunkedArray, folder: PathOrAddress) -> pa.ChunkedArray:
    """Return paths as they are spelled under a folder, where that differs in the form of Unicode alone."""
    is_ascii = pc.string_is_ascii(paths)
    if pc.all(is_ascii, min_count=0).as_py():
        return paths
    spelled = spelled_otherwise(folder, paths.filter(pc.invert(is_ascii)).to_pylist())
    return with_spelling(paths, spelled)


def with_spelling(texts: pa.ChunkedArray, spelled: Mapping[str, str]) -> pa.ChunkedArray:
    """Return texts, some of which are spelled in another way."""
    if not spelled:
        return texts
    place = pc.index_in(texts, value_set=pa.array(spelled, pa.string()))
    return pc.coalesce(pa.array(spelled.values(), pa.string()).take(place.combine_chunks()), texts)


def full_ids(ids: pa.ChunkedArray, folders: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return people's ids as their folders begin with them, if a program made 1498 of 001498 in a table.

    Every folder has to begin with the number of its row.
    """
    begins = pc.replace_substring_regex(folders, ID_OF_FOLDER, r"\1")
    texts = pc.replace_substring_regex(
        pc.utf8_trim_whitespace(ids.cast(pa.string())), r"^([0-9]+)\.0$", r"\1"
    )
    short, full = (pc.replace_substring_regex(one, LEADING_ZEROS, r"\1") for one in (texts, begins))
    if not pc.all(pc.fill_null(pc.equal(short, full), False), min_count=0).as_py():
        return ids
    lost = pc.sum(pc.not_equal(texts, begins)).as_py()
    if not lost:
        return ids
    row = pc.index(pc.not_equal(texts, begins), True).as_py()
    log.warning(
        "%d ids of train.csv lost their leading zeros, such as %s: they are those of the folders, such as %s",
        lost, texts[row], begins[row],
    )  # fmt: skip
    return begins
