import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from pages import Page, words
from reports import page_table, terminal_of, terminal_table, tsv_values
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from maskkit.artifacts.header import Record
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.reporting.evaluation_report import evaluation_report, largest_mistakes
from maskkit.reporting.html import page
from maskkit.reporting.report import Report
from maskkit.scoring.evaluated import Evaluation
from maskkit.scoring.measuring import score
from maskkit.scoring.results import Scores

Answers = np.ndarray[tuple[int], np.dtype[np.int64]]


def home_scores(*, people: int = 60, known: bool = True) -> Scores:
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(people), 7)
    truth = np.tile([0, 0, 0, 0, 0, 6, 12], people) + generator.integers(0, 5, size=people)[person]
    answer = np.where(generator.random(len(truth)) < 0.7, truth, generator.integers(0, 17, size=len(truth)))
    return score(truth, answer, space=HOME, person=person if known else None, fold=person % 3)


def of(scores: Scores) -> Evaluation:
    return Evaluation(scores, None, ())


def evaluation_page(found: Evaluation, **options: Any) -> str:
    names = {"manifest": "folds.parquet", "predictions": "oof.parquet"}
    return page(evaluation_report(found, **{**names, **options}))


def test_closes_every_tag_and_names_every_class() -> None:
    html = evaluation_page(replace(of(home_scores()), history=(Record("label", {}),)))
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    shown = Page(html)
    for name in (*HOME.names, "Manifest", "folds.parquet", "Evaluation of oof.parquet", "maskkit label"):
        assert name in shown.text


def test_tells_the_headline_and_how_to_read_its_interval() -> None:
    scores = home_scores()
    text = words(evaluation_page(of(scores)))
    low, high = scores.macro_f1.low, scores.macro_f1.high
    assert low is not None
    assert high is not None
    assert f"macro-F1 {scores.macro_f1.value:.3f} 95 % interval {low:.3f}\N{EN DASH}{high:.3f}" in text
    assert "95 % interval over 60 people, each with all their photos" in text
    assert f"({high - low:.3f} from end to end) may be noise" in text
    assert "the person is not known" not in text


def test_says_so_when_people_are_unknown_or_only_one() -> None:
    unknown = words(evaluation_page(of(home_scores(known=False))))
    assert "For 420 of 420 photos the person is not known" in unknown
    alone = words(evaluation_page(of(home_scores(people=1))))
    assert "no interval is given" in alone


def test_marks_classes_of_few_people() -> None:
    space = LabelSpace((Factor("mask", ("often", "too", "also", "seldom")),))
    marked = re.compile(r'<th scope="row">(\w+) <span class="tag medium">')
    rows = np.repeat([0, 1, 2, 3], [100, 90, 80, 7])
    assert marked.findall(evaluation_page(of(score(rows, rows, space=space)))) == ["seldom"]
    rows = rows[:270]
    nobody = evaluation_page(of(score(rows, rows, space=space)))
    assert marked.findall(nobody) == ["seldom"]  # nobody at all is few too


def test_marks_no_class_where_most_have_few_people_and_says_how_many_have() -> None:
    space = LabelSpace((Factor("mask", ("often", "seldom", "hardly")),))
    rows = np.repeat([0, 1, 2], [100, 7, 7])
    html = evaluation_page(of(score(rows, rows, space=space)))
    assert "tag medium" not in html.partition("</style>")[2]
    assert "2 of 3 have fewer than 30 people" in words(html)


def test_shows_folds_factors_and_charts_only_where_there_are_any() -> None:
    full = words(evaluation_page(of(home_scores())))
    rows = np.array([0, 1, 1])
    single = LabelSpace((Factor("mask", ("wear", "none")),))
    bare = words(evaluation_page(of(score(rows, rows, space=single))))
    for heading in ("Factors", "Folds", "Largest mistakes"):
        assert heading in full
        assert heading not in bare
    assert "Curves" not in full


def test_lists_the_most_frequent_mistakes_first() -> None:
    space = LabelSpace((Factor("letter", ("a", "b", "c")),))
    truth, answer = np.divmod(np.repeat(np.arange(9), (9, 1, 2, 4, 5, 2, 0, 0, 7)), 3)
    rows = largest_mistakes(score(truth, answer, space=space))
    assert [(row.title, *row.cells[:2]) for row in rows[:3]] == [("b", "a", 4), ("a", "c", 2), ("b", "c", 2)]
    assert rows[0].cells[2] == pytest.approx(4 / 11)
    assert len(rows) == 4


