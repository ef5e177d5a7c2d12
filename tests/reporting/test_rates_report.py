import re

import pytest
from pages import words
from reports import terminal_of

from maskkit.cli.shell.show_report import tsv
from maskkit.reporting.html import page
from maskkit.reporting.rates_report import rates_report
from maskkit.reporting.report import Report
from maskkit.training.range_test import Curve

HOSTILE = "<script>b</script>"
RATES = (1e-4, 1e-3, 1e-2, 1e-1)


def rates(
    losses: tuple[float, ...] = (3.0, 2.0, 1.0, 9e9),
    suggestion: float = 1e-3,
    steps: tuple[float, ...] = RATES,
) -> Report:
    curve = Curve(steps, losses, losses, suggestion, HOSTILE, "it rose")
    rows = [{"rate": rate, "loss": loss, "smoothed": loss} for rate, loss in zip(steps, losses, strict=True)]
    return rates_report(
        curve, data={"curve": rows}, recipe="[train]\nlearning-rate = 0.001", title=HOSTILE,
        facts={"Model": HOSTILE}, history="maskkit split",
    )  # fmt: skip


def test_shows_the_suggestion_its_rule_and_why_it_ended() -> None:
    shown = words(page(rates()))
    for text in ("0.001", f"Learning rate 0.001: {HOSTILE}.", "because it rose.", "[train]", "maskkit split"):
        assert text in shown


def test_a_terminal_ends_with_the_recipe_and_names_the_steps_it_follows_from() -> None:
    shown = terminal_of(rates())
    assert shown.endswith("[train]\nlearning-rate = 0.001\n")
    rows = [line.split() for line in shown.splitlines() if "suggestion" in line or "lowest" in line]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("1.0e-03", "2.000", "suggestion"),
        ("1.0e-02", "1.000", "lowest"),
    ]


def test_a_suggestion_between_two_rates_has_a_row_of_its_own_in_which_no_loss_is_claimed() -> None:
    lines = [line.split() for line in terminal_of(rates(suggestion=2e-3)).splitlines()]
    titles = [line[0] for line in lines if line and re.match(r"\d\.\de-0\d", line[0])]
    assert titles == ["1.0e-04", "1.0e-03", "2.0e-03", "1.0e-02", "1.0e-01"]
    assert ["2.0e-03", "suggestion"] in lines


def test_a_terminal_shows_few_of_many_steps_and_a_pipe_all() -> None:
    steps = tuple(1e-5 * 1.1**step for step in range(100))
    report = rates(tuple(float(100 - step) for step in range(100)), steps[50], steps)
    header, rows = tsv(report)
    assert (header, len(rows)) == (("rate", "loss", "smoothed"), 100)
    assert rows[7] == [steps[7], 93.0, 93.0]
    assert 13 <= sum(bool(re.match(r"\d\.\de-0\d", line)) for line in terminal_of(report).splitlines()) <= 15


def test_marks_the_suggestion_and_the_rate_that_it_follows_from() -> None:
    html = page(rates())
    marks = re.findall(r'class="edge" d="M([\d.]+) 10V182"', html)
    assert [float(at) for at in marks] == [146.0, 248.0]  # a third and two thirds of 44 to 350
    assert "suggestion 0.001" in html
    assert ">lowest 0.01</text>" in html


def test_a_loss_that_runs_away_does_not_flatten_the_rest() -> None:
    marks = [float(text) for text in re.findall(r'text-anchor="end">(\d[\d.]*)</text>', page(rates()))]
    assert 3 < max(marks) < 5


@pytest.mark.parametrize(("suggestion", "anchor"), [(1e-4, "start"), (1e-2, "end")])
def test_a_name_stands_on_the_side_where_there_is_room(suggestion: float, anchor: str) -> None:
    (found,) = re.findall(r'text-anchor="(\w+)">suggestion', page(rates(suggestion=suggestion)))
    assert found == anchor
