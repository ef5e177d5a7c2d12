"""The report of `maskkit audit`: how many findings of each kind there are, and each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from maskkit.artifacts.header import Record
from maskkit.artifacts.script import script
from maskkit.auditing.findings import FINDING_COLUMNS, KINDS, SEVERITIES, Audit
from maskkit.reporting.report import Item, Report, Section
from maskkit.reporting.table import PRIVATE, Column, Note, Photo, Row, Table, page_note


def audit_report(
    found: Audit, *, photos: Sequence[tuple[Photo, ...]] = (), record: Record | None = None
) -> Report:
    """Lay out what is wrong; `photos` are those of the first findings, for a page, `record` is the run's."""
    kinds = dict.fromkeys(one.kind for one in found.findings)
    manifest, checks = found.manifest, ", ".join(found.checks)
    return Report(
        title=f"Audit of {manifest.name}",
        data=found.to_json(),
        sections=(
            Section("", tuple(_headline(found, pictured=len(photos) if any(photos) else 0)), is_brief=True),
            *(Section(kind, tuple(_kind(found, kind, photos)), is_brief=True) for kind in kinds),
        ),
        verdict=_verdict(found),
        facts={"Photos": f"{len(manifest):,}", "Looked for": checks},
        history=script(manifest.header.history, output=manifest.name),
        header="wide",
        record=record,
    )


def _verdict(found: Audit) -> tuple[Note, ...]:
    if not found.findings:
        checks = ", ".join(found.checks)
        return (Note(f"Looked for {checks}: nothing is wrong with {len(found.manifest)} photos", "verdict"),)
    count = sum(found.leaks.values())
    if not count:
        return (Note("No leak was found", "verdict", on="page"),)
    return (
        Note(f"{count:,} {'leak was' if count == 1 else 'leaks were'} found", "verdict", on="page"),
        Note(
            "A photo or person on both sides of a split, or in the test set too, makes a score better than "
            "it is",
            on="page",
        ),
    )


def _headline(found: Audit, *, pictured: int) -> Iterator[Item]:
    columns = tuple(Column(name, name) for name in FINDING_COLUMNS)
    findings = found.to_json()["findings"]
    yield Table.of(findings, columns, name="", head=Column("", ""), at=("findings",), on="programs")
    counts = Counter(one.kind for one in found.findings)
    severity = Counter((one.kind, one.severity) for one in found.findings)
    seen = [one for one in SEVERITIES if any((kind, one) in severity for kind in counts)]
    if counts:
        columns = (
            Column("", "what it says", wraps=True),
            *(Column("", one, "count") for one in seen),
            Column("", "findings", "count", is_main=True),
        )
        rows = (
            Row(kind, (KINDS[kind], *(severity[kind, one] or "" for one in seen), count))
            for kind, count in counts.items()
        )
        title = f"{len(found.findings):,} findings in {len(found.manifest):,} photos, by severity"
        yield Table(columns, tuple(rows), title, head=Column("", "kind", wraps=True), on="people")
    slight = [kind for kind in counts if _is_slight(found, kind)]
    if slight:
        count = sum(counts[kind] for kind in slight)
        kinds = "none but slight" if len(slight) == len(counts) else ", ".join(slight)
        yield Note(
            f"{count:,} findings ({kinds}) are listed in the page and in the JSON output", on="terminal"
        )
    if pictured:
        yield PRIVATE
        if pictured < len(found.findings):
            yield page_note(f"The first {pictured:,} findings have their photos: a page holds no more")


def _kind(found: Audit, kind: str, photos: Sequence[tuple[Photo, ...]]) -> Iterator[Item]:
    """Show the findings of a kind; a terminal leaves out those of no kind but the slightest."""
    places = [place for place, one in enumerate(found.findings) if one.kind == kind]
    findings = [found.findings[place] for place in places]
    proposes = any(one.proposal for one in findings)
    yield Note(KINDS[kind].capitalize(), on="page")
    if proposes:
        yield Note(
            "A proposal is no verdict: confirm it, or strike it from the file that --corrections writes",
            on="page",
        )
    titles = ("photo", *(("given", "proposed") if proposes else ()), "evidence")
    severity = Column("", "severity", "tag", is_choice=True, on="page")
    rows = []
    for place, one in zip(places, findings, strict=True):
        path = "all photos" if one.row is None else found.manifest.table["path"][one.row].as_py()
        photo = path if one.other is None else f"{path}\n{one.other}"
        fix = one.proposal
        change = ("", "") if fix is None else (f"{fix.column} {fix.old}", fix.value)
        cells = (one.severity, photo, *(change if proposes else ()), one.evidence)
        rows.append(Row(one.person or "-", cells, photos=photos[place] if place < len(photos) else ()))
    yield Table(
        (severity, *(Column("", title, is_main=title == "proposed", wraps=True) for title in titles)),
        tuple(rows),
        head=Column("", "person", wraps=True, is_shared=True),
        most_shown=8,
        most_on_page=200,
        on="page" if _is_slight(found, kind) else "people",
    )


def _is_slight(found: Audit, kind: str) -> bool:
    """Whether all findings of a kind are of the lowest severity."""
    return all(one.severity == SEVERITIES[-1] for one in found.findings if one.kind == kind)
