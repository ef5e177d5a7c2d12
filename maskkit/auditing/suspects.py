"""Labels that models which have not seen the person disagree with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.confident import Confident, confident, of_factor, of_person
from maskkit.auditing.findings import Finding, Proposal, Severity, person_of
from maskkit.auditing.people import personal_factors
from maskkit.labels import Factor

# As a share of how sure models usually are. See benchmarks/README.md, where faults were planted.
SURENESS = 0.95
# Two photos that look exchanged support each other, so that less is enough for each.
SURENESS_OF_EXCHANGE = 0.6
# Standard deviations of a number from the likely band; what is nearer is ambiguous, not wrong.
FAR = 1.0


@dataclass(frozen=True)
class Doubt:
    """One factor, and what out-of-fold models say of it.

    Args:
        manifest: Whose labels are doubted.
        factor: By itself.
        probs: Of its levels, (rows, levels).
        given: Its level in each row, (rows,), -1 where it is unknown or was not predicted.
        joint: Whether the joint class of each row is suspect, (rows,), which makes a finding severe.
        sureness: From which on a label is suspect.
    """

    manifest: Manifest
    factor: Factor
    probs: NDArray[np.float64]
    given: NDArray[np.int64]
    joint: NDArray[np.bool_]
    sureness: float

    def odds(self, found: Confident, one: int) -> str:
        """Say how probable both levels are."""
        told, likely = self.factor.levels[found.given[one]], self.factor.levels[found.likely[one]]
        return f"P({likely}) = {found.other[one]:.3f}, P({told}) = {found.own[one]:.3f}"

    def rank(self, found: Confident, one: int) -> float:
        """Return the distance as a share of the largest there can be."""
        return float(found.distance[one]) / (len(self.factor.levels) - 1 if self.factor.is_numeric else 1)

    def proposal(self, found: Confident, one: int, row: int) -> Proposal:
        """Propose the likely level instead of what a row has: a number where it has one, else a level."""
        value = (
            self.manifest.table[self.factor.name][row].as_py()
            if self.manifest.has(self.factor.name)
            else None
        )
        if value is None:
            old = self.factor.levels[found.given[one]]
        else:
            old = f"{value:g}" if self.factor.is_numeric else str(value)
        return Proposal(self.factor.name, old, self.factor.levels[found.likely[one]])


def suspect_labels(
    manifest: Manifest, probs: NDArray[np.float32], *, sureness: float = SURENESS
) -> Iterator[Finding]:
    """Report labels that are probably wrong, by confident learning, each factor by itself.

    What does not change between photos of a person is judged on all of them together, and corrected for
    the person; what does, photo by photo. A finding is severe if confident learning on the joint
    classes agrees that something is wrong.

    Args:
        manifest: With labels.
        probs: Out-of-fold probabilities of each row, (rows, classes), NaN where there are none.
        sureness: How sure models must be of another level, as a share of how sure they usually are of it.
    """
    predicted = np.asarray(np.isfinite(probs).all(axis=1))
    labels = np.where(predicted, manifest.labels, -1)
    probs = np.where(predicted[:, None], probs, 1 / probs.shape[1])
    joint = confident(probs, labels, is_ordered=False).suspect(sureness)
    levels = np.unravel_index(np.maximum(labels, 0), manifest.space.shape)
    personal = personal_factors(manifest)
    for place, factor in enumerate(manifest.space.factors):
        own = of_factor(probs, manifest.space.shape, place)
        given = np.where(labels >= 0, levels[place], -1)
        doubt = Doubt(manifest, factor, own, given, joint, sureness)
        yield from _suspect_people(doubt) if factor in personal else _suspect_photos(doubt)


def _suspect_people(doubt: Doubt) -> Iterator[Finding]:
    # A photo of nobody known is judged by itself.
    person = np.where(doubt.given >= 0, doubt.manifest.people.codes, -1)
    people = len(doubt.manifest.people)
    part = np.flatnonzero(person >= 0)
    first = np.full(people, -1)
    first[person[part][::-1]] = part[::-1]  # speaks for all; contradictions are reported as such
    given = np.where(first >= 0, doubt.given[first], -1)
    found = confident(of_person(doubt.probs, person, people), given, is_ordered=doubt.factor.is_numeric)
    photos = np.bincount(person[part], minlength=people)
    agree = doubt.probs[part].argmax(axis=1) == found.likely[person[part]]
    agreeing = np.bincount(person[part], weights=agree, minlength=people).astype(int)
    severe = 2 * np.bincount(person[part], weights=doubt.joint[part], minlength=people) > photos
    is_suspect = found.suspect(doubt.sureness) & _is_far(doubt, first, found.likely)
    for one in _worst_first(found, is_suspect):
        facts = [doubt.odds(found, one), f"{agreeing[one]} of {photos[one]} photos agree"]
        severity: Severity = "high" if severe[one] else "medium"
        row = int(first[one])
        name = person_of(doubt.manifest, row)
        kind, place = ("suspect:photo", row) if name is None else ("suspect:person", None)
        yield Finding(
            kind, severity, ", ".join(facts), name, place,
            proposal=doubt.proposal(found, one, row), confidence=doubt.rank(found, one),
        )  # fmt: skip


def _suspect_photos(doubt: Doubt) -> Iterator[Finding]:
    found = confident(doubt.probs, doubt.given, is_ordered=doubt.factor.is_numeric)
    far = _is_far(doubt, np.arange(len(doubt.given)), found.likely)
    unsure = _worst_first(found, found.suspect(min(SURENESS_OF_EXCHANGE, doubt.sureness)) & far)
    partner = _exchanged(unsure, doubt.manifest.known_people, found)
    suspect = found.suspect(doubt.sureness)
    paths = doubt.manifest.table["path"]
    for row in unsure:
        other = partner.get(row)
        if other is None and not suspect[row]:
            continue
        path = None if other is None else paths[other].as_py()
        kind = "suspect:photo" if path is None else "suspect:exchange"
        evidence = doubt.odds(found, row) + ("" if path is None else ", as if exchanged")
        severity: Severity = "high" if doubt.joint[row] else "medium"
        yield Finding(
            kind, severity, evidence, person_of(doubt.manifest, row), row, path,
            doubt.proposal(found, row, row), doubt.rank(found, row),
        )  # fmt: skip


def _worst_first(found: Confident, chosen: NDArray[np.bool_]) -> list[int]:
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(-found.distance[rows], kind="stable")].tolist()  # type: ignore[no-any-return]


def _is_far(doubt: Doubt, row: NDArray[np.int64], likely: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the number of each of these rows is far from its likely band, (n,); others are.

    Someone of 58 who looks 60 is no error of labelling, and no photo tells.
    """
    if not (doubt.factor.is_numeric and doubt.manifest.has(doubt.factor.name)):
        return np.ones(len(row), np.bool_)
    column = doubt.manifest.table[doubt.factor.name].cast(pa.float64())
    numbers = pc.fill_null(column, np.nan).to_numpy()[row]
    edges = np.array([-np.inf, *doubt.factor.cuts, np.inf])
    away = np.maximum(edges[likely] - numbers, numbers - edges[likely + 1])
    is_known = ~np.isnan(numbers)
    spread = np.std(numbers[is_known]) if is_known.any() else 0.0
    return np.asarray(~is_known | (away >= FAR * spread))


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
