"""What people and photos alone show to be wrong: leaks, people who contradict themselves, odd photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.compute as pc

from maskkit.artifacts.checks import divided_values
from maskkit.artifacts.columns import Bools, Floats, Ints, encoded
from maskkit.artifacts.manifest import NOT_IN_SPLIT, Manifest
from maskkit.auditing.findings import Finding, Proposal, Severity, person_of, rows_by_person
from maskkit.imaging.survey import Duplicates, Survey
from maskkit.labels import Factor

# Photos of one person in one scene are alike; of 256 bits, copies of a photo differ in fewer.
COPY_WITHIN = 16

# What at least this share of people share is meant to be so; the rest are findings.
AS_MEANT = 0.9
FEWEST_PEOPLE = 10  # of whom such a share says anything

DARK = 0.08  # brightness, of 1
SPREADS = 6.0  # robust standard deviations from the median: 2 of 1,000 million of normal values lie further
TINY = 0.25  # of the median number of pixels
FEWEST_PHOTOS = 20  # of which a median and a spread say anything
NORMAL = 1.4826  # median absolute deviation to standard deviation, of normal values


def people_in_two_folds(manifest: Manifest) -> Iterator[Finding]:
    """Report people whom the folds divide."""
    for person in divided_values(manifest.table, "person_id") if manifest.has("fold") else ():
        mask = pc.and_(pc.equal(manifest.table["person_id"], person), manifest.table["fold"].is_valid())
        folds = sorted(set(manifest.table["fold"].filter(mask).to_pylist()))
        yield Finding("leak:person", "high", f"in folds {', '.join(map(str, folds))}", person)


def duplicates_inside(manifest: Manifest, pairs: Duplicates) -> Iterator[Finding]:
    """Report photos that are in the manifest twice, by what the two do not share.

    Two photos of one person that only look alike are nothing to report.

    Two folds, or two people whom nothing keeps in one fold, are a leak. In one fold, two people with
    one photo are no leak any more, but one of them is not who they are said to be.
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

    The pairs are of all photos: those of the manifest, then those of each of the others.
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


def personal_factors(manifest: Manifest) -> list[Factor]:
    """Return the factors that do not change between photos of a person, such as gender and age.

    They are those with one value on all photos of nearly every person who has several.
    """
    found = []
    for factor in manifest.space.factors:
        if manifest.has(factor.name):
            varies, several = _varies(manifest, _values(manifest, factor)[0])
            if several.sum() >= FEWEST_PEOPLE and 1 - varies[several].mean() >= AS_MEANT:
                found.append(factor)
    return found


def contradictions(manifest: Manifest) -> Iterator[Finding]:
    """Report people with two genders, ages, or other values of a personal factor.

    The value of most of a person's photos is proposed for the others, if there is one.
    """
    rows_of = rows_by_person(manifest)
    for factor in personal_factors(manifest):
        codes, values = _values(manifest, factor)
        for person in np.flatnonzero(_varies(manifest, codes)[0]).tolist():
            name = manifest.people.names[person]
            rows = rows_of(name)
            rows = rows[codes[rows] >= 0]
            found, counts = np.unique(codes[rows], return_counts=True)
            each = ", ".join(f"{values[code]} ({count})" for code, count in zip(found, counts, strict=True))
            evidence = f"{factor.name} is {each}"
            usual = found[counts.argmax()]
            if (counts == counts.max()).sum() > 1:
                yield Finding("inconsistent:factor", "high", evidence, name, confidence=0.5)
                continue
            for row in rows[codes[rows] != usual].tolist():
                proposal = Proposal(factor.name, values[codes[row]], values[usual])
                share = float(counts.max() / counts.sum())
                yield Finding(
                    "inconsistent:factor", "high", evidence, name, row, proposal=proposal, confidence=share
                )


def odd_numbers_of_photos(manifest: Manifest) -> Iterator[Finding]:
    """Report people who do not have the photos that nearly everybody has, such as five, one and one.

    Counted are the photos of each level of the factors that change between photos. Nothing is
    reported if people have all kinds of numbers of photos.
    """
    known = manifest.known_people
    people = np.unique(known[known >= 0])
    if len(people) < FEWEST_PEOPLE:
        return
    personal = personal_factors(manifest)
    changing = [factor for factor in manifest.space.factors if factor not in personal]
    of_row, names = _combinations(manifest, changing)
    counts = np.zeros((len(manifest.people), len(names)), np.int64)
    part = known >= 0
    np.add.at(counts, (known[part], of_row[part]), 1)
    kinds, kind, sizes = np.unique(counts[people], axis=0, return_inverse=True, return_counts=True)
    usual = int(sizes.argmax())
    if sizes[usual] < AS_MEANT * len(people):
        return
    share = sizes[usual] / len(people)
    wanted = f"{share:.0%} of people have {_counted(kinds[usual], names)}"
    for person in people[kind.ravel() != usual].tolist():
        evidence = f"has {_counted(counts[person], names)}; {wanted}"
        yield Finding("inconsistent:photos", "medium", evidence, manifest.people.names[person])


