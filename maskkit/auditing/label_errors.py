"""Labels that models which have not seen the person disagree with.

They are found by confident learning, from Northcutt et al. 2021, https://arxiv.org/abs/1911.00068.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import SMALLEST, Bools, Floats, Ints
from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.data_faults import personal_factors
from maskkit.auditing.findings import Finding, Proposal, Severity, person_of
from maskkit.labels import Factor
from maskkit.scoring.metrics import factor_probs

# As a share of how sure models usually are. See benchmarks/README.md, where faults were planted.
SURENESS = 0.95
# Two photos that look exchanged support each other, so that less is enough for each.
SURENESS_OF_EXCHANGE = 0.6
# Standard deviations of a number from the likely band; what is nearer is ambiguous, not wrong.
FAR = 1.0


@dataclass(frozen=True)
class ConfidentLearning:
    """Labels beside the probabilities of models that have not seen the examples."""

    given: Ints  # the label, (n,), -1 where unknown
    likely: Ints  # the class that models are sure of, (n,); where there is none, the most probable
    own: Floats  # probability of the given label, (n,), NaN where unknown
    other: Floats  # probability of the likely class, (n,)
    is_suspect: Bools  # whether models are sure of another class than the label, (n,)
    # How far the probable classes are from the given one on average, (n,), in steps; for classes without an
    # order, the probability of any other.
    distance: Floats

    def otherwise(self, looser: ConfidentLearning) -> ConfidentLearning:
        """Return this where it suspects a label, and elsewhere what was found with a lower threshold."""
        likely, other, is_suspect = (
            np.where(self.is_suspect, mine, its)
            for mine, its in (
                (self.likely, looser.likely),
                (self.other, looser.other),
                (self.is_suspect, looser.is_suspect),
            )
        )
        return ConfidentLearning(self.given, likely, self.own, other, is_suspect, self.distance)


def confident_learning(
    probs: NDArray[np.floating], given: Ints, *, is_ordered: bool, sureness: float = 1.0
) -> ConfidentLearning:
    """Compare labels with out-of-fold probabilities.

    How sure models usually are of class j is measured by the mean probability of j among those labelled j
    (the paper's threshold t_j, equation 2), so that classes on which they are unsure, such as rare ones,
    are not suspected wholesale. Of the classes whose probability reaches `sureness` times their threshold,
    the most probable one is likely; a label is suspect if it is another (equation 1, examples off the
    diagonal of the confident joint). With 1 that is the paper's rule; as the threshold is a mean, about
    half of the wrong labels of an easy class stay below it.

    Probabilities are (n, classes), labels (n,), -1 where unknown; of ordered classes, 2 is further from 0
    than 1 is.
    """
    known = given >= 0
    classes = probs.shape[1]
    usual = np.array(
        [
            probs[given == one, one].mean(dtype=np.float64) if (given == one).any() else np.nan
            for one in range(classes)
        ]
    )
    is_sure = np.asarray(probs >= sureness * usual)  # (n, classes); of a class that no label names, never
    is_any = np.asarray(is_sure.any(axis=1))
    likely = np.where(is_sure | ~is_any[:, None], probs, -1.0).argmax(axis=1)
    rows = np.arange(len(probs))
    other = probs[rows, likely].astype(np.float64)
    own = np.where(known, probs[rows, given], np.nan).astype(np.float64)
    steps = np.abs(np.arange(classes) - given[:, None])  # (n, classes)
    distance = (probs * (steps if is_ordered else steps > 0)).sum(axis=1)
    return ConfidentLearning(given, likely, own, other, known & is_any & (likely != given), distance)


def of_person(probs: NDArray[np.floating], person: Ints, people: int) -> Floats:
    """Return the class probabilities of each person, (people, classes): the geometric mean over their photos.

    A person without photos gets equal probabilities. `probs` are those of each photo, (photos, classes), and
    `person` says whose it is, (photos,), -1 if nobody's.
    """
    part = person >= 0
    count = np.bincount(person[part], minlength=people)
    total = np.zeros((people, probs.shape[1]))
    np.add.at(total, person[part], np.log(np.maximum(probs[part], SMALLEST)))
    mean = np.exp(total / np.maximum(count, 1)[:, None])
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class FactorPredictions:
    """One factor, and what out-of-fold models predict for it."""

    manifest: Manifest  # with the labels
    factor: Factor  # one of the label space
    probs: Floats  # of its levels, (rows, levels)
    given: Ints  # its level in each row, (rows,), -1 where it is unknown or was not predicted
    # Whether the joint class of each row is suspect, (rows,), which makes a finding severe.
    joint: Bools
    sureness: float  # from which on a label is suspect

    def odds(self, found: ConfidentLearning, one: int) -> str:
        """Say how probable both levels are."""
        given, likely = self.factor.levels[found.given[one]], self.factor.levels[found.likely[one]]
        return f"P({likely}) = {found.other[one]:.3f}, P({given}) = {found.own[one]:.3f}"

    def rank(self, found: ConfidentLearning, one: int) -> float:
        """Return the distance as a share of the largest there can be."""
        return float(found.distance[one]) / (len(self.factor.levels) - 1 if self.factor.is_numeric else 1)

    def proposal(self, found: ConfidentLearning, one: int, row: int) -> Proposal:
        """Propose the likely level instead of what a row has: a number where it has one, else a level."""
        name, old = self.factor.name, self.factor.levels[found.given[one]]
        value = self.manifest.table[name][row].as_py() if self.manifest.has(name) else None
        if value is not None:
            old = f"{value:g}" if self.factor.is_numeric else str(value)
        return Proposal(name, old, self.factor.levels[found.likely[one]])


def suspect_labels(
    manifest: Manifest, probs: NDArray[np.float32], *, sureness: float = SURENESS
) -> Iterator[Finding]:
    """Report labels that are probably wrong, by confident learning, each factor by itself.

    What does not change between photos of a person is judged on all of them together, and corrected for
    the person; what does, photo by photo. A finding is severe if confident learning on the joint
    classes agrees that something is wrong. Probabilities are out-of-fold, (rows, classes), NaN where there
    are none. Models must be so sure of another level, as a share of how sure they usually are of it.
    """
    has_probs = np.asarray(np.isfinite(probs).all(axis=1))
    labels = np.where(has_probs, manifest.labels, -1)
    probs = np.where(has_probs[:, None], probs, 1 / probs.shape[1])
    joint = confident_learning(probs, labels, is_ordered=False, sureness=sureness).is_suspect
    levels = np.unravel_index(np.maximum(labels, 0), manifest.space.shape)
    personal = personal_factors(manifest)
    for place, factor in enumerate(manifest.space.factors):
        own = factor_probs(probs, manifest.space, place)
        given = np.where(labels >= 0, levels[place], -1)
        predicted = FactorPredictions(manifest, factor, own, given, joint, sureness)
        yield from _suspect_people(predicted) if factor in personal else _suspect_photos(predicted)


def _suspect_people(predicted: FactorPredictions) -> Iterator[Finding]:
    # A photo of nobody known is judged by itself.
    person = np.where(predicted.given >= 0, predicted.manifest.people.codes, -1)
    people = len(predicted.manifest.people)
    part = np.flatnonzero(person >= 0)
    first = np.full(people, -1)
    first[person[part][::-1]] = part[::-1]  # stands for all; contradictions are findings of their own
    given = np.where(first >= 0, predicted.given[first], -1)
    found = confident_learning(
        of_person(predicted.probs, person, people), given,
        is_ordered=predicted.factor.is_numeric, sureness=predicted.sureness,
    )  # fmt: skip
    photos = np.bincount(person[part], minlength=people)
    agree = predicted.probs[part].argmax(axis=1) == found.likely[person[part]]
    agreeing = np.bincount(person[part], weights=agree, minlength=people).astype(int)
    severe = 2 * np.bincount(person[part], weights=predicted.joint[part], minlength=people) > photos
    is_suspect = found.is_suspect & _is_far(predicted, first, found.likely)
    for one in _worst_first(found, is_suspect):
        facts = [predicted.odds(found, one), f"{agreeing[one]} of {photos[one]} photos agree"]
        severity: Severity = "high" if severe[one] else "medium"
        row = int(first[one])
        name = person_of(predicted.manifest, row)
        kind, place = ("suspect:photo", row) if name is None else ("suspect:person", None)
        yield Finding(
            kind, severity, ", ".join(facts), name, place,
            proposal=predicted.proposal(found, one, row), confidence=predicted.rank(found, one),
        )  # fmt: skip


def _suspect_photos(predicted: FactorPredictions) -> Iterator[Finding]:
    alone, exchanged = (
        confident_learning(
            predicted.probs, predicted.given, is_ordered=predicted.factor.is_numeric, sureness=sureness
        )
        for sureness in (predicted.sureness, min(SURENESS_OF_EXCHANGE, predicted.sureness))
    )
    found = alone.otherwise(exchanged)
    far = _is_far(predicted, np.arange(len(predicted.given)), found.likely)
    unsure = _worst_first(found, found.is_suspect & far)
    partner = _exchanged(unsure, predicted.manifest.known_people, found)
    paths = predicted.manifest.table["path"]
    for row in unsure:
        other = partner.get(row)
        if other is None and not alone.is_suspect[row]:
            continue
        path = None if other is None else paths[other].as_py()
        kind = "suspect:photo" if path is None else "suspect:exchange"
        evidence = predicted.odds(found, row) + ("" if path is None else ", as if exchanged")
        severity: Severity = "high" if predicted.joint[row] else "medium"
        yield Finding(
            kind, severity, evidence, person_of(predicted.manifest, row), row, path,
            predicted.proposal(found, row, row), predicted.rank(found, row),
        )  # fmt: skip


def _worst_first(found: ConfidentLearning, chosen: Bools) -> list[int]:
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(-found.distance[rows], kind="stable")].tolist()  # type: ignore[no-any-return]


def _is_far(predicted: FactorPredictions, row: Ints, likely: Ints) -> Bools:
    """Return whether the number of each of these rows is far from its likely band, (n,); others are.

    Someone of 58 who looks 60 is no error of labelling, and no photo shows it.
    """
    factor = predicted.factor
    if not factor.is_numeric:
        return np.ones(len(row), np.bool_)
    numbers = predicted.manifest.numbers(factor.name)[row]
    edges = np.array([-np.inf, *factor.cuts, np.inf])
    away = np.maximum(edges[likely] - numbers, numbers - edges[likely + 1])
    is_known = ~np.isnan(numbers)
    spread = np.std(numbers[is_known]) if is_known.any() else 0.0
    return np.asarray(~is_known | (away >= FAR * spread))


def _exchanged(rows: list[int], person: Ints, found: ConfidentLearning) -> dict[int, int]:
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
