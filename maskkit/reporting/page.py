"""The HTML page of an evaluation: one file that loads nothing and runs nothing."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

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
    return (
        _environment()
        .get_template("page.html")
        .render(
            scores=scores,
            title=title,
            facts=facts,
            history=history,
            drawings=[draw(chart) for chart in curves],
            joint=joint if len(joint) <= _WIDEST_MATRIX else None,
            factors=factors if len(factors) > 1 else [],  # a single factor is the joint table again
            mistakes=largest_mistakes(joint),
            rare_people=RARE_PEOPLE,
            style=Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8")),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("maskkit.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"decimal": _decimal, "percent": _percent, "grouped": _grouped}
    return environment


def _decimal(value: float | None) -> str:
    """Show a measure with three decimals, and an undefined one as a dash."""
    return "\N{EN DASH}" if value is None else f"{value:.3f}"


def _percent(share: float) -> str:
    """Show a share in per cent: whole, but never 0 or 100 for what is only nearly so.

    The space does not break.
    """
    whole = f"{100 * share:.0f}"
    if whole == "0" and share > 0:
        whole = "<1"
    if whole == "100" and share < 1:
        whole = ">99"
    return f"{whole}\N{NO-BREAK SPACE}%"


def _grouped(count: int) -> str:
    """Show a count with thousands set apart."""
    return f"{count:,}"
