"""Find what is wrong with a data set, and what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.header import Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.auditing.data_faults import (
    contradictions,
    duplicates_against,
    duplicates_inside,
    faceless,
    odd_numbers_of_photos,
    odd_photos,
    people_in_two_folds,
)
from maskkit.auditing.findings import Audit, flags, ranked, rows_by_person
from maskkit.auditing.label_errors import SURENESS, suspect_labels
from maskkit.errors import RefusedError
from maskkit.imaging.roots import photo_files
from maskkit.imaging.survey import Duplicates, find_duplicates, joined
from maskkit.imaging.surveyed import SurveyedPhotos, surveys_of
from maskkit.imaging.thumbnails import MOST_PHOTOS, thumbnail
from maskkit.labelling.correction_lines import to_corrections_csv
from maskkit.progress import track
from maskkit.reporting.table import Photo
from maskkit.scoring.judged import Judged

CORRECTION_COLUMNS = ("path", "person_id", "column", "value", "from", "kind", "confidence", "evidence")

KEEP_TOGETHER = (
    "find out whose photo it is, or keep both people together: maskkit audit -o flagged.parquet, "
    "then maskkit split flagged.parquet --keep-with duplicate_group"
)
FIXES = {
    "leak:person": "split again: maskkit split --by person",
    "leak:folds": KEEP_TOGETHER,
    "leak:people": KEEP_TOGETHER,
    "leak:against": "take the photo out of one of the sets",
}


def audit(
    manifest: Manifest,
    predictions: Predictions | None = None,
    *,
    against: Sequence[Manifest] = (),
    no_photos: bool = False,
    sureness: float = SURENESS,
    kept: ProgressFile | None = None,
    known: Sequence[SurveyedPhotos] = (),
) -> Audit:
    """Look for leaks, people who contradict themselves, doubtful labels and odd photos.

    The manifest is read with `divided=True`, so that people in two folds can be reported. Without
    predictions (out-of-fold probabilities), labels are not doubted; with `no_photos`, neither duplicates nor
    odd photos are looked for. The data sets of `against`, such as the test set, share no photo with it.
    `sureness` is how sure models must be of another level, as a share of how sure they usually are of it.
    Looks at photos that are `kept` are taken from there, and what is `known` of all of them, at half their
    size, in the place of any.

    Raises:
        MaskkitError: Photos are not under the root, or predictions do not fit or hold no probabilities.
        RefusedError: The predictions are of models that have seen the people.
    """
    probs = None if predictions is None else _probabilities(manifest, predictions)  # (rows, C)
    findings = [*people_in_two_folds(manifest), *contradictions(manifest), *odd_numbers_of_photos(manifest)]
    findings += faceless(manifest)
    checks = ["people"]
    if probs is not None:
        findings += suspect_labels(manifest, probs, sureness=sureness)
        checks.append("labels")
    own: Duplicates | None = None
    if not no_photos:
        # Half the size shows blur as well as the whole, in two thirds of the time.
        surveys = surveys_of([manifest, *against], half=True, kept=kept, known=known)
        pairs = find_duplicates(joined(surveys))
        own = pairs.inside(len(manifest))
        findings += odd_photos(manifest, surveys[0])
        findings += duplicates_inside(manifest, own)
        findings += duplicates_against(manifest, pairs, against)
        checks.append("photos")
    return Audit(manifest, ranked(findings), own, tuple(checks))


def record_of(
    manifest: Manifest,
    predictions: Predictions | None = None,
    against: Sequence[Manifest] = (),
    options: Mapping[str, Any] | None = None,
    *,
    leaks: Mapping[str, int] | None = None,
) -> Record:
    """Return the record of an audit of these; `leaks` are those found, how many by kind."""
    inputs = [] if predictions is None else [predictions.header.input_from(predictions.as_input())]
    inputs += [replace(one.header.input_from(one.as_input()), option="against") for one in against]
    found = {"leaks": dict(leaks)} if leaks else {}
    named = {"against": [one.name for one in against] or None, **(options or {})}
    return manifest.made_into("audit", named, inputs=inputs, found=found)


def flagged(result: Audit, record: Record) -> Manifest:
    """Return the manifest with `flags`, and with `duplicate_group` if photos were looked at.

    The latter is for `split --keep-with`. A group is named by the path of its first photo; photos that
    are there once have none. The record is added to its history.
    """
    columns: dict[str, pa.Array] = {"flags": flags(result.findings, result.manifest)}
    if result.duplicates is not None:
        group = result.duplicates.groups()
        is_alone = np.bincount(group, minlength=len(group))[group] < 2
        names = result.manifest.table["path"].take(pa.array(group)).combine_chunks()
        columns["duplicate_group"] = pc.if_else(pa.array(is_alone), pa.scalar(None, pa.string()), names)
    return result.manifest.having(columns, record)


def corrections(result: Audit) -> bytes:
    """Return the proposals as a CSV for a person to confirm; `review` and `label --corrections` read it."""
    return to_corrections_csv(CORRECTION_COLUMNS, _proposed(result))


def _proposed(result: Audit) -> Iterator[tuple[str, ...]]:
    paths = result.manifest.table["path"]
    for one in result.findings:
        if one.proposal is not None:
            path = "" if one.row is None else paths[one.row].as_py()
            proposal = one.proposal
            yield (
                path, one.person or "", proposal.column, proposal.value, proposal.old, one.kind,
                f"{one.confidence:.4f}", one.evidence,
            )  # fmt: skip


def leaks_of(record: Record | None) -> dict[str, int]:
    """Return the leaks that an audit has found, how many by kind, from its record."""
    found = {} if record is None else record.found.get("leaks", {})
    return found if isinstance(found, dict) else {}


def refuse_leaks(leaks: Mapping[str, int]) -> None:
    """Raise RefusedError if leaks were found; they are given as how many there are of each kind."""
    if leaks:
        found = ", ".join(f"{count} {kind}" for kind, count in leaks.items())
        raise RefusedError(
            f"leaks were found: {found}",
            why="a photo on both sides of a split, or in the test set, makes a score better than it is",
            fix="; ".join(dict.fromkeys(fix for kind, fix in FIXES.items() if kind in leaks)),
        )


def _probabilities(manifest: Manifest, predictions: Predictions) -> NDArray[np.float32]:
    """Return the probabilities of each row, (rows, classes), NaN where there are none."""
    judged = Judged.of(manifest, [predictions], "any").unseen()
    probs = np.full((len(manifest), len(manifest.space)), np.nan, np.float32)
    probs[judged.rows] = judged.need_probs("how sure a model is separates a wrong label from a hard photo")
    return probs


def pictures(result: Audit) -> list[tuple[Photo, ...]]:
    """Make small pictures of what the first findings name, (findings,), as many as a page holds."""
    manifest = result.manifest
    rows_of, rows = rows_by_person(manifest), {path: row for row, path in enumerate(manifest.paths)}
    shown = []
    for one in result.findings:
        own = rows_of(one.person).tolist() if one.row is None else [one.row]
        shown.append(own + [rows[other] for other in [one.other] if other in rows])
        if sum(map(len, shown)) > MOST_PHOTOS:
            shown.pop()
            break
    files = photo_files(manifest, tolerant=True)
    wanted = sorted({row for each in shown for row in each})
    small = {row: thumbnail(files[row]) for row in track(wanted, len(wanted), "thumbnails")}
    return [tuple(Photo(manifest.paths[row], small[row]) for row in each if small[row]) for each in shown]
