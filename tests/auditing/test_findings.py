from __future__ import annotations

import re
from pathlib import Path

from auditing_data import manifest_of, photos_of

import maskkit.auditing
from maskkit.auditing.findings import KINDS, Finding, Proposal, flags, ranked
from maskkit.stages.audit import FIXES


def test_every_kind_that_is_reported_is_explained() -> None:
    folder = Path(maskkit.auditing.__file__).parent
    prefix = r'"((?:leak|duplicate|inconsistent|suspect|photo):?[a-z]*)"'
    reported = {
        kind
        for file in folder.glob("*.py")
        for kind in re.findall(prefix, file.read_text())
        if kind not in ("leak", "leaks", "photos")
    }
    assert reported == set(KINDS)


def test_every_leak_has_a_fix() -> None:
    assert set(FIXES) == {kind for kind in KINDS if kind.startswith("leak")}


def test_findings_are_ordered_by_severity_kind_and_sureness() -> None:
    slight = Finding("duplicate", "low", "")
    doubtful = Finding("suspect:photo", "high", "", confidence=0.6)
    sure = Finding("suspect:photo", "high", "", confidence=0.9)
    leak = Finding("leak:folds", "high", "", confidence=0.1)
    assert ranked([slight, doubtful, sure, leak]) == [leak, sure, doubtful, slight]


def test_flags_stand_at_the_photo_or_at_all_photos_of_the_person() -> None:
    manifest = manifest_of(photos_of(2))
    of_photo = Finding("duplicate", "low", "", person="000", row=2, other="000/normal.jpg")
    of_person = Finding("suspect:person", "high", "", "001", proposal=Proposal("gender", "male", "female"))
    found = flags([of_photo, of_person], manifest).to_pylist()
    assert found[:3] == [None, None, ["duplicate:000/normal.jpg"]]
    assert found[7:] == [["suspect:person:gender=female"]] * 7
