"""What a blend and a tuning are worth: the cells, against numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from members import drawn_panel, judged_of
from reports import terminal_of, terminal_table

from maskkit.artifacts.decision import Decision
from maskkit.fitting.blend import Fitted, MemberPair, Plan, fitted, pairs, verdicts
from maskkit.fitting.gain import Change, Offset, Tuned
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.reporting.blend_report import blend_report, tuning_report
from maskkit.reporting.report import Report
from maskkit.scoring.results import Estimate

HOSTILE = "<script>[red]b</script>"
TRUTH = np.array([0, 1, 2, 0, 1])
ANSWERS = [np.array(one) for one in ([0, 1, 2, 0, 0], [0, 2, 2, 1, 0], [0, 1, 2, 0, 0])]
NAMES = ["a", HOSTILE, "c"]


def agreed() -> Report:
    alike = np.array([[(one == other).mean() for other in ANSWERS] for one in ANSWERS])
    return blend_report(None, None, alike, NAMES, "5 photos, 3 files, hard vote")


def differing() -> Report:
    return blend_report(None, list(pairs(ANSWERS, TRUTH)), np.eye(3), NAMES, "5 photos, 3 files, hard vote")


def fitted_blend(plan: Plan) -> Fitted:
    person = np.repeat(np.arange(40), 4)
    truth = np.random.default_rng(0).integers(0, 3, len(person))
    panel = drawn_panel(truth, classes=3, skill=(1.5, 1.2))
    given = judged_of(panel, truth, person, space=LabelSpace((Factor("mask", ("on", "off", "low")),)))
    return fitted(given, plan, person % 5, seed=0)


def weighted() -> Report:
    found = fitted_blend(Plan("soft", "weights"))
    return blend_report(found, found.pairs, np.eye(2), found.names, "160 photos")


def tuned(*, offsets: bool = True) -> Report:
    change = Change("macro_f1", 0.61234, 0.71, 0.63, Estimate(0.01766, -0.002, 0.0301))
    found = (Offset("age 60plus", 0.25, -0.1, 0.3), Offset(HOSTILE, -0.125, -0.2, 0.0)) if offsets else ()
    return tuning_report(Tuned(Decision.make(HOME, [], method="age"), (change,), found, 1400, 20, 5))


def test_disagreement_is_the_share_of_photos_answered_differently() -> None:
    rows = [line.split() for line in terminal_of(differing()).splitlines()]
    found = {(row[0], row[1]): row[2:] for row in rows if row and row[0] in NAMES}
    # a and b differ on photos 1 and 3, and both have photo 4 wrong; a and c never differ.
    assert found["a", "c"][:2] == ["0.0000", "0.2000"]
    assert found["a", HOSTILE][:2] == ["0.4000", "0.2000"]
    assert found[HOSTILE, "c"][:2] == ["0.4000", "0.2000"]
    assert next(iter(found)) == ("a", "c")


def test_agreement_is_the_share_of_photos_answered_alike() -> None:
    shown = terminal_table(agreed(), "file", "1", "2", "3")
    assert shown["1 a"] == {"1": "1.0000", "2": "0.6000", "3": "1.0000"}
    assert shown[f"2 {HOSTILE}"]["3"] == "0.6000"
    assert terminal_of(agreed()).endswith("5 photos, 3 files, hard vote\n")


@pytest.mark.parametrize("known", [None, []])
def test_of_a_single_file_nothing_is_shown_beside_another(known: list[MemberPair] | None) -> None:
    assert (
        terminal_of(blend_report(None, known, np.eye(1), ["a"], "5 photos, 1 file")) == "5 photos, 1 file\n"
    )


def test_of_many_pairs_the_most_alike_are_shown() -> None:
    random = np.random.default_rng(0)
    answers = [random.integers(0, 3, 50) for _ in range(7)]
    truth = random.integers(0, 3, 50)
    found = [replace(one, q_statistic=None) for one in pairs(answers, truth)]
    shown = terminal_of(blend_report(None, found, np.eye(7), [f"m{one}" for one in range(7)], ""))
    rows = [line.split() for line in shown.splitlines() if line.startswith("m") and "members" not in line]
    assert [float(row[2]) for row in rows] == sorted(one.disagreement for one in found)[:15]
    assert "and 6 more, which differ more" in shown
    assert {row[4] for row in rows} == {"-"}


def test_offsets_stand_with_those_of_the_parts_and_gains_with_their_interval() -> None:
    shown = terminal_of(tuned())
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "age 60plus +0.250 -0.100 to +0.300" in lines
    assert f"{HOSTILE} -0.125 -0.200 to 0.000" in lines
    assert "macro-F1 0.6123 0.7100 0.6300 +0.0177 -0.0020 to +0.0301" in lines
    assert "1,400 photos of 20 people" in shown
    assert "temperature" not in shown
    assert "temperature 1.000" in terminal_of(tuned(offsets=False))


def test_a_fitted_blend_shows_its_weights_its_scores_and_what_it_gains() -> None:
    found = fitted_blend(Plan("soft", "weights"))
    assert found.rule.weights is not None
    shown = terminal_of(weighted())
    lines = [line.split() for line in shown.splitlines()]
    for place, name in enumerate(found.names):
        weight = found.rule.weights[place] / sum(found.rule.weights)
        row = next(line for line in lines if line[:1] == [name])
        assert [row[1], row[3]] == [f"{found.own[place].value:.4f}", f"{weight:.2f}"]
        parts = [one.weights[place] / sum(one.weights) for one in found.nested.rules if one.weights]
        assert row[4] == f"{min(parts):.2f}-{max(parts):.2f}"
    assert f"blend, on people fitted to {found.in_sample:.4f}" in [" ".join(line) for line in lines]
    assert any(f"blend, on other people {found.blend.value:.4f}" in " ".join(line) for line in lines)
    assert verdicts(found)[0] in shown
    assert "judged by 5 folds of people" in shown
    assert "per class" in terminal_of(
        blend_report(fitted_blend(Plan("stacking")), None, np.eye(2), found.names, "")
    )
