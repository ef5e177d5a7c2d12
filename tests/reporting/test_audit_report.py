"""The report of `maskkit audit`: its counts, against findings that are known, and what a page shows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pages import Page, plain, words
from reports import page_table, terminal_of

from maskkit.auditing.findings import Audit, Finding, Proposal
from maskkit.cli.shell.show_report import tsv
from maskkit.reporting.audit_report import audit_report
from maskkit.reporting.html import page
from maskkit.reporting.table import Photo
from maskkit.stages.label import label

HOSTILE = "<script>[red]b</script>"


def audited(leaks: int = 2, doubts: int = 3, copies: int = 10) -> Audit:
    """Leaks, doubtful labels and copies, as many as are said, of a person each."""
    with TemporaryDirectory() as folder:
        table = Path(folder) / "photos.csv"
        with table.open("w", newline="") as file:
            rows = [(f"{person}/{HOSTILE}.jpg", person, "wear", "male", 40) for person in range(20)]
            csv.writer(file).writerows([("path", "person_id", "mask", "gender", "age"), *rows])
        manifest = label(table, no_check=True)
    fix = Proposal("gender", "male", "female")
    doubt = Finding("suspect:person", "medium", "7 of 7 agree", proposal=fix, confidence=0.9123456)
    copy = Finding("duplicate", "low", "the same bytes", other="copy.jpg")
    findings = [
        *(Finding("leak:people", "high", HOSTILE, f"{row}", row, f"{row}/copy.jpg") for row in range(leaks)),
        *(replace(doubt, person=f"{person}") for person in range(doubts)),
        *(replace(copy, row=number % 20) for number in range(copies)),
    ]
    return Audit(manifest, findings, None, ("people", "photos"))


@pytest.mark.parametrize("counts", [(2, 3, 10), (1, 0, 250), (0, 2, 0)])
def test_counts_are_those_of_the_findings(counts: tuple[int, int, int]) -> None:
    report = audit_report(audited(*counts))
    wanted = dict(zip(("leak:people", "suspect:person", "duplicate"), counts, strict=True))
    wanted = {kind: count for kind, count in wanted.items() if count}
    summary = Page(page(report)).tables[0][1:]
    assert {row[0]: int(row[-1]) for row in summary} == wanted
    header, rows = tsv(report)
    kinds = [row[header.index("kind")] for row in rows]
    assert {kind: kinds.count(kind) for kind in wanted} == wanted == report.data["counts"]
    assert f"{sum(counts)} findings in 20 photos" in terminal_of(report)
    said = {0: "No leak was found", 1: "1 leak was found", 2: "2 leaks were found"}
    assert said[counts[0]] in words(page(report))


def test_a_kind_of_two_severities_is_counted_once_and_alike_everywhere() -> None:
    found = audited(leaks=0, doubts=3, copies=4)
    found.findings[0] = replace(found.findings[0], severity="high")
    report = audit_report(found)
    html = page(report)
    assert page_table(report, "kind", "what it says")["suspect:person"] | {"what it says": ""} == {
        "what it says": "", "high": "1", "medium": "2", "low": "", "findings": "3",
    }  # fmt: skip
    lists = Page(html).tables[1:]
    assert [len(one) - 1 for one in lists] == [3, 4] == list(report.data["counts"].values())
    assert "4 findings (duplicate) are listed in the page and in the JSON output" in terminal_of(report)
    assert [plain(line).split()[-1] for line in terminal_of(report).splitlines() if ": " not in line
            and line.startswith(("suspect", "duplicate"))][:2] == ["3", "4"]  # fmt: skip


def test_a_page_says_of_each_finding_whose_which_photo_and_what_was_seen() -> None:
    report = audit_report(audited())
    leak = page_table(report, "person", "severity", "photo", "evidence")
    assert list(leak) == ["0", "1"]
    tables = Page(page(report)).tables
    assert ["0", "high", f"0/{HOSTILE}.jpg 0/copy.jpg", HOSTILE] in tables[1]
    assert ["2", "medium", "all photos", "gender male", "female", "7 of 7 agree"] in tables[2]
    assert "gender male" not in words(page(audit_report(audited(doubts=0))))


def test_a_terminal_leaves_the_slightest_to_the_other_forms() -> None:
    report = audit_report(audited())
    shown = terminal_of(report)
    assert "7 of 7 agree" in shown
    assert "the same bytes" not in shown
    assert "the same bytes" in words(page(report))
    assert len([row for row in tsv(report)[1] if row[0] == "duplicate"]) == 10


def test_what_has_no_room_is_counted() -> None:
    report = audit_report(audited(leaks=9, copies=203))
    assert "and 1 more, in the JSON output" in terminal_of(report)
    assert "and 3 more, in the JSON output" in words(page(report))


def test_what_has_no_room_is_counted_below_the_table_and_not_in_a_narrow_column() -> None:
    lines = terminal_of(audit_report(audited(leaks=9)), width=60).splitlines()
    assert "and 1 more, in the JSON output" in map(str.strip, lines)


def test_photos_stand_below_the_finding_that_names_them() -> None:
    photos = [(Photo("a.jpg", "data:image/jpeg;base64,AA"),), (Photo("b.jpg", "data:image/jpeg;base64,BB"),)]
    html = page(audit_report(audited(), photos=photos))
    assert html.count("<img") == 2
    places = [html.index(text) for text in ("0/copy.jpg", "base64,AA", "1/copy.jpg", "base64,BB")]
    assert places == sorted(places)
    assert "do not publish this page" in html
    assert "do not publish this page" not in page(audit_report(audited()))


def test_nothing_found_is_said_with_what_was_looked_for() -> None:
    report = audit_report(audited(0, 0, 0))
    assert "Looked for people, photos: nothing is wrong with 20 photos" in terminal_of(report)
    assert "nothing is wrong with 20 photos" in words(page(report))
    assert json.dumps(report.data["findings"]) == "[]"


def test_a_page_says_which_findings_have_their_photos() -> None:
    photo = (Photo("a.jpg", "data:image/jpeg;base64,AAAA"),)
    some = words(page(audit_report(audited(2, 3, 0), photos=[photo] * 2)))
    assert "The first 2 findings have their photos" in some
    assert "have their photos" not in words(page(audit_report(audited(2, 3, 0), photos=[photo] * 5)))
    assert "have their photos" not in words(page(audit_report(audited(2, 3, 0))))
