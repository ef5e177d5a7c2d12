"""The HTML page of `maskkit audit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maskkit.auditing.findings import KINDS, Finding, Severity
from maskkit.reporting.old_pages import render

MOST_OF_A_KIND = 200  # a page with more would be too large; JSON has all


@dataclass(frozen=True)
class FindingGroup:
    """All findings of one kind.

    Args:
        kind: One of KINDS.
        says: What that is.
        severity: Of the most severe of them.
        findings: The first of them.
        count: How many there are.
    """

    kind: str
    says: str
    severity: Severity
    findings: Sequence[Finding]
    count: int


def findings_page(
    findings: Sequence[Finding],
    paths: Mapping[int, str],
    *,
    title: str,
    facts: Mapping[str, str],
    history: str,
    pictures: Mapping[str, Sequence[tuple[str, str]]],
) -> str:
    """Return the page as HTML: self-contained, and without photos unless pictures are given.

    Args:
        findings: The most severe first.
        paths: Of the rows that they name.
        title: Title of the page.
        facts: What was audited, in the order to show.
        history: The commands that made it, one per line; empty if unknown.
        pictures: For findings by their `flag` and place (see `place`), names of photos and their data URIs.
    """
    counts = Counter(one.kind for one in findings)
    groups = [
        FindingGroup(kind, KINDS[kind], of_kind[0].severity, of_kind[:MOST_OF_A_KIND], count)
        for kind, count in counts.items()
        for of_kind in [[one for one in findings if one.kind == kind]]
    ]
    return render(
        "findings.html",
        title=title,
        facts=facts,
        history=history,
        groups=groups,
        leaks=sum(one.is_leak for one in findings),
        paths=paths,
        place=place,
        sheets=pictures,
        pictures=bool(pictures),
    )


def place(finding: Finding) -> str:
    """Return what tells a finding from every other."""
    return f"{finding.person}/{finding.row}/{finding.flag}"
