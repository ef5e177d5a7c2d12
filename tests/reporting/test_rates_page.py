import re

import pytest
from pages import Page
from test_html import HOSTILE

from maskkit.reporting.rates_report import rates_page

RATES = (1e-4, 1e-3, 1e-2, 1e-1)


def page(*, losses: tuple[float, ...] = (3.0, 2.0, 1.0, 9e9), suggestion: float = 1e-3) -> str:
    return rates_page(
        RATES, losses, losses, suggestion=suggestion, rule=HOSTILE, stopped="it rose",
        recipe="[train]\nlearning-rate = 0.001", title=HOSTILE, facts={"Model": HOSTILE},
        history="maskkit split",
    )  # fmt: skip


def test_shows_the_suggestion_its_rule_and_why_it_ended() -> None:
    shown = Page(page()).text
    for text in ("0.001", f"The rule: {HOSTILE}.", "because it rose.", "[train]", "maskkit split"):
        assert text in shown


def test_loads_nothing_and_runs_nothing() -> None:
    html = page()
    assert not {"script", "img", "link", "iframe"} & set(Page(html).tags)
    assert not re.findall(r"(?:src|href)=|url\(|https?:", html)


def test_marks_the_suggestion_and_the_rate_that_it_follows_from() -> None:
    html = page()
    marks = re.findall(r'class="edge" d="M([\d.]+) 10V182"', html)
    assert [float(at) for at in marks] == [146.0, 248.0]  # a third and two thirds of 44 to 350
    assert "suggested 0.001" in html
    assert ">lowest</text>" in html


def test_a_loss_that_runs_away_does_not_flatten_the_rest() -> None:
    marks = [float(text) for text in re.findall(r'text-anchor="end">(\d[\d.]*)</text>', page())]
    assert 3 < max(marks) < 5


@pytest.mark.parametrize(("suggestion", "anchor"), [(1e-4, "start"), (1e-2, "end")])
def test_a_name_stands_on_the_side_where_there_is_room(suggestion: float, anchor: str) -> None:
    (found,) = re.findall(r'text-anchor="(\w+)">suggested', page(suggestion=suggestion))
    assert found == anchor
