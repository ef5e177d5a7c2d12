"""The reports of `maskkit eda`: what the cells say, against counts made another way."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages import Page, words
from PIL import Image
from reports import page_table, terminal_table, tsv_values

from maskkit.artifacts.manifest import Manifest
from maskkit.describing.eda_results import DuplicatePair, DuplicatePairs, Eda, Pictures, Twins
from maskkit.describing.groups import Combination, Distribution, Group, Rare
from maskkit.describing.photo_properties import Ages, Histogram, PhotoProperties, spread
from maskkit.describing.set_comparison import Comparison, Difference, Share
from maskkit.describing.two_sample import NoDifference, TwoSample
from maskkit.reporting.eda_report import eda_report
from maskkit.reporting.html import page
from maskkit.reporting.report import Report
from maskkit.reporting.shift_report import shift_report
from maskkit.reporting.table import Table
from maskkit.stages.eda import eda
from maskkit.stages.label import label
from maskkit.stages.shift import shift

HOSTILE = "<script>[red]b</script>"


def described() -> Eda:
    """A set with something of everything, and a hostile name."""
    groups = (Group("wear", 40, 7, 39.9, 6.9, 1.0, 1.0), Group(HOSTILE, 0, 0, 0.0, 0.0, None, None))
    classes = Distribution("class", groups, (2,), 3)
    cells = tuple(
        Group(f"{one}/{other}", 6, 2, 5.9, 1.9, 2.5, 1.5) for one in ("a", "b") for other in ("c", "d")
    )
    spreads = tuple(
        spread(name, np.random.default_rng(seed).normal(50, 10, 100))
        for seed, name in enumerate(("width", "sharpness"))
    )
    pair = DuplicatePair("a.jpg", HOSTILE, 0, is_exact=True)
    kinds = (
        DuplicatePairs("all", 3, 2, (pair, replace(pair, is_exact=False))),
        DuplicatePairs("across people", 0, 1, ()),
    )
    look = PhotoProperties(
        100,
        spreads,
        (0.51, 0.42, 0.333),
        (0.2, 0.21, 0.22),
        (("24x32", 90), ("9x9", 10)),
        (("JPEG RGB", 100),),
        {},
    )
    return Eda(
        name=HOSTILE,
        photos=43,
        labelled=40,
        people=7,
        photos_without_person=2,
        per_person=((1, 3), (7, 4)),
        classes=classes,
        factors=(replace(classes, name="mask"),),
        tables=(Distribution("gender x age", cells, (2, 2), 0),),
        traits=("gender", "age"),
        ages=(
            Ages(
                "age", (30.0,), Histogram((20, 30, 40), (3, 4)), Histogram((20, 30, 40), (21, 19)), ((1, 2),)
            ),
        ),
        rare=Rare(
            30,
            2,
            (Combination((("mask", HOSTILE),), 0, 0), Combination((("mask", "wear"), ("age", "old")), 2, 5)),
        ),
        left_out=((HOSTILE, "missing"),),
        folds=replace(classes, name="fold"),
        pictures=Pictures(look, half=True, faults=((HOSTILE, "cut off"),), twins=Twins(kinds, 4, 9)),
    )


def compared_sets() -> Comparison:
    """Two sets that differ in something of everything."""
    test = TwoSample(
        0.612,
        0.532,
        0.692,
        0.05,
        NoDifference(0.51, 0.55, 19, is_of_one_set=False),
        90,
        12,
        5,
        (("contrast", 0.11), ("aspect", -0.01)),
    )
    return Comparison(
        names=("one", HOSTILE),
        photos=(50, 41),
        faults=(0, 1),
        people=("a", HOSTILE),
        differences=(
            Difference("width", 24.0, 24.0, None, 0.5),
            Difference("contrast", 0.2, 0.3, -0.71, 0.31),
        ),
        sizes=(Share("24x32", 1.0, 0.25), Share("9x9", 0.0, 0.75)),
        formats=(Share("JPEG RGB", 1.0, 1.0),),
        classes=(Share(HOSTILE, 0.004, 0.996),),
        duplicates=DuplicatePairs("in both", 2, 1, (DuplicatePair("a.jpg", HOSTILE, 0, is_exact=True),)),
        two_sample=test,
        half=True,
    )


def cells(report: Report, heading: str) -> dict[str, list[str]]:
    """Return the first of the page's tables whose first heading is this, by its rows' titles."""
    found = next(one for one in Page(page(report)).tables if one[0][0] == heading)
    return {row[0]: row[1:] for row in found[1:]}


@pytest.fixture(scope="module")
def planted(train_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people with photos of noise: two pairs of the same bytes, one pair that nearly looks alike."""
    folder = tmp_path_factory.mktemp("planted")
    lines = train_csv.read_text().splitlines()[:4]
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    for seed, line in enumerate(lines[1:]):
        person = folder / "images" / line.split(",")[-1]
        shutil.copytree(train_csv.parent / "images" / person.name, person)
        for place, file in enumerate(sorted(person.glob("*.jpg"))):
            noise = np.random.default_rng(10 * seed + place).integers(0, 255, (64, 48, 3))
            Image.fromarray(noise.astype(np.uint8)).save(file)
    one, other, _ = sorted((folder / "images").iterdir())
    shutil.copy(one / "mask1.jpg", one / "mask2.jpg")
    shutil.copy(one / "normal.jpg", other / "mask1.jpg")
    Image.open(other / "mask5.jpg").save(other / "incorrect_mask.jpg", quality=60)
    return folder