def _values(manifest: Manifest, factor: Factor) -> tuple[Ints, list[str]]:
    """Return each row's value as a code, (rows,), -1 for unknown, and the texts they stand for."""
    codes, values = encoded(manifest.table[factor.name])
    texts = [f"{value:g}" if factor.is_numeric else str(value) for value in values.to_pylist()]
    return codes.astype(np.int64), texts


def _varies(manifest: Manifest, codes: Ints) -> tuple[Bools, Bools]:
    """Return whether each person has two different values, and whether they have several, (people,)."""
    part = (manifest.known_people >= 0) & (codes >= 0)
    person, people = manifest.known_people[part], len(manifest.people)
    least, most = np.full(people, np.iinfo(np.int64).max), np.full(people, -1)
    np.minimum.at(least, person, codes[part])
    np.maximum.at(most, person, codes[part])
    return most > least, np.bincount(person, minlength=people) > 1


def _combinations(manifest: Manifest, factors: list[Factor]) -> tuple[Ints, list[str]]:
    """Number the combinations of these factors' levels; return each row's, (rows,), and their names.

    The last is for rows without a label.
    """
    known = manifest.labels >= 0
    levels = np.unravel_index(np.where(known, manifest.labels, 0), manifest.space.shape)
    code, names = np.zeros(len(manifest), np.int64), [""]
    for factor, level in zip(manifest.space.factors, levels, strict=True):
        if factor in factors:
            code = code * len(factor.levels) + level
            names = [f"{name}/{own}".strip("/") for name in names for own in factor.levels]
    return np.where(known, code, len(names)), [name or "labelled" for name in names] + ["unlabelled"]


def _counted(counts: Ints, names: list[str]) -> str:
    kinds = ", ".join(f"{count} {name}" for count, name in zip(counts, names, strict=True) if count)
    return f"{counts.sum()} photos ({kinds})"


def odd_photos(manifest: Manifest, survey: Survey) -> Iterator[Finding]:
    """Report photos that are unreadable, incomplete, dark, blurred, tiny, or otherwise unlike the rest."""
    for row, why in survey.faults.items():
        yield Finding("photo:unreadable", "high", why, person_of(manifest, row), row)
    for row, what in survey.complaints.items():
        yield Finding("photo:incomplete", "high", what, person_of(manifest, row), row)
    rows = np.flatnonzero(survey.readable)
    if len(rows) < FEWEST_PHOTOS:
        return
    brightness = survey["brightness"][rows].astype(np.float64)
    sharpness = _robust(np.log1p(survey["sharpness"][rows].astype(np.float64)))
    pixels = survey["width"][rows].astype(np.int64) * survey["height"][rows]
    small = pixels / np.median(pixels)
    cheap = [survey["brightness"], survey["contrast"], *survey["mean"].T, *survey["std"].T]
    outlying = np.max([np.abs(_robust(values[rows].astype(np.float64))) for values in cheap], axis=0)
    checks = [
        ("photo:dark", brightness < DARK, brightness, "brightness {:.3f} of 1"),
        ("photo:blurred", sharpness < -SPREADS, sharpness, "sharpness {:.1f} spreads from the median"),
        ("photo:tiny", small < TINY, small, "{:.3f} of the usual number of pixels"),
        (
            "photo:outlier",
            outlying > SPREADS,
            outlying,
            "brightness or colour {:.1f} spreads from the median",
        ),
    ]
    reported = np.zeros(len(rows), np.bool_)
    for kind, is_odd, value, text in checks:
        for index in np.flatnonzero(is_odd & ~reported).tolist():
            row = int(rows[index])
            yield Finding(kind, "low", text.format(value[index]), person_of(manifest, row), row)
        reported |= is_odd


def faceless(manifest: Manifest) -> Iterator[Finding]:
    """Report photos in which `crop` found no face."""
    if not manifest.has("box"):
        return
    for row in np.flatnonzero(manifest.table["box"].is_null().to_numpy()).tolist():
        yield Finding("photo:faceless", "low", "no face was found", person_of(manifest, row), row)


def _robust(values: Floats) -> Floats:
    """Return how many spreads each value is from the median, (n,), by the median absolute deviation."""
    from_median = values - np.median(values)
    spread = NORMAL * float(np.median(np.abs(from_median)))
    return from_median / spread if spread > 0 else np.zeros_like(values)
