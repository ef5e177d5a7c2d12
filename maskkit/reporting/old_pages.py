"""What the HTML pages share: one file that loads nothing and runs nothing."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **values: Any) -> str:
    """Fill in a page's template, which extends `frame.html`, and put the style sheet inside.

    The same values give the same bytes, and every text is escaped.
    """
    style = Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8"))
    return _environment().get_template(template).render(style=style, **values)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("maskkit.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "decimal": _decimal,
        "signed": _signed,
        "percent": _percent,
        "grouped": _grouped,
        "short": _short,
        "chance": _chance,
        "capitalize_first": _capitalize_first,
    }
    return environment


def _decimal(value: float | None) -> str:
    """Show a measure with three decimals, and an undefined one as a dash."""
    return "\N{EN DASH}" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    """Show a difference with its sign and three decimals, and an undefined one as a dash."""
    return "\N{EN DASH}" if value is None else f"{value:+.3f}" if abs(value) >= 0.0005 else "0.000"


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


def _short(value: float) -> str:
    """Show a number in about four digits."""
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def _chance(value: float) -> str:
    """Show a probability, and a very small one as being below what four decimals tell."""
    return f"{value:.4f}" if value >= 0.0001 else "less than 0.0001"


def _capitalize_first(text: str) -> str:
    """Begin a sentence with a capital, and leave the rest as it is: names may have capitals of their own."""
    return text[:1].upper() + text[1:]
