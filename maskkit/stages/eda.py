"""Look at a set of photos before training on it: who is in it, what is rare, what the photos are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from maskkit.artifacts.checks import factor_levels
from maskkit.artifacts.columns import Bools, Ints
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.describing.eda_results import Eda, Pictures, Twins, duplicate_pairs
from maskkit.describing.groups import (
    Distribution,
    distribution,
    fold_codes,
    joint_code,
    rare_combinations,
    traits,
)
from maskkit.describing.photo_properties import ages, photo_properties
from maskkit.imaging.roots import photo_files
from maskkit.imaging.survey import Duplicates, find_duplicates
from maskkit.imaging.surveyed import SurveyedPhotos, surveys_of
from maskkit.imaging.thumbnails import thumbnail
from maskkit.labels import LabelSpace
from maskkit.progress import track
from maskkit.reporting.table import Photo

ON_A_SHEET = 14  # photos of a contact sheet
MOST_SHEETS = 40


def eda(
    manifest: Manifest,
    *,
    half: bool = False,
    counts_only: bool = False,
    rare: int = 30,
    name: str | None = None,
    kept: ProgressFile | None = None,
    known: Sequence[SurveyedPhotos] = (),
) -> Eda:
    """Count people and photos, and unless `counts_only` look at every photo.

    Labels, people and folds may be unknown. If `half`, JPEGs are decoded at half their size. Fewer people
    than `rare` are rare; `name` is that of the set. Looks at photos that are `kept` are taken from there, and
    what is `known` of all of them in the place of any.

    Raises:
        MaskkitError: No photo can be read.
    """
    pictures = None if counts_only else _pictures(manifest, half, kept, known)
    person, named, space = manifest.people.codes, manifest.known_people, manifest.space
    levels = factor_levels(manifest.table, manifest.labels, space, name=manifest.name)
    seen = np.flatnonzero((levels >= 0).any(axis=0)).tolist()  # factors of which something is known
    seen_space = LabelSpace(tuple(space.factors[index] for index in seen)) if seen else None
    counts = np.bincount(np.bincount(named[named >= 0]))
    numeric = [factor for factor in space.factors if factor.is_numeric]
    spreads = (ages(one.name, manifest.numbers(one.name), person, one.cuts) for one in numeric)
    classes = None
    if (manifest.labels >= 0).any():
        classes = distribution("class", space.names, manifest.labels, person, shape=space.shape)
    return Eda(
        name=name or manifest.name,
        photos=len(manifest),
        labelled=int((manifest.labels >= 0).sum()),
        people=len(np.unique(named[named >= 0])) if (named >= 0).any() else None,
        photos_without_person=int((named < 0).sum()),
        per_person=tuple((size, int(people)) for size, people in enumerate(counts) if size and people),
        classes=classes,
        factors=tuple(_table(levels, space, person, [index]) for index in seen),
        tables=tuple(_table(levels, space, person, pair) for pair in combinations(seen, 2)),
        traits=tuple(space.factors[one].name for one in traits(levels, person) if (named >= 0).any()),
        ages=tuple(one for one in spreads if one is not None),
        rare=rare_combinations(levels[:, seen], person, seen_space, under=rare) if seen_space else None,
        left_out=tuple(manifest.header.facts.get("left_out", {}).items()),
        folds=_folds(manifest),
        pictures=pictures,
    )


def _table(levels: Ints, space: LabelSpace, person: Ints, chosen: Sequence[int]) -> Distribution:
    code, names, shape = joint_code(levels, space, chosen)
    name = " x ".join(space.factors[index].name for index in chosen)
    return distribution(name, names, code, person, shape=shape)


def _folds(manifest: Manifest) -> Distribution | None:
    fold = fold_codes(manifest)
    if not (fold >= 0).any():
        return None
    first = 0 if (fold == 0).any() else 1
    names = ["never held out", *map(str, range(int(fold.max())))][first:]
    return distribution("fold", names, fold - first, manifest.people.codes, shape=[len(names)])


def _pictures(
    manifest: Manifest, half: bool, kept: ProgressFile | None, known: Sequence[SurveyedPhotos]
) -> Pictures:
    (survey,) = surveys_of([manifest], half=half, kept=kept, known=known)
    rows, paths = np.flatnonzero(survey.readable), manifest.paths
    return Pictures(
        photo_properties(survey.properties[rows], [paths[row] for row in rows], survey.colour()),
        half,
        tuple((paths[row], why) for row, why in survey.faults.items()),
        _twins(manifest, find_duplicates(survey)),
    )


def _twins(manifest: Manifest, found: Duplicates) -> Twins:
    person, fold = manifest.known_people, fold_codes(manifest)
    pairs = np.column_stack([found.one, found.other])
    is_known = (person[found.one] >= 0) & (person[found.other] >= 0)
    chosen: dict[str, Bools] = {"all": np.ones(len(found), np.bool_)}
    if (person >= 0).any():
        chosen["inside one person"] = is_known & ~found.differ(person)
        chosen["across people"] = found.differ(person)
    if (person < 0).any():
        chosen["person unknown"] = ~is_known
    if (manifest.labels >= 0).any():
        chosen["across classes"] = found.differ(manifest.labels)
    if (fold >= 0).any():
        chosen["across folds"] = found.differ(fold)
    kinds = (
        duplicate_pairs(name, mask, pairs, found.is_exact, found.bits, manifest.paths)
        for name, mask in chosen.items()
    )
    members = np.bincount(found.groups(), minlength=1)
    return Twins(tuple(kinds), int((members > 1).sum()), int(members[members > 1].sum()))


def contact_sheets(result: Eda, manifest: Manifest) -> dict[str, list[Photo]]:
    """Make small pictures of some photos of each class, and of those that stand out, for a page."""
    files = dict(zip(manifest.paths, photo_files(manifest, tolerant=True), strict=True))
    wanted = list(_sheets(result, manifest).items())[:MOST_SHEETS]
    sheets = {}
    for title, names in track(wanted, len(wanted), "contact sheets"):
        photos = [Photo(name, thumbnail(files[name])) for name in names]
        sheets[title] = [photo for photo in photos if photo.uri is not None]
    return {title: photos for title, photos in sheets.items() if photos}


def _sheets(result: Eda, manifest: Manifest) -> Mapping[str, Sequence[str]]:
    """Name the photos of each contact sheet: duplicates, what stands out, and some people of each class."""
    sheets: dict[str, Sequence[str]] = {}
    if result.pictures is not None:
        for one in result.pictures.twins.kinds:
            if one.name.startswith("across") and one.named:
                pairs = one.named[: ON_A_SHEET // 2]
                sheets[f"duplicates {one.name}, in pairs"] = [
                    path for pair in pairs for path in (pair.one, pair.other)
                ]
        sheets |= result.pictures.look.extremes
    for label, name in enumerate(manifest.space.names if result.classes is not None else ()):
        rows = np.flatnonzero(manifest.labels == label)
        first = np.sort(np.unique(manifest.people.codes[rows], return_index=True)[1])  # a photo per person
        step = max(1.0, len(first) / ON_A_SHEET)
        spaced = first[(step * np.arange(min(len(first), ON_A_SHEET))).astype(np.int64)]
        sheets[name] = [manifest.paths[row] for row in rows[spaced]]
    if result.classes is None:
        sheets["some photos"] = manifest.paths[:: max(1, len(manifest) // ON_A_SHEET)][:ON_A_SHEET]
    return sheets
