"""The HTML page of an evaluation: one file that loads nothing and runs nothing."""

from collections.abc import Mapping, Sequence

from maskkit.reporting.frame import render
from maskkit.reporting.plots import Chart, draw, heat_map, largest_mistakes
from maskkit.scoring.scores import Scores

# A class of fewer people than this is marked: its F1 moves by several points with one person.
RARE_PEOPLE = 30
# A wider joint matrix is unreadable and makes the page large; the largest mistakes are listed anyway.
_WIDEST_MATRIX = 60


def evaluation_page(
    scores: Scores, *, title: str, facts: Mapping[str, str], history: str, curves: Sequence[Chart] = ()
) -> str:
    """Return the page as HTML.

    The page is self-contained (no script, picture, font or link to elsewhere), follows the
    reader's light or dark theme, and is the same bytes for the same arguments. Every name is
    escaped.

    Args:
        scores: What `maskkit.scoring.evaluation.score` found.
        title: Title of the page.
        facts: What was scored, such as the model and the manifest, in the order to show.
        history: The commands that made it, one per line; empty if unknown.
        curves: Charts to show, such as the score over epochs.

    Raises:
        MaskkitError: If a chart has nothing to draw.
    """
    joint = heat_map(scores.confusion, [one.name for one in scores.classes])
    factors = [
        (factor, heat_map(factor.confusion, [level.name for level in factor.levels]))
        for factor in scores.factors
    ]
    return render(
        "page.html",
        scores=scores,
        title=title,
        facts=facts,
        history=history,
        drawings=[draw(chart) for chart in curves],
        joint=joint if len(joint) <= _WIDEST_MATRIX else None,
        factors=factors if len(factors) > 1 else [],  # a single factor is the joint table again
        mistakes=largest_mistakes(joint),
        rare_people=RARE_PEOPLE,
    )
