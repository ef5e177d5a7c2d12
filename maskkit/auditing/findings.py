"""One thing that is wrong, as each check reports it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from maskkit.artifacts.columns import Ints
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.survey import Duplicates

Severity = Literal["high", "medium", "low"]
SEVERITIES: Sequence[Severity] = ("high", "medium", "low")
LEAK = "leak"

# What each kind of finding means, for tables and pages.
KINDS = {
    "leak:person": "a person is in two folds",
    "leak:folds": "the same or nearly the same photo is in two folds",
    "leak:people": "the same or nearly the same photo is of two people, whom a split may part",
    "leak:against": "the same or nearly the same photo is in the other data set",
    "duplicate:people": "the same or nearly the same photo is of two people, in one fold",
    "duplicate:labels": "the same or nearly the same photo of a person has two labels",
    "duplicate": "a person has the same or nearly the same photo twice",
    "inconsistent:factor": "a person has two values of what does not change between photos",
    "inconsistent:photos": "a person has other photos than the rest",
    "suspect:person": "models disagree with the label on all photos of a person",
    "suspect:photo": "models disagree with the label on one photo",
    "suspect:exchange": "models disagree with two photos of a person, as if they were exchanged",
    "photo:unreadable": "a photo cannot be read",
    "photo:incomplete": "a part of a photo's data is missing or damaged",
    "photo:dark": "a photo is nearly black",
    "photo:blurred": "a photo is far less sharp than the rest",
    "photo:tiny": "a photo is far smaller than the rest",
    "photo:faceless": "no face was found",
    "photo:outlier": "brightness or colour of a photo are far from the rest",
}


FINDING_COLUMNS = (
    "kind", "severity", "person_id", "path", "other", "column", "from", "value", "confidence", "evidence",
)  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """A value that would be right, for a person to confirm."""

    column: str
    old: str
    value: str


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str  # one of KINDS
    severity: Severity  # `high` spoils results, `medium` probably does, `low` is worth a look
    evidence: str  # what was seen, in words
    person: str | None = None  # whose photos are meant, if known
    row: int | None = None  # the photo's row in the manifest; None if all photos of the person are meant
    other: str | None = None  # path of the other photo, of a duplicate
    proposal: Proposal | None = None  # what would be right, where that is known
    confidence: float = 1.0  # orders findings of one kind, from 0 to 1

    @property
    def is_leak(self) -> bool:
        """Whether a score of this data could be trusted less for it."""
        return self.kind.startswith(LEAK)

    @property
    def flag(self) -> str:
        """The finding as one text of the manifest's `flags`."""
        if self.proposal is not None:
            return f"{self.kind}:{self.proposal.column}={self.proposal.value}"
        return f"{self.kind}:{self.other}" if self.other is not None else self.kind


@dataclass(frozen=True)
class Audit:
    """What was found."""

    manifest: Manifest  # that was audited
    findings: list[Finding]  # the most severe first
    duplicates: Duplicates | None  # photos that are in it twice; None if no photo was looked at
    checks: tuple[str, ...]  # what was looked for

    @property
    def leaks(self) -> dict[str, int]:
        """How many findings are leaks, by kind."""
        return dict(Counter(one.kind for one in self.findings if one.is_leak))

    def to_json(self) -> dict[str, Any]:
        """Return all findings as plain values."""
        kinds = [one.kind for one in self.findings]
        return {
            "photos": len(self.manifest),
            "checks": list(self.checks),
            "leaks": sum(self.leaks.values()),
            "counts": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
            "findings": [dict(zip(FINDING_COLUMNS, row, strict=True)) for row in self.rows()],
        }

    def rows(self) -> list[tuple[object, ...]]:
        """Return a row per finding, of FINDING_COLUMNS."""
        paths = self.manifest.table["path"]
        found = []
        for one in self.findings:
            path = None if one.row is None else paths[one.row].as_py()
            proposed = (None, None, None) if one.proposal is None else astuple(one.proposal)
            place = (one.kind, one.severity, one.person, path, one.other)
            found.append((*place, *proposed, round(one.confidence, 4), one.evidence))
        return found


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the most severe first, of each kind the surest first."""
    kinds = list(KINDS)
    return sorted(
        findings, key=lambda one: (SEVERITIES.index(one.severity), kinds.index(one.kind), -one.confidence)
    )


def kind_of(flag: str) -> str:
    """Return the kind of finding that a flag names; of another program's flag, the word before its colon."""
    kinds = [kind for kind in KINDS if flag == kind or flag.startswith(f"{kind}:")]
    return max(kinds, key=len, default=flag.partition(":")[0])


def flags(findings: Iterable[Finding], manifest: Manifest) -> pa.Array:
    """Return the flags of every row, list of string (rows,); null for none."""
    rows: dict[int, list[str]] = {}
    rows_of = rows_by_person(manifest)
    for one in findings:
        for row in [one.row] if one.row is not None else rows_of(one.person).tolist():
            rows.setdefault(row, []).append(one.flag)
    return pa.array([rows.get(row) for row in range(len(manifest))], pa.list_(pa.string()))


def rows_by_person(manifest: Manifest) -> Callable[[str | None], Ints]:
    """Return a function from a person to the rows of their photos."""
    codes = manifest.known_people
    order = np.argsort(codes, kind="stable")
    place = {name: code for code, name in enumerate(manifest.people.names)}

    def rows_of(person: str | None) -> Ints:
        if person not in place:
            return np.zeros(0, np.int64)
        low, high = np.searchsorted(codes, [place[person], place[person] + 1], sorter=order)
        return order[low:high]

    return rows_of


def person_of(manifest: Manifest, row: int) -> str | None:
    """Return whose photo a row is, or None if nobody is named."""
    name: str | None = manifest.table["person_id"][row].as_py()
    return name
