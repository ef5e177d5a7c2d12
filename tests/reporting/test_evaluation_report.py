import re
from html import escape
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.reporting.evaluation_report import evaluation_page
from maskkit.reporting.plots import Chart, PlotLine
from maskkit.scoring.evaluated import Evaluation
from maskkit.scoring.measuring import score
from maskkit.scoring.results import Scores

HOSTILE = "<script>alert('1')</script>&\""
FACTS = {"model": "tiny", "manifest": "folds.parquet"}
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Collects what a page holds, and fails on a tag that is not closed where it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def home_scores(*, people: int = 60, known: bool = True) -> Scores:
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(people), 7)
    truth = np.tile([0, 0, 0, 0, 0, 6, 12], people) + generator.integers(0, 5, size=people)[person]
    answer = np.where(generator.random(len(truth)) < 0.7, truth, generator.integers(0, 17, size=len(truth)))
    return score(truth, answer, space=HOME, person=person if known else None, fold=person % 3, replicates=100)


def of(scores: Scores) -> Evaluation:
    return Evaluation(scores, None, ())


def words(html: str) -> str:
    return " ".join(Page(html).text.replace("\N{NO-BREAK SPACE}", " ").split())


def test_closes_every_tag_and_names_every_class() -> None:
    html = evaluation_page(of(home_scores()), title="A run", facts=FACTS, history="maskkit label")
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    page = Page(html)
    for name in (*HOME.names, *FACTS, *FACTS.values(), "A run", "maskkit label"):
        assert name in page.text


def test_loads_nothing_and_runs_nothing() -> None:
    chart = Chart("macro-F1", "epoch", (PlotLine("fold 0", [1, 2], [0.1, 0.3]),))
    html = evaluation_page(of(home_scores()), title="A run", facts=FACTS, history="", curves=[chart])
    page = Page(html)
    assert not {"img", "script", "link", "iframe", "object", "image", "use"} & set(page.tags)
    assert not {"src", "xlink:href", "srcset", "onload"} & {name for name, _ in page.attributes}
    assert all((link or "").startswith("#") for name, link in page.attributes if name == "href")
    assert not re.search(r"url\(|@import|https?:", html)
    assert "default-src 'none'" in html


def test_escapes_every_name_it_is_given() -> None:
    hostile = HOSTILE.replace("/", "")  # a level may not hold the slash
    space = LabelSpace((Factor(hostile, (hostile, "b")), Factor("other", ("c", hostile))))
    rows = np.array([0, 1, 2, 3, 0])
    html = evaluation_page(
        of(score(rows, rows[::-1], space=space, replicates=20)),
        title=HOSTILE,
        facts={HOSTILE: HOSTILE},
        history=HOSTILE,
        curves=[Chart(HOSTILE, HOSTILE, (PlotLine(HOSTILE, [0, 1], [0, 1]),))],
    )
    assert "<script" not in html
    assert "script" not in Page(html).tags
    assert escape(HOSTILE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in html
    assert (
        Page(html).text.count(HOSTILE) == 8
    )  # title and heading, name and value, chart, axis and line, history
    assert f"{hostile}/{hostile}" in Page(html).text


def test_is_the_same_bytes_for_the_same_scores() -> None:
    first, second = (
        evaluation_page(of(home_scores()), title="A run", facts=FACTS, history="x") for _ in range(2)
    )
    assert first.encode() == second.encode()


def test_tells_the_headline_and_how_to_read_its_interval() -> None:
    scores = home_scores()
    text = words(evaluation_page(of(scores), title="A run", facts={}, history=""))
    low, high = scores.macro_f1.low, scores.macro_f1.high
    assert low is not None
    assert high is not None
    assert f"macro-F1 {scores.macro_f1.value:.3f} 95 % interval {low:.3f}\N{EN DASH}{high:.3f}" in text
    assert "60 people were drawn anew 100 times" in text
    assert f"({high - low:.3f} from end to end) may be noise" in text
    assert "the person is not known" not in text


def test_says_so_when_people_are_unknown_or_only_one() -> None:
    unknown = words(evaluation_page(of(home_scores(known=False)), title="A", facts={}, history=""))
    assert "For 420 of 420 photos the person is not known" in unknown
    alone = words(evaluation_page(of(home_scores(people=1)), title="A", facts={}, history=""))
    assert "no interval is given" in alone


def test_marks_classes_of_few_people() -> None:
    rows = np.repeat([0, 1], [100, 7])
    space = LabelSpace((Factor("mask", ("often", "seldom")),))
    html = evaluation_page(of(score(rows, rows, space=space, replicates=20)), title="A", facts={}, history="")
    assert re.findall(r'<th scope="row">(\w+) <span class="rare">', html) == ["seldom"]
    common = evaluation_page(of(score(rows[:99], rows[:99], space=space)), title="A", facts={}, history="")
    assert "seldom <span" in common.replace("\n", "")  # nobody at all is few too


def test_shows_folds_factors_charts_and_history_only_where_there_are_any() -> None:
    full = words(evaluation_page(of(home_scores()), title="A", facts=FACTS, history="maskkit label"))
    rows = np.array([0, 1, 1])
    single = LabelSpace((Factor("mask", ("wear", "none")),))
    bare = words(evaluation_page(of(score(rows, rows, space=single)), title="A", facts={}, history=""))
    for heading in ("Factors", "Folds", "How it was made", "Largest mistakes"):
        assert heading in full
        assert heading not in bare
    assert "Curves" not in full


def test_leaves_a_matrix_too_wide_to_read_to_the_json() -> None:
    space = LabelSpace((Factor("shade", tuple(f"shade{number}" for number in range(61))),))
    rows = np.arange(61)
    html = evaluation_page(
        of(score(rows, rows[::-1], space=space, replicates=20)), title="A", facts={}, history=""
    )
    assert "The matrix of 61 classes is too wide" in words(html)
    assert 'class="heat' not in html


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["hit", "miss"])
def test_keeps_numbers_readable_on_the_deepest_colour(theme: int, kind: str) -> None:
    style = files("maskkit.reporting").joinpath("page.css").read_text(encoding="utf-8")
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
