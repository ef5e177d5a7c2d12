"""What `maskkit audit` found, laid out for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import new_table

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.auditing.findings import Finding
    from maskkit.stages.audit import Audit

MOST = 8  # findings of a kind; the pipe, JSON and the page have all
COLOURS = {"high": "red", "medium": "yellow", "low": ""}


def audit_tables(audit: Audit) -> Iterator[Table | str]:
    """Show how many findings of each kind there are, and the first of each but the slightest."""
    from maskkit.auditing.findings import KINDS

    if not audit.findings:
        yield f"nothing is wrong with {len(audit.manifest)} photos; looked for: {', '.join(audit.checks)}"
        return
    counts = Counter((one.severity, one.kind) for one in audit.findings)
    title = f"{len(audit.findings)} findings in {len(audit.manifest)} photos"
    head = new_table(title, "findings", "severity", "kind", "what it says")
    _let_wrap(head)
    for (severity, kind), count in counts.items():
        head.add_row(str(count), _coloured(severity), kind, KINDS[kind])
    yield head
    for kind in dict.fromkeys(kind for severity, kind in counts if severity != "low"):
        yield _details(audit, [one for one in audit.findings if one.kind == kind])


def _details(audit: Audit, findings: list[Finding]) -> Table:
    proposes = any(one.proposal for one in findings)
    shown = new_table(findings[0].kind, "person", "photo", *(["proposed"] if proposes else []), "evidence")
    _let_wrap(shown)
    for one in findings[:MOST]:
        cells = [one.person or "-", _photos(audit, one)]
        if proposes:
            fix = one.proposal
            cells.append("" if fix is None else f"{fix.column}: {fix.old} to {fix.value}")
        shown.add_row(*(escape(cell) for cell in [*cells, one.evidence]))
    if len(findings) > MOST:
        shown.caption = f"and {len(findings) - MOST} more"
    return shown


def _photos(audit: Audit, one: Finding) -> str:
    if one.row is None:
        return "all"
    path = str(audit.manifest.table["path"][one.row])
    return path if one.other is None else f"{path}\n{one.other}"


def _let_wrap(table: Table) -> None:
    """Let texts flow to the terminal's width; nothing here is a number that could be cut short."""
    for column in table.columns:
        column.justify, column.no_wrap, column.overflow = "left", False, "fold"


def _coloured(severity: str) -> str:
    colour = COLOURS[severity]
    return f"[{colour}]{severity}[/]" if colour else severity