def test_exact_and_near_duplicates_are_those_that_were_planted(planted: Path) -> None:
    report = eda_report(eda(label(planted)))
    wanted = {"all": (2, 1), "inside one person": (1, 1), "across people": (1, 0), "across classes": (1, 1)}
    shown = cells(report, "pairs")
    for rows in (page_table(report, "pairs"), terminal_table(report, "pairs")):
        assert {name: (int(rows[name]["exact"]), int(rows[name]["near"])) for name in wanted} == wanted
    told = tsv_values(report)
    assert {name: told["duplicates", name, "exact"] for name in wanted} == {
        name: exact for name, (exact, _) in wanted.items()
    }
    assert [told["duplicates", name, "near"] for name in wanted] == [1, 1, 0, 1]
    assert "/mask1.jpg = " in shown["inside one person"][2]
    assert "6 photos are in 3 groups" in words(page(report))


def test_duplicates_between_two_sets_are_those_that_were_planted(planted: Path) -> None:
    manifest = label(planted)
    first, second = (manifest.select(manifest.people.codes == person) for person in (0, 1))
    report = shift_report(shift(first, second))
    pairs = page_table(report, "pairs")["in both"]
    assert (pairs["exact"], pairs["near"]) == ("1", "0")
    told = tsv_values(report)
    assert told["in both", "", "exact_duplicates"] == 1
    assert told["in both", "", "near_duplicates"] == 0


def test_people_and_photos_of_each_class_are_those_of_the_manifest(folds: Manifest) -> None:
    report = eda_report(eda(folds, counts_only=True))
    names = [folds.space.names[label] for label in folds.labels]
    people = folds.table["person_id"].to_pylist()
    photos = Counter(names)
    each = Counter(name for name, _ in set(zip(names, people, strict=True)))
    shown = cells(report, "class")
    told = tsv_values(report)
    for name in folds.space.names:
        row = next(row for title, row in shown.items() if title.removesuffix(" rare") == name)
        assert (int(row[0]), int(row[3])) == (each[name], photos[name])
        assert told["class", name, "people"] == each[name]
        assert told["class", name, "photos"] == photos[name]
        largest = max(each.values()) / each[name] if each[name] else None
        assert told["class", name, "people_imbalance"] == largest
    by_fold = Counter(folds.folds.tolist())
    assert {
        int(name.removesuffix(" rare")): int(row[3]) for name, row in cells(report, "fold").items()
    } == by_fold


def test_people_of_two_factors_stand_where_their_levels_cross(folds: Manifest) -> None:
    report = eda_report(eda(folds, counts_only=True))
    gender, age = (folds.table[name].to_pylist() for name in ("gender", "age"))
    people = folds.table["person_id"].to_pylist()
    each = Counter((a, b < 30) for a, b, _ in set(zip(gender, age, people, strict=True)))
    (shown,) = (one for one in Page(page(report)).tables if one[0] == ["", "under30", "30to59", "60plus"] and
                one[1][0] == "male")  # fmt: skip
    for row in shown[1:]:
        assert row[1].startswith(str(each[row[0], True]))
        assert row[1].endswith(str(7 * each[row[0], True]))


def test_ages_lie_between_the_cuts_of_their_level(folds: Manifest) -> None:
    report = eda_report(eda(folds, counts_only=True))
    items = [item for section in report.sections for item in section.on("tsv")]
    (table,) = (one for one in items if isinstance(one, Table) and one.scope == "age histogram")
    age_of = dict(zip(folds.table["person_id"].to_pylist(), folds.table["age"].to_pylist(), strict=True))
    for group, low, high in (("below 30", 0, 30), ("30 to 60", 30, 60), ("60 and above", 60, 200)):
        rows = [row for row in table.rows if row.group == group]
        people = sum(low <= age < high for age in age_of.values())
        assert [sum(column) for column in zip(*(row.cells for row in rows), strict=True)] == [
            people,
            7 * people,
        ]


def test_a_page_says_what_was_found(folds: Manifest) -> None:
    text = words(page(eda_report(eda(folds, name="my photos"))))
    assert "The data of my photos" in text
    for name in ("wear/female/30to59", "gender x age", "What is rare", "Duplicates", "--normalize 0."):
        assert name in text


def test_a_page_of_two_sets_says_how_they_differ(labels: Manifest) -> None:
    person = labels.people.codes
    found = shift(labels.select(person < 12), labels.select(person >= 12), names=("one", "<two>"))
    html = page(shift_report(found))
    assert "one and &lt;two&gt;" in html
    assert "AUC" in Page(html).text
    assert page(shift_report(found)) == html


def test_a_page_without_photos_looked_at_has_counts_alone(folds: Manifest) -> None:
    text = words(page(eda_report(eda(folds.select(np.arange(7)), counts_only=True))))
    assert "Duplicates" not in text
    assert "Classes" in text
