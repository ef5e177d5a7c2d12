"""The HTML page of an evaluation: one file that loads nothing and runs nothing."""

from collections.abc import Mapping, Sequence

from maskkit.reporting.differences import Axis
from maskkit.reporting.old_pages import render
from maskkit.reporting.pictured import Pictured
from maskkit.reporting.plots import Chart, Drawing, Mark, PlotLine, draw, heat_map, largest_mistakes
from maskkit.scoring.boundary import Boundary
from maskkit.scoring.calibration import Calibration
from maskkit.scoring.changed_answers import some_changed
from maskkit.scoring.evaluated import Evaluation

# A class of fewer people than this is marked: its F1 moves by several points with one person.
RARE_PEOPLE = 30
# A wider joint matrix is unreadable and makes the page large; the largest mistakes are listed anyway.
_WIDEST_MATRIX = 60
MOST_CHANGED = 12  # photos that a page names, half of them worse and half better; JSON has more
MEASURES = {"macro_f1": "macro-F1", "accuracy": "accuracy"}


def evaluation_page(
    found: Evaluation,
    *,
    title: str,
    facts: Mapping[str, str],
    history: str,
    curves: Sequence[Chart] = (),
    pictures: Mapping[str, Pictured] | None = None,
) -> str:
    """Return the page as HTML.

    The page is self-contained (no script, font or link to elsewhere, and no picture unless it is given),
    follows the reader's light or dark theme, prints, and is the same bytes for the same arguments. Every
    name is escaped.

    Args:
        found: What `maskkit evaluate` found.
        title: Title of the page.
        facts: What was scored, such as the model and the manifest, in the order to show.
        history: The commands that made it, one per line; empty if unknown.
        curves: Charts to show, such as the score over epochs.
        pictures: Of the worst mistakes, by path.

    Raises:
        MaskkitError: If a chart has nothing to draw.
    """
    scores = found.scores
    joint = heat_map(scores.confusion, [one.name for one in scores.classes])
    factors = [
        (factor, heat_map(factor.confusion, [level.name for level in factor.levels]))
        for factor in scores.factors
    ]
    compared = found.against.versus.difference if found.against else None
    page = {
        "found": found,
        "scores": scores,
        "facts": {**facts, **_facts(found)},
        "drawings": [draw(chart) for chart in curves],
        "joint": joint if len(joint) <= _WIDEST_MATRIX else None,
        "factors": factors if len(factors) > 1 else [],  # a single factor is the joint table again
        "mistakes": largest_mistakes(joint),
        "beside": beside_cuts(found.boundaries),
        "reliability": None if found.calibration is None else reliability(found.calibration),
        "axis": Axis.around((compared or {}).values()),
        "names": {name: MEASURES.get(name, name.removesuffix("_accuracy")) for name in compared or {}},
        "changed": [] if found.against is None else some_changed(found.against.changed, MOST_CHANGED),
        "shown": pictures or {},
    }
    return render(
        "page.html",
        title=title,
        history=history,
        pictures=bool(pictures),
        rare_people=RARE_PEOPLE,
        sections=_sections(found, is_drawn=bool(curves), has_factors=len(factors) > 1, history=history),
        **page,
    )


def beside_cuts(found: Sequence[Boundary]) -> list[tuple[Boundary, Drawing]]:
    """Draw the errors of each factor by the distance from the nearest cut."""
    drawn = []
    for whole in (one for one in found if one.cut is None):
        lines = [
            PlotLine(
                "all cuts, with interval",
                [step.distance for step in whole.steps],
                [_number(step.error.value) for step in whole.steps],
                intervals=[_ends(step.error.low, step.error.high) for step in whole.steps],
            )
        ]
        lines += [
            PlotLine(
                f"nearest to {one.cut:g}",
                [step.distance for step in one.steps],
                [_number(step.error.value) for step in one.steps],
            )
            for one in found
            if one.factor == whole.factor and one.cut is not None
        ]
        chart = Chart(
            f"Share of wrong {whole.factor}", f"{whole.factor} less the nearest cut", tuple(lines),
            marks=(Mark(0, "cut"),),
        )  # fmt: skip
        drawn.append((whole, draw(chart)))
    return drawn


def reliability(found: Calibration) -> Drawing:
    """Draw how often answers are right, by how likely the model said they were."""
    bins = [one for one in found.bins if one.count]
    model = PlotLine(
        "these predictions",
        [_number(one.confidence) for one in bins],
        [_number(one.accuracy) for one in bins],
        intervals=[None] * len(bins),
    )
    ideal = PlotLine("perfectly calibrated", [0, 1], [0, 1], is_faint=True)
    return draw(Chart("Share of right answers", "probability of the answer", (model, ideal)))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _ends(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _facts(found: Evaluation) -> dict[str, str]:
    """Return what the header of the page adds to the names of the files."""
    facts = {}
    if found.against is not None:
        facts["Compared with"] = found.against.name
    if found.log_loss is not None:
        facts["Cross entropy"] = f"{found.log_loss:.4f}"
    return facts


def _sections(found: Evaluation, *, is_drawn: bool, has_factors: bool, history: str) -> list[tuple[str, str]]:
    """Return the anchor and the heading of each section, for the table of contents."""
    there = [
        ("comparison", "Comparison", found.against is not None),
        ("classes", "Classes", True),
        ("factors", "Factors", has_factors),
        ("confusion", "Confusion", True),
        ("folds", "Folds", found.scores.folds is not None),
        ("slices", "Slices", bool(found.slices)),
        ("boundary", "Beside the cuts", bool(found.boundaries)),
        ("calibration", "Calibration", found.calibration is not None),
        ("mistakes", "Worst mistakes", bool(found.mistakes)),
        ("curves", "Curves", is_drawn),
        ("made", "How it was made", bool(history)),
    ]
    return [(anchor, heading) for anchor, heading, is_there in there if is_there]
