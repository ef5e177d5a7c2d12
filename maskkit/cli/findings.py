"""What `maskkit audit` found, laid out for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from maskkit.cli.tables import new_table
from maskkit.cli.terminal import escape

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.auditing.findings import Finding
    from maskkit.stages.audit import Audit

MOST = 12  # findings of a kind; the pipe, JSON and the page have all
COLOURS = {"high": "red", "medium": "yellow", "low": ""}


def audit_tables(audit: Audit) -> Iterator[Table]:
    """Show how many findings of each kind there are, and the first of each but the slightest."""
    from maskkit.auditing.findings import KINDS

    counts = Counter((one.severity, one.kind) for one in audit.findings)
    head = new_table(
        f"{len(audit.findings)} findings in {len(audit.manifest)} photos", "kind", "", "severity", "number"
    )
    head.columns[1].justify = "left"
    head.columns[1].no_wrap = False
    for (severity, kind), count in counts.items():
        head.add_row(kind, KINDS[kind], _coloured(severity), str(count))
    yield head
    for kind in dict.fromkeys(kind for severity, kind in counts if severity != "low"):
        yield _details(audit, [one for one in audit.findings if one.kind == kind])


def _details(audit: Audit, findings: list[Finding]) -> Table:
    from maskkit.auditing.findings import KINDS

    paths = audit.manifest.table["path"]
    kind = findings[0].kind
    shown = new_table(f"{kind}: {KINDS[kind]}", "person", "photo", "proposed", "evidence")
    for column in shown.columns[1:]:
        column.justify, column.no_wrap = "left", False
    for one in findings[:MOST]:
        proposal = one.proposal
        photos = [] if one.row is None else [paths[one.row].as_py()]
        photos += [one.other] if one.other is not None else []
        shown.add_row(
            escape(one.person or "-"),
            escape("\n".join(photos) or "all"),
            "" if proposal is None else escape(f"{proposal.column}: {proposal.old} to {proposal.value}"),
            escape(one.evidence),
        )
    if len(findings) > MOST:
        shown.caption = f"and {len(findings) - MOST} more"
    return shown


def _coloured(severity: str) -> str:
    colour = COLOURS[severity]
    return f"[{colour}]{severity}[/]" if colour else severity
