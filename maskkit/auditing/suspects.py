"""Labels that models which have not seen the person disagree with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.confident import Confident, confident, of_factor, of_person
from maskkit.auditing.findings import Finding, Proposal, Severity, known_people, person_of
from maskkit.auditing.people import personal_factors
from maskkit.labels import Factor

# How probable the proposed level must be at least. See `benchmarks/README.md`, where faults were planted.
LEAST_CONFIDENCE = 0.9


def suspect_labels(
    manifest: Manifest, probs: NDArray[np.float32], *, least: float = LEAST_CONFIDENCE
) -> Iterator[Finding]:
    """Report labels that are probably wrong, by confident learning, each factor by itself.

    What does not change between photos of a person is judged on all of them together, and corrected for
    the person; what does, photo by photo. A finding is severe if confident learning on the joint
    classes agrees that it is wrong.

    Args:
        manifest: With labels.
        probs: Out-of-fold probabilities of each row, (rows, classes), NaN where there are none.
        least: Probability of the proposed level from which on a label is reported.
    """
    predicted: NDArray[np.bool_] = np.isfinite(probs).all(axis=1)
    labels = np.where(predicted, manifest.labels, -1)
    probs = np.where(predicted[:, None], probs, 1 / probs.shape[1])
    joint = confident(probs, labels, is_ordered=False).is_suspect
    levels = np.unravel_index(np.maximum(labels, 0), manifest.space.shape)
    personal = personal_factors(manifest)
    for place, factor in enumerate(manifest.space.factors):
        given = np.where(labels >= 0, levels[place], -1)
        own = of_factor(probs, manifest.space.shape, place)
        judge = _suspect_people if factor in personal else _suspect_photos
        yield from judge(manifest, factor, own, given, joint, least)


def _suspect_people(
    manifest: Manifest,
    factor: Factor,
    probs: NDArray[np.float64],
    given: NDArray[np.int64],
    joint: NDArray[np.bool_],
    least: float,
) -> Iterator[Finding]:
    person = np.where(given >= 0, known_people(manifest), -1)
    people = len(manifest.people)
    of_each = of_person(probs, person, people)  # (people, levels)
    label = np.full(people, -1)
    part = person >= 0
    label[person[part][::-1]] = given[part][
        ::-1
    ]  # the first photo speaks; contradictions are reported as such
    found = confident(of_each, label, is_ordered=factor.is_numeric)
    agreeing = np.zeros(people, np.int64)
    np.add.at(agreeing, person[part], probs[part].argmax(axis=1) == found.likely[person[part]])
    photos = np.bincount(person[part], minlength=people)
    severe = np.bincount(person[part], weights=joint[part], minlength=people) * 2 > photos
    for one in _worst_first(found, least):
        facts = [_odds(found, one, factor), f"{agreeing[one]} of {photos[one]} photos agree"]
        if factor.is_numeric:
            facts.append(f"{found.distance[one]:.1f} bands away")
        old = _value(manifest, factor, int(np.flatnonzero(person == one)[0]))
        severity: Severity = "high" if severe[one] else "medium"
        yield Finding(
            "suspect:person", severity, ", ".join(facts), manifest.people.names[one],
            proposal=Proposal(factor.name, old, factor.levels[found.likely[one]]),
            confidence=_rank(found, one, factor),
        )  # fmt: skip


def _suspect_photos(
    manifest: Manifest,
    factor: Factor,
    probs: NDArray[np.float64],
    given: NDArray[np.int64],
    joint: NDArray[np.bool_],
    least: float,
) -> Iterator[Finding]:
    found = confident(probs, given, is_ordered=factor.is_numeric)
    rows = _worst_first(found, least)
    partner = _exchanged(rows, known_people(manifest), found)
    for row in rows:
        other = partner.get(row)
        facts = [_odds(found, row, factor)]
        if other is not None:
            facts.append(f"exchanged with {manifest.table['path'][other].as_py()}")
        severity: Severity = "high" if joint[row] else "medium"
        yield Finding(
            "suspect:photo" if other is None else "suspect:exchange", severity, ", ".join(facts),
            person_of(manifest, row), row, None if other is None else manifest.table["path"][other].as_py(),
            Proposal(factor.name, _value(manifest, factor, row), factor.levels[found.likely[row]]),
            _rank(found, row, factor),
        )  # fmt: skip


def _worst_first(found: Confident, least: float) -> list[int]:
    reported = np.flatnonzero(found.is_suspect & (found.other >= least))
    return reported[np.argsort(-found.distance[reported], kind="stable")].tolist()  # type: ignore[no-any-return]


def _exchanged(rows: list[int], person: NDArray[np.int64], found: Confident) -> dict[int, int]:
    """Pair suspects of one person of whom each is likely what the other is labelled."""
    waiting: dict[tuple[int, int, int], int] = {}
    partner: dict[int, int] = {}
    for row in rows:
        own, likely = int(found.given[row]), int(found.likely[row])
        match = waiting.pop((int(person[row]), likely, own), None)
        if match is None or person[row] < 0:
            waiting[int(person[row]), own, likely] = row
        else:
            partner |= {row: match, match: row}
    return partner


def _odds(found: Confident, one: int, factor: Factor) -> str:
    told, likely = factor.levels[found.given[one]], factor.levels[found.likely[one]]
    return f"P({likely}) = {found.other[one]:.3f}, P({told}) = {found.own[one]:.3f}"


def _rank(found: Confident, one: int, factor: Factor) -> float:
    """Return the distance as a share of the largest there can be, which orders findings."""
    return float(found.distance[one]) / (len(factor.levels) - 1 if factor.is_numeric else 1)


def _value(manifest: Manifest, factor: Factor, row: int) -> str:
    """Return what the manifest says of a factor: its number where it has one, else its level."""
    value = manifest.table[factor.name][row].as_py() if manifest.has(factor.name) else None
    if value is None:
        level = np.unravel_index(manifest.labels[row], manifest.space.shape)[
            manifest.space.factors.index(factor)
        ]
        return factor.levels[int(level)]
    return f"{value:g}" if factor.is_numeric else str(value)
