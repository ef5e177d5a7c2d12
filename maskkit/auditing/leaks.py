"""People and photos that could be on both sides of a split, or are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.compute as pc

from maskkit.artifacts.checks import divided_people
from maskkit.artifacts.manifest import NOT_IN_SPLIT, Manifest
from maskkit.auditing.findings import Finding, Severity, person_of
from maskkit.imaging.duplicates import Duplicates

# Photos of one person in one scene are alike; of 256 bits, copies of a photo differ in fewer.
COPY_WITHIN = 16


def people_in_two_folds(manifest: Manifest) -> Iterator[Finding]:
    """Report people whom the folds divide."""
    for person in divided_people(manifest.table) if manifest.has("fold") else ():
        mask = pc.and_(pc.equal(manifest.table["person_id"], person), manifest.table["fold"].is_valid())
        folds = sorted(set(manifest.table["fold"].filter(mask).to_pylist()))
        yield Finding("leak:person", "high", f"in folds {', '.join(map(str, folds))}", person)


def duplicates_inside(manifest: Manifest, pairs: Duplicates) -> Iterator[Finding]:
    """Report photos that are in the manifest twice, by what the two do not share.

    Two photos of one person that only look alike are nothing to report.

    Two folds, or two people whom nothing keeps in one fold, are a leak. In one fold, two people with
    one photo are no leak any more, but one of them is not who they are said to be.

    Args:
        manifest: With `fold` or without.
        pairs: Of its rows.
    """
    pairs = pairs.take(pairs.differ(manifest.known_people) | (pairs.bits <= COPY_WITHIN))
    folds = manifest.folds if manifest.has("fold") else np.full(len(manifest), NOT_IN_SPLIT)
    in_split = folds != NOT_IN_SPLIT
    parted = in_split[pairs.one] & in_split[pairs.other] & (folds[pairs.one] != folds[pairs.other])
    together = in_split[pairs.one] & in_split[pairs.other] & ~parted
    of_two = pairs.differ(manifest.known_people)
    labelled_twice = pairs.differ(manifest.labels)
    names = manifest.space.names
    for index, (one, other) in enumerate(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)):
        severity: Severity = "medium"
        if parted[index]:
            kind, severity = "leak:folds", "high"
        elif of_two[index]:
            kind, severity = ("duplicate:people", "medium") if together[index] else ("leak:people", "high")
        else:
            kind, severity = ("duplicate:labels", "medium") if labelled_twice[index] else ("duplicate", "low")
        facts = [_likeness(pairs, index)]
        if of_two[index]:
            facts.append(f"people {person_of(manifest, one)} and {person_of(manifest, other)}")
        if parted[index]:
            facts.append(f"folds {folds[one]} and {folds[other]}")
        if labelled_twice[index]:
            facts.append(f"{names[manifest.labels[one]]} and {names[manifest.labels[other]]}")
        path = manifest.table["path"][other].as_py()
        yield Finding(
            kind, severity, ", ".join(facts), person_of(manifest, one), one, path,
            confidence=_sureness(pairs, index),
        )  # fmt: skip


def duplicates_against(
    manifest: Manifest, pairs: Duplicates, others: Sequence[Manifest]
) -> Iterator[Finding]:
    """Report photos that are also in other data sets, such as the test set.

    Args:
        manifest: Whose rows come first among the photos.
        pairs: Of all photos, those of each manifest following the ones before.
        others: The other manifests, in their order.
    """
    starts = np.cumsum([len(manifest), *map(len, others)])
    between = pairs.take((pairs.one < len(manifest)) & (pairs.other >= len(manifest)))
    for index, (one, other) in enumerate(zip(between.one.tolist(), between.other.tolist(), strict=True)):
        number = int(np.searchsorted(starts, other, side="right")) - 1
        owner, row = others[number], other - int(starts[number])
        path = owner.table["path"][row].as_py()
        yield Finding(
            "leak:against", "high", f"{_likeness(between, index)}, in {owner.name}", person_of(manifest, one),
            one, path, confidence=_sureness(between, index),
        )  # fmt: skip


def _likeness(pairs: Duplicates, index: int) -> str:
    return "the same file" if pairs.is_exact[index] else f"{pairs.bits[index]} of 256 bits apart"


def _sureness(pairs: Duplicates, index: int) -> float:
    return 1.0 if pairs.is_exact[index] else 1 - float(pairs.bits[index]) / 256
