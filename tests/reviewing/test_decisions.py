from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.labelling.correction_lines import to_corrections_csv
from maskkit.reviewing.decisions import COLUMNS, ConflictError
from maskkit.stages.label import label
from maskkit.stages.review import review
from reviewing.desks import PROPOSED, decided, desk_of, fixes, rows_of


def labelled(train_csv: Path, corrections: Path) -> Manifest:
    return label(train_csv, corrections=corrections, no_check=True)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "reviewed.csv"


def test_the_file_is_there_from_the_beginning_and_whole_after_every_decision(
    labels: Manifest, output: Path
) -> None:
    decisions = desk_of(labels, output).decisions
    assert output.read_text() == ",".join(COLUMNS) + "\n"
    decisions.decide(1, "25", seen=0)
    decisions.decide(0, "female", seen=1)
    assert [(row["person_id"], row["column"], row["value"], row["from"]) for row in rows_of(output)] == [
        ("000001", "gender", "female", "male"), ("000001", "age", "25", "19"),
    ]  # fmt: skip
    assert [path.name for path in output.parent.iterdir()] == ["reviewed.csv"]
    assert not output.read_bytes().startswith(b"\xef\xbb\xbf")


def test_label_takes_what_was_decided_and_its_record_says_how_much_was_reviewed(
    labels: Manifest, output: Path, train_csv: Path
) -> None:
    decisions = desk_of(labels, output).decisions
    for number, value in enumerate(("female", "19", "incorrect", "31")):
        decisions.decide(number, value, seen=number)
    after = labelled(train_csv, output)
    assert after.header.history[0].found == {"reviewed": {"confirmed": 1, "changed": 2, "struck": 1}}
    names = after.space.names
    assert [names[after.labels[row]] for row in (0, 7, 14)] == [
        "wear/female/under30", "incorrect/female/under30", "wear/male/30to59",
    ]  # fmt: skip
    assert after.table["age"].to_pylist()[14] == 31
    assert after.table["origin"].to_pylist().count("corrected") == 7 + 1 + 7
    assert "found" not in label(train_csv, no_check=True).header.history[0].to_json()


def test_what_nobody_has_decided_changes_no_label(labels: Manifest, output: Path, train_csv: Path) -> None:
    desk_of(labels, output)
    assert labelled(train_csv, output).table.equals(label(train_csv, no_check=True).table)


def test_a_photo_s_line_that_is_struck_keeps_its_label_from_what_is_confirmed_of_the_person(
    tmp_path: Path, output: Path
) -> None:
    (tmp_path / "photos.csv").write_text(
        "path,person_id,mask,gender,age\na.jpg,7,wear,male,58\nb.jpg,7,wear,female,58\nc.jpg,7,wear,male,58\n"
    )
    manifest = label(tmp_path / "photos.csv", no_check=True)
    for name in manifest.paths:
        (tmp_path / name).touch()
    lines = [("", "7", "gender", "female", "male"), ("b.jpg", "7", "gender", "male", "female")]
    given = Source("x", pa.py_buffer(to_corrections_csv(COLUMNS[:5], lines)))
    decisions = review(manifest, given, output=output).decisions
    decisions.decide(0, "male", seen=0)  # struck: those who are male stay so
    decisions.decide(1, "male", seen=1)
    assert label(tmp_path / "photos.csv", corrections=output, no_check=True).table[
        "gender"
    ].to_pylist() == 3 * ["male"]
    decisions.decide(0, "female", seen=2)
    decisions.decide(1, "female", seen=3)
    after = label(tmp_path / "photos.csv", corrections=output, no_check=True)
    assert after.table["gender"].to_pylist() == 3 * ["female"]
    assert after.table["origin"].to_pylist() == ["corrected", "given", "corrected"]


def test_a_word_that_is_typed_into_a_spreadsheet_strikes_a_line_too(train_csv: Path, tmp_path: Path) -> None:
    lines = ("1;gender;female;male;struck", "2;gender;male;female;", "3;gender;female;;struck")
    text = "\r\n".join(("person_id;column;value;from;reviewed", *lines, ""))
    (tmp_path / "fixes.csv").write_text(text)
    after = labelled(train_csv, tmp_path / "fixes.csv")
    assert after.table["origin"].to_pylist().count("corrected") == 7
    assert after.header.history[0].found == {"reviewed": {"struck": 2}}
    (tmp_path / "fixes.csv").write_text(text.replace("struck", "yes"))
    with pytest.raises(MaskkitError, match=r"`reviewed` holds other words: line 2"):
        labelled(train_csv, tmp_path / "fixes.csv")


