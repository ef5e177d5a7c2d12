from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.findings import Audit, Finding, Proposal
from maskkit.errors import MaskkitError
from maskkit.reviewing.questions import screens_of
from maskkit.stages.audit import flagged, record_of
from maskkit.stages.label import label
from maskkit.stages.review import review
from reviewing.desks import PROPOSED, desk_of, fixes

HEADER = "path,person_id,column,value,from\n"


def text_of(text: str, name: str = "fixes.csv") -> Source:
    return Source(name, pa.py_buffer(text.encode()))


def test_all_that_is_asked_of_a_person_is_on_one_screen_with_all_photos(labels: Manifest) -> None:
    desk = desk_of(labels, fixes=fixes([PROPOSED[0], PROPOSED[2], PROPOSED[3], PROPOSED[1]]))
    assert [(screen.title, screen.questions) for screen in desk.screens] == [
        ("000001", (0, 1)), ("000002", (2,)), ("000003", (3,)),
    ]  # fmt: skip
    assert [len(screen.rows) for screen in desk.screens] == [7, 7, 7]
    assert [(one.factor.name, one.given, one.proposed) for one in desk.questions] == [
        ("gender", "male", "female"), ("age", "19", "60plus"), ("mask", "wear", "none"),
        ("age", "27", "30to59"),
    ]  # fmt: skip
    assert [one.rows for one in desk.questions] == [
        tuple(range(7)),
        tuple(range(7)),
        (7,),
        tuple(range(14, 21)),
    ]


def test_a_photo_of_nobody_known_is_a_screen_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("path,mask,gender,age\na.jpg,wear,male,58\nb.jpg,wear,male,3\n")
    manifest = label(tmp_path / "photos.csv", no_check=True)
    for name in manifest.paths:
        (tmp_path / name).touch()
    desk = review(manifest, text_of(f"{HEADER}b.jpg,,age,30to59,3\n"))
    assert [(screen.title, screen.rows) for screen in desk.screens] == [("b.jpg", (1,))]


def test_what_is_said_twice_of_one_label_is_asked_once_with_all_evidence(labels: Manifest) -> None:
    other = (*PROPOSED[0][:3], "male", "male", "inconsistent:factor", "0.9", "gender is male (6)")
    desk = desk_of(labels, fixes=fixes([PROPOSED[0], other]))
    (question,) = desk.questions
    assert question.proposed == "female"
    assert question.evidence == "P(female) = 0.9, 7 of 7 agree; male: gender is male (6)"


def test_a_spreadsheet_s_zeros_semicolons_and_mark_are_understood(labels: Manifest) -> None:
    lines = (
        "path;person_id;column;value;from;confidence",
        ";1;gender;female;male;0,9",
        ";3.0;age;30to59;27;1",
    )
    desk = review(labels, text_of("\ufeff" + "\r\n".join(lines)))
    assert [(one.person, one.factor.name) for one in desk.questions] == [
        ("000001", "gender"),
        ("000003", "age"),
    ]


def test_the_findings_that_audit_prints_are_asked_as_far_as_they_propose_anything(
    labels: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    rows = (
        "kind\tseverity\tperson_id\tpath\tother\tcolumn\tfrom\tvalue\tconfidence\tevidence",
        "duplicate\tlow\t000002\ta.jpg\tb.jpg\t\t\t\t1.0\t3 of 256 bits apart",
        "suspect:person\thigh\t000001\t\t\tgender\tmale\tfemale\t0.9\tP(female) = 0.9",
    )
    with caplog.at_level("INFO"):
        desk = review(labels, text_of("\n".join(rows) + "\n"))
    assert [(one.person, one.proposed, one.kind) for one in desk.questions] == [
        ("000001", "female", "suspect:person")
    ]
    assert "1 findings propose no value" in caplog.text


def test_the_flags_of_a_manifest_are_asked_too(labels: Manifest) -> None:
    findings = [
        Finding("suspect:person", "high", "x", "000001", proposal=Proposal("gender", "male", "female")),
        Finding("suspect:photo", "high", "x", "000002", 7, proposal=Proposal("mask", "wear", "none")),
        Finding("duplicate", "low", "x", "000002", 8, other="age=60plus"),
        Finding("photo:dark", "low", "x", "000002", 9),
    ]
    manifest = flagged(Audit(labels, findings, None, ()), record_of(labels))
    desk = review(manifest)
    assert [(one.path, one.person, one.proposed, one.given) for one in desk.questions] == [
        (None, "000001", "female", "male"), (labels.paths[7], "000002", "none", "wear"),
    ]  # fmt: skip
    assert desk.questions[0].evidence == "models disagree with the label on all photos of a person"


def test_without_findings_there_is_an_error_that_says_where_they_come_from(labels: Manifest) -> None:
    with pytest.raises(MaskkitError, match="has no findings") as caught:
        review(labels)
    assert "maskkit review folds.parquet fixes.csv -o reviewed.csv" in caught.value.fix
    with pytest.raises(MaskkitError, match=r"fixes.csv proposes no label"):
        review(labels, text_of(HEADER))
    with pytest.raises(MaskkitError, match="proposes no label"):
        review(flagged(Audit(labels, [], None, ()), record_of(labels)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",000001,gender,female,female", "`from` is not what there is now: line 2"),
        (",000001,age,60plus,20", "`from` is not what there is now: line 2"),
        (",999999,gender,female,male", "people who are not there: line 2"),
        (",000001,gender,woman,male", "values that gender cannot have: line 2"),
        (",000001,height,2,1", "these columns cannot be corrected: line 2"),
    ],
)
def test_a_line_that_fits_no_photo_or_label_is_refused(labels: Manifest, line: str, message: str) -> None:
    with pytest.raises(MaskkitError, match=message):
        review(labels, text_of(f"{HEADER}{line}\n"))


def test_a_photo_s_own_line_says_what_its_label_was_and_the_person_s_what_that_of_the_rest_was(
    tmp_path: Path,
) -> None:
    (tmp_path / "photos.csv").write_text(
        "path,person_id,mask,gender,age\na.jpg,7,wear,male,58\nb.jpg,7,wear,female,58\n"
    )
    manifest = label(tmp_path / "photos.csv", no_check=True)
    for name in manifest.paths:
        (tmp_path / name).touch()
    desk = review(manifest, text_of(f"{HEADER},7,gender,female,male\nb.jpg,7,gender,male,female\n"))
    assert [one.given for one in desk.questions] == ["male", "female"]
    with pytest.raises(MaskkitError, match="`from` is not what there is now"):
        review(manifest, text_of(f"{HEADER},7,gender,female,male\n"))


def test_photos_that_are_not_there_are_an_error_before_anybody_is_asked(labels: Manifest) -> None:
    with pytest.raises(MaskkitError, match=r"photos of .* are not under nowhere"):
        desk_of(labels.located(root="nowhere"))


def test_screens_follow_the_order_of_the_findings(labels: Manifest) -> None:
    desk = desk_of(labels, fixes=fixes([PROPOSED[3], PROPOSED[0]]))
    assert [screen.title for screen in screens_of(labels, desk.questions)] == ["000003", "000001"]