def test_leaves_a_matrix_too_wide_to_read_to_the_json() -> None:
    space = LabelSpace((Factor("shade", tuple(f"shade{number}" for number in range(61))),))
    rows = np.arange(61)
    html = evaluation_page(of(score(rows, rows[::-1], space=space)))
    assert "The matrix of 61 classes is too wide" in words(html)
    assert 'class="heat' not in html


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["hit", "miss"])
def test_keeps_numbers_readable_on_the_deepest_colour(theme: int, kind: str) -> None:
    style = files("maskkit.reporting").joinpath("report.css").read_text(encoding="utf-8")
    ink, paper = (_rgb(re.findall(rf"--{name}: #(\w{{6}})", style)[theme]) for name in ("ink", "paper"))
    colour = np.array(re.findall(rf"--{kind}: (\d+) (\d+) (\d+)", style)[theme], dtype=float)
    (alpha,) = {float(part) for part in re.findall(r"calc\(var\(--depth\) \* (\.\d+)\)", style)}
    lights = sorted([_luminance(ink), _luminance(alpha * colour + (1 - alpha) * paper)])
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5  # WCAG 2.2, success criterion 1.4.3


def _rgb(digits: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([int(digits[start : start + 2], 16) for start in (0, 2, 4)], dtype=float)


def _luminance(colour: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def read(form: str, report: Report, *heads: str) -> dict[str, dict[str, str]]:
    """Return the table with such headings as a reader of the form sees it."""
    return terminal_table(report, *heads) if form == "terminal" else page_table(report, *heads)


@pytest.fixture(scope="module")
def judged() -> tuple[Report, Answers, Answers]:
    """A report of answers of which half are right and the others of later classes, the truth, the answers."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 18, 600)
    answer = np.where(random.random(600) < 0.5, truth, random.integers(6, 18, 600))
    found = of(score(truth, answer, space=HOME, person=np.arange(600) // 7))
    return evaluation_report(found, manifest="m", predictions="p"), truth, answer


@pytest.mark.parametrize("measure", ["precision", "recall", "f1"])
def test_measures_of_each_class_are_those_of_scikit_learn(
    judged: tuple[Report, Answers, Answers], measure: str
) -> None:
    report, truth, answer = judged
    found = precision_recall_fscore_support(truth, answer, labels=range(18), zero_division=0)
    expected = dict(zip(HOME.names, found[("precision", "recall", "f1").index(measure)], strict=True))
    for form in ("terminal", "page"):
        rows = read(form, report, "class")
        shown = {name: cells["F1" if measure == "f1" else measure] for name, cells in rows.items()}
        assert shown == {name: f"{value:.3f}" for name, value in expected.items()}
    values = tsv_values(report)
    for place, (name, value) in enumerate(expected.items()):
        assert values["class", name, measure] == pytest.approx(value)
        told = report.data["classes"][place][measure]
        assert (told["value"] if measure == "f1" else told) == pytest.approx(value)


@pytest.mark.parametrize("factor", [0, 1, 2])
def test_scores_of_each_factor_are_those_of_scikit_learn(
    judged: tuple[Report, Answers, Answers], factor: int
) -> None:
    report, *both = judged
    name = HOME.factors[factor].name
    truth, answer = (np.unravel_index(one, HOME.shape)[factor] for one in both)
    macro, right = f1_score(truth, answer, average="macro"), accuracy_score(truth, answer)
    for form in ("terminal", "page"):
        row = read(form, report, "scored")[name]
        assert row == {"macro-F1": f"{macro:.4f}", "accuracy": f"{right:.4f}"}
    values = tsv_values(report)
    assert values["factor", name, "macro_f1"] == pytest.approx(macro)
    assert values["factor", name, "accuracy"] == pytest.approx(right)
    assert report.data["factors"][factor]["macro_f1"]["value"] == pytest.approx(macro)


def test_says_in_all_four_that_the_photos_of_a_person_agreed() -> None:
    consensus = {"by": "person", "factors": ["gender"], "people": 60, "photos": 420}
    found = replace(of(home_scores()), adjusted={"consensus": consensus})
    report = evaluation_report(found, manifest="m", predictions="p")
    sentence = "consensus: the photos of each person agreed on gender"
    assert sentence in terminal_of(report)
    assert sentence in tsv_values(report)["adjusted", "consensus", "sentence"]
    assert sentence in report.data["warnings"][0]
    assert sentence in words(page(report))
