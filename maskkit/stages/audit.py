"""Find what is wrong with a data set, and what would be right."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.history import script
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.auditing.data_faults import (
    contradictions,
    duplicates_against,
    duplicates_inside,
    faceless,
    odd_numbers_of_photos,
    odd_photos,
    people_in_two_folds,
)
from maskkit.auditing.findings import Finding, flags, ranked, rows_by_person
from maskkit.auditing.label_errors import SURENESS, suspect_labels
from maskkit.errors import RefusedError
from maskkit.imaging.duplicates import Duplicates, find_duplicates
from maskkit.imaging.roots import photo_files
from maskkit.imaging.survey import Survey, joined, survey_of
from maskkit.imaging.thumbnails import thumbnail
from maskkit.progress import track
from maskkit.scoring.judged import Judged

MOST_SHOWN = 300  # findings with their photos in a page
CORRECTION_COLUMNS = ("path", "person_id", "column", "value", "from", "kind", "confidence", "evidence")


@dataclass(frozen=True)
class Audit:
    """What was found.

    Args:
        manifest: That was audited.
        findings: The most severe first.
        duplicates: Photos that are in it twice; None if no photo was looked at.
        checks: What was looked for.
    """

    manifest: Manifest
    findings: list[Finding]
    duplicates: Duplicates | None
    checks: tuple[str, ...]

    @property
    def leaks(self) -> list[Finding]:
        """The findings that are leaks."""
        return [one for one in self.findings if one.is_leak]

    def to_json(self) -> dict[str, Any]:
        """Return all findings as plain values."""
        kinds = [one.kind for one in self.findings]
        return {
            "images": len(self.manifest),
            "checks": list(self.checks),
            "leaks": len(self.leaks),
            "counts": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
            "findings": [dict(zip(FINDING_COLUMNS, row, strict=True)) for row in self.rows()],
        }

    def rows(self) -> list[tuple[object, ...]]:
        """Return a row per finding, of FINDING_COLUMNS."""
        paths = self.manifest.table["path"]
        found = []
        for one in self.findings:
            path = None if one.row is None else paths[one.row].as_py()
            fix = one.proposal
            proposed = (None, None, None) if fix is None else (fix.column, fix.old, fix.value)
            place = (one.kind, one.severity, one.person, path, one.other)
            found.append((*place, *proposed, round(one.confidence, 4), one.evidence))
        return found


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

FINDING_COLUMNS = (
    "kind", "severity", "person_id", "path", "other", "column", "from", "value", "confidence", "evidence",
)  # fmt: skip


def audit(
    manifest: Manifest,
    predictions: Predictions | None = None,
    *,
    against: Sequence[Manifest] = (),
    no_photos: bool = False,
    sureness: float = SURENESS,
) -> Audit:
    """Look for leaks, people who contradict themselves, doubtful labels and odd photos.

    Args:
        manifest: Read with `divided=True`, so that people in two folds can be reported.
        predictions: Out-of-fold probabilities; without them labels are not doubted.
        against: Data sets that share no photo with this one, such as the test set.
        no_photos: Open no photo: neither duplicates nor odd photos are looked for.
        sureness: How sure models must be of another level, as a share of how sure they usually are of it.

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
        looks, pairs = _looked_at(manifest, against)
        own = pairs.inside(len(manifest))
        findings += odd_photos(manifest, looks)
        findings += duplicates_inside(manifest, own)
        findings += duplicates_against(manifest, pairs, against)
        checks.append("photos")
    return Audit(manifest, ranked(findings), own, tuple(checks))