def through_excel(data: bytes) -> bytes:
    """Save as Excel does in Korea or Germany: numbers without zeros, semicolons, decimal commas, its mark."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    for row in rows[1:]:
        row[1] = row[1].lstrip("0")
        row[8] = row[8].replace(".", ",")
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def test_a_file_that_went_through_excel_is_taken_and_gone_on_with(
    labels: Manifest, output: Path, train_csv: Path
) -> None:
    decisions = desk_of(labels, output).decisions
    decisions.decide(0, "female", seen=0)
    decisions.decide(2, "none", seen=1)
    before = labelled(train_csv, output).table
    output.write_bytes(through_excel(output.read_bytes()))
    assert labelled(train_csv, output).table.equals(before)
    again = desk_of(labels, output, resume=True)
    assert again.decisions.values == {0: "female", 2: "none"}
    assert decided(output) == [("gender", "female", "confirmed"), ("mask", "none", "confirmed")]
    assert rows_of(output)[0]["person_id"] == "000001"


def test_lines_and_columns_of_others_stay_in_the_file(labels: Manifest, output: Path) -> None:
    output.write_text(
        "person_id,column,value,note\n000009,age,61,asked her\n000001,gender,female,seen\n", encoding="utf-8"
    )
    desk = desk_of(labels, output, resume=True)
    assert desk.decisions.values == {0: "female"}
    desk.decisions.decide(1, "60plus", seen=0)
    rows = rows_of(output)
    assert [(row["person_id"], row["value"], row["reviewed"], row["note"]) for row in rows] == [
        ("000009", "61", "", "asked her"), ("000001", "female", "confirmed", "seen"),
        ("000001", "60plus", "confirmed", ""),
    ]  # fmt: skip


def test_a_second_round_asks_again_what_is_doubted_anew_and_knows_how_the_label_was_at_first(
    labels: Manifest, output: Path, train_csv: Path
) -> None:
    first = desk_of(labels, output).decisions
    first.decide(0, "female", seen=0)
    first.decide(1, "19", seen=1)
    corrected = labelled(train_csv, output).located(root=str(labels.root))
    rows = [(*PROPOSED[0][:3], "male", "female", *PROPOSED[0][5:]), PROPOSED[1]]
    second = desk_of(corrected, output, fixes=fixes(rows), resume=True).decisions
    assert second.values == {1: "19"}  # struck before, and not asked again
    second.decide(0, "female", seen=0)
    first_row = rows_of(output)[0]
    assert [first_row[name] for name in ("from", "value", "reviewed")] == ["male", "female", "confirmed"]
    assert labelled(train_csv, output).table.equals(corrected.table)
    second.decide(0, "male", seen=1)
    assert decided(output)[0] == ("gender", "male", "struck")
    assert labelled(train_csv, output).table["gender"][0].as_py() == "male"


def test_what_the_proposals_say_was_reviewed_is_decided(labels: Manifest, output: Path) -> None:
    desk_of(labels, output).decisions.decide(0, "female", seen=0)
    given = Source.open(output)
    again = review(labels, given, output=output.with_name("again.csv"))
    assert again.decisions.values == {0: "female"}
    assert again.decisions.csv() == output.read_bytes()


def test_an_existing_file_is_replaced_only_by_force(labels: Manifest, output: Path) -> None:
    output.write_text("mine\n")
    with pytest.raises(MaskkitError):
        desk_of(labels, output)
    assert output.read_text() == "mine\n"
    desk_of(labels, output, force=True)
    assert decided(output) == []


def test_a_decision_on_what_was_not_seen_is_a_conflict(labels: Manifest) -> None:
    decisions = desk_of(labels).decisions
    decisions.decide(0, "female", seen=0)
    with pytest.raises(ConflictError):
        decisions.decide(0, "male", seen=0)
    decisions.decide(0, None, seen=1)
    assert decisions.changes(1) == {"revision": 2, "decided": {0: None}}
    assert decisions.summary == "0 of 4 labels are decided: 0 confirmed, 0 changed, 0 struck"


@pytest.mark.parametrize(
    "cell", ["a,b", 'a"b', "a;b", " a", "a ", "a\tb", "a\nb", "a\rb", "여성", "=1+1", ""]
)
def test_any_cell_is_read_as_it_was_written(labels: Manifest, output: Path, cell: str) -> None:
    rows = [(*PROPOSED[0][:7], cell), PROPOSED[1]]
    desk = desk_of(labels, output, fixes=fixes(rows))
    assert desk.questions[0].evidence == cell
    desk.decisions.decide(0, "female", seen=0)
    assert rows_of(output)[0]["evidence"] == cell
    assert output.read_bytes().startswith(b"\xef\xbb\xbf") == (not cell.isascii())
