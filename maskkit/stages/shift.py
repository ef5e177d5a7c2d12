"""Say how two sets of photos, such as training and test, differ, and what is in both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.columns import Bools, Floats, Ints, encoded
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.describing.eda_results import duplicate_pairs
from maskkit.describing.photo_properties import features, photo_properties, properties
from maskkit.describing.set_comparison import Comparison, Share, differences, shares
from maskkit.describing.two_sample import LEAST, Sample, TwoSample, two_sample
from maskkit.imaging.hashing import groups_of
from maskkit.imaging.survey import find_duplicates, joined
from maskkit.imaging.surveyed import SurveyedPhotos, surveys_of
from maskkit.splitting.folds import class_counts, stratified_group_folds

FOLDS = 5
MOST_TESTED = 10_000  # photos of a set: more change the AUC by less than its interval


def shift(
    first: Manifest,
    second: Manifest,
    *,
    half: bool = False,
    seed: int = 0,
    names: tuple[str, str] | None = None,
    kept: ProgressFile | None = None,
    known: Sequence[SurveyedPhotos] = (),
) -> Comparison:
    """Look at the photos of both sets, such as training and test, and compare.

    Label spaces may differ; then classes are not compared. If `half`, JPEGs are decoded at half their size.
    The seed is that of the cross-validation. Looks at photos that are `kept` are taken from there, and what
    is `known` of all of them in the place of any.

    Raises:
        MaskkitError: No photo of a set can be read.
    """
    surveys = surveys_of([first, second], half=half, kept=kept, known=known)
    looks = [survey.properties[survey.readable] for survey in surveys]
    both = joined(surveys)
    found = find_duplicates(both)
    is_second = np.arange(len(both)) >= len(first)
    pairs = np.column_stack([found.one, found.other])
    between = found.differ(is_second.astype(np.int64))
    people = [chunk for manifest in (first, second) for chunk in manifest.table["person_id"].chunks]
    person = encoded(pa.chunked_array(people, pa.string()))[0].astype(np.int64)  # (photos,); -1 if unknown
    rows = np.flatnonzero(both.readable)
    group = groups_of(np.concatenate([pairs, _same_person(person)]), len(both))
    sample = Sample(
        features(both.properties[rows]), is_second[rows], group[rows], found.groups()[rows], person[rows]
    )
    plain = [
        photo_properties(part, [""] * len(part), survey.colour())
        for part, survey in zip(looks, surveys, strict=True)
    ]
    ours, theirs = (set(manifest.table["person_id"].unique().to_pylist()) for manifest in (first, second))
    return Comparison(
        names or (first.name, second.name),
        (len(first), len(second)),
        (len(surveys[0].faults), len(surveys[1].faults)),
        tuple(sorted((ours & theirs) - {None})),
        tuple(differences(*map(_compared, looks))),
        tuple(shares(plain[0].sizes, plain[1].sizes)),
        tuple(shares(plain[0].formats, plain[1].formats)),
        tuple(_classes(first, second)),
        duplicate_pairs("in both", between, pairs, found.is_exact, found.bits, [*first.paths, *second.paths]),
        _tested(sample, seed),
        half,
    )


def _compared(looks: NDArray[np.void]) -> dict[str, Floats]:
    colours = {name: values for name, values in features(looks).items() if " mean" in name or " std" in name}
    return {**properties(looks), **colours}


def _same_person(person: Ints) -> Ints:
    """Pair each photo of a known person with the person's first, (pairs, 2)."""
    rows = np.flatnonzero(person >= 0)
    _, first, code = np.unique(person[rows], return_index=True, return_inverse=True)
    return np.column_stack([rows[first][code], rows]).astype(np.int64)


def _classes(first: Manifest, second: Manifest) -> list[Share]:
    if first.space != second.space or not all((one.labels >= 0).any() for one in (first, second)):
        return []
    counts = []
    for manifest in (first, second):
        count = np.bincount(manifest.labels[manifest.labels >= 0], minlength=len(manifest.space))
        counts.append(list(zip(manifest.space.names, count.tolist(), strict=True)))
    return shares(*counts)


def _tested(sample: Sample, seed: int) -> TwoSample | None:
    """Test the photos, or some of them, without dividing a group."""
    sample = sample.take(_some(sample, seed))
    counts, _ = _counts(sample.is_second, sample.group)
    if (counts > 0).sum(axis=0).min() < LEAST:
        return None

    def deal(is_second: Bools, group: Ints) -> Ints:
        counts, codes = _counts(is_second, group)
        return stratified_group_folds(counts, folds=FOLDS, seed=seed)[codes].astype(np.int64)

    return two_sample(sample, deal, seed=seed)


def _some(sample: Sample, seed: int) -> Ints:
    """Return at most MOST_TESTED photos of each set, by index: all of some groups."""
    codes = np.unique(sample.group, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(codes.max()) + 1)[codes]
    ranked = np.argsort(order, kind="stable")
    second = sample.is_second[ranked]
    return np.sort(np.concatenate([ranked[second == one][:MOST_TESTED] for one in (False, True)]))


def _counts(is_second: Bools, group: Ints) -> tuple[Ints, Ints]:
    """Return photos of each set by group, (groups, 2), and the number of each photo's group, (photos,)."""
    names, codes = np.unique(group, return_inverse=True)
    return class_counts(codes, is_second, groups=len(names), classes=2), codes