def flagged(
    result: Audit, predictions: Predictions | None = None, against: Sequence[Manifest] = (), **options: object
) -> Manifest:
    """Return the manifest with `flags`, and with `duplicate_group` if photos were looked at.

    The latter is for `split --keep-with`. A group is named by the path of its first photo; photos that
    are there once have none.

    Args:
        result: Of `audit`.
        predictions: As given to `audit`; kept in history.
        against: Likewise.
        options: Likewise.
    """
    columns: dict[str, pa.Array] = {"flags": flags(result.findings, result.manifest)}
    if result.duplicates is not None:
        group = result.duplicates.groups()
        is_alone = np.bincount(group, minlength=len(group))[group] < 2
        names = result.manifest.table["path"].take(pa.array(group)).combine_chunks()
        columns["duplicate_group"] = pc.if_else(pa.array(is_alone), pa.scalar(None, pa.string()), names)
    inputs = [] if predictions is None else [predictions.header.input_from(predictions.as_input())]
    inputs += [replace(one.header.input_from(one.as_input()), option="against") for one in against]
    named = {"against": [one.name for one in against] or None, **options}
    return result.manifest.then("audit", columns, inputs=inputs, **named)


def corrections(result: Audit) -> str:
    """Return the proposals as the CSV that `maskkit label --corrections` reads, for a person to confirm."""
    paths = result.manifest.table["path"]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(CORRECTION_COLUMNS)
    for one in result.findings:
        if one.proposal is not None:
            path = "" if one.row is None else paths[one.row].as_py()
            proposal = one.proposal
            table.writerow(
                (path, one.person or "", proposal.column, proposal.value, proposal.old, one.kind,
                 f"{one.confidence:.4f}", one.evidence)
            )  # fmt: skip
    return text.getvalue()


def refuse_leaks(result: Audit) -> None:
    """Raise RefusedError if a leak was found."""
    if result.leaks:
        kinds = [one.kind for one in result.leaks]
        found = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        raise RefusedError(
            f"leaks were found: {found}",
            why="a photo on both sides of a split, or in the test set, makes a score better than it is",
            fix="; ".join(dict.fromkeys(fix for kind, fix in FIXES.items() if kind in kinds)),
        )


def _looked_at(manifest: Manifest, against: Sequence[Manifest]) -> tuple[Survey, Duplicates]:
    """Survey all manifests; return the first one's, and the duplicates among all, in their order."""
    # Half the size shows blur as well as the whole, in two thirds of the time.
    surveys = [survey_of(manifest, half=True)]
    surveys += [survey_of(other, half=True) for other in against]
    return surveys[0], find_duplicates(joined(surveys))


def _probabilities(manifest: Manifest, predictions: Predictions) -> NDArray[np.float32]:
    """Return the probabilities of each row, (rows, classes), NaN where there are none."""
    judged = Judged.of(manifest, [predictions], "any").unseen()
    probs = np.full((len(manifest), len(manifest.space)), np.nan, np.float32)
    probs[judged.rows] = judged.need_probs("how sure a model is separates a wrong label from a hard photo")
    return probs


def report(result: Audit, *, photos: bool = False) -> str:
    """Return a self-contained HTML page of the findings.

    Args:
        result: What to show.
        photos: Show the photos that findings name; the page is then not to be passed on lightly.
    """
    from maskkit.reporting.audit_report import findings_page, place  # jinja2, which findings alone need not

    manifest = result.manifest
    shown: dict[str, list[int]] = {}
    if photos:
        rows_of, rows = rows_by_person(manifest), {path: row for row, path in enumerate(manifest.paths)}
        for one in result.findings[:MOST_SHOWN]:
            own = rows_of(one.person).tolist() if one.row is None else [one.row]
            shown[place(one)] = own + [rows[other] for other in [one.other] if other in rows]
    named = {one.row for one in result.findings if one.row is not None}
    return findings_page(
        result.findings,
        {row: manifest.table["path"][row].as_py() for row in named},
        title=f"Audit of {manifest.name}",
        facts={"Photos": f"{len(manifest):,}", "Looked for": ", ".join(result.checks)},
        history=script(manifest.header.history, output=manifest.name),
        pictures=_pictures(manifest, shown) if photos else {},
    )


def _pictures(manifest: Manifest, shown: dict[str, list[int]]) -> dict[str, list[tuple[str, str]]]:
    files = photo_files(manifest, tolerant=True)
    wanted = sorted({row for rows in shown.values() for row in rows})
    small = {row: thumbnail(files[row]) for row in track(wanted, len(wanted), "thumbnails")}
    return {
        place: [(manifest.paths[row], picture) for row in rows if (picture := small[row]) is not None]
        for place, rows in shown.items()
    }
