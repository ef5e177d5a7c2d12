from dataclasses import replace

import numpy as np
from pages import Page, words

from maskkit.labels import HOME
from maskkit.reporting.comparison_report import comparison_report
from maskkit.reporting.html import page as page_of
from maskkit.scoring.paired import paired
from maskkit.scoring.results import Estimate, FoldSpread
from maskkit.scoring.run_comparison import Compared, DifferingOption, FoldResult, RunScores, Versus

HOSTILE = "<script>b</script>"


def found(models: int = 2) -> Compared:
    """A comparison of models on drawn answers; the second has a hostile name."""
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(60), 7)
    truth = np.tile([0, 0, 0, 0, 0, 6, 12], 60) + random.integers(0, 6, size=60)[person]
    answers = [
        np.where(random.random(420) < 0.7, truth, random.integers(0, 18, size=420)) for _ in range(models)
    ]
    judged = paired(truth, answers, space=HOME, person=person)
    labels = ["a", HOSTILE, "c"][:models]
    folds = (FoldResult(0, 0.51, 0.61), FoldResult(2, 0.53, 0.63))
    means = FoldSpread(0.52, 0.01), FoldSpread(0.62, 0.01)
    return Compared(
        runs=tuple(
            RunScores(f"run/{label}", label, "predictions", folds, *means, own)
            for label, own in zip(labels, judged.own, strict=True)
        ),
        settings=(DifferingOption("train", "class_weights", ("none", HOSTILE, None)[:models]),),
        versus=tuple(
            Versus(label, "a", judged.confidence_of_difference, difference, only, None, 2, 1, "")
            for label, difference, only in zip(labels[1:], judged.difference, judged.only, strict=True)
        ),
        same_folds=True,
        notes=("something is to be known",),
        photos=420,
        people=60,
    )


def runs_page(result: Compared) -> str:
    return page_of(comparison_report(result))


def test_says_the_verdict_what_differs_and_every_score() -> None:
    result = found()
    shown = words(runs_page(result))
    assert result.versus[0].sentence in shown
    assert "train class-weights none" in shown
    assert "scored on the same 420 photos of 60 people" in shown
    assert "something is to be known" in shown
    assert "per fold, of predictions fold 0 fold 2 mean a 0.510 0.530 0.520 ± 0.010" in shown
    assert f"{result.versus[0].only.first}" in shown  # type: ignore[union-attr]
    assert "Bonferroni" not in shown


def test_draws_a_line_per_run_that_has_a_curve() -> None:
    result = found()
    assert "Curves" not in words(runs_page(result))
    runs = (replace(result.runs[0], curve=(0.1, 0.4, 0.5)), result.runs[1])
    page = Page(runs_page(replace(result, runs=runs)))
    assert page.tags.count("figure") == 1
    assert "Macro-F1 on the people held out" in page.text
    assert page.tags.count("li") == 5 + 1  # the contents, and the one line's name


def test_several_comparisons_are_said_to_be_widened() -> None:
    result = found(3)
    shown = words(runs_page(result))
    assert "2 comparisons: the intervals" in shown
    assert "widened to 97.5 %" in shown
    assert "2 runs compared with a" in shown


def test_is_one_file_that_loads_nothing_and_escapes_names() -> None:
    html = runs_page(found())
    page = Page(html)
    assert HOSTILE not in html
    assert not {"img", "link"} & set(page.tags)
    assert all((link or "").startswith("#") for name, link in page.attributes if name == "href")
    assert html == runs_page(found())


def test_runs_without_predictions_have_folds_alone() -> None:
    result = found()
    by_fold = {"macro_f1": Estimate(0.02, -0.01, 0.05), "accuracy": Estimate(-0.0001, None, None)}
    alone = replace(
        result,
        runs=tuple(replace(run, own=None, basis="training") for run in result.runs),
        versus=(replace(result.versus[0], difference=None, only=None, by_fold=by_fold),),
        photos=0,
    )
    shown = words(runs_page(alone))
    assert "Nadeau and Bengio 2003" in shown
    assert "+0.020 -0.010 to +0.050" in shown
    assert "+0.050 0.000 1 2" in shown
    assert "Scores" not in shown.split()


def test_places_differences_on_an_axis_around_nothing() -> None:
    result = found()
    by_fold = {"macro_f1": Estimate(0.05, -0.1, 0.1), "accuracy": Estimate(None, None, None)}
    versus = replace(result.versus[0], difference=None, only=None, by_fold=by_fold)
    alone = replace(
        result, runs=tuple(replace(run, own=None) for run in result.runs), versus=(versus,), photos=0
    )
    html = runs_page(alone)
    assert (
        '<i class="whisker" style="left:0.00%;width:100.00%"></i><i class="dot" style="left:75.00%"></i>'
        in html
    )
    assert "-0.1 0 +0.1" in words(html)
    nothing = {name: Estimate(None, None, None) for name in by_fold}
    assert "-0.01 0 +0.01" in words(runs_page(replace(alone, versus=(replace(versus, by_fold=nothing),))))
