"""The page of a review: linked to its server, or one file that holds all and saves the CSV by a download."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from maskkit.errors import MaskkitError
from maskkit.plain_text import in_json
from maskkit.progress import track
from maskkit.reviewing.desk import SMALL, Desk


@cache
def script() -> str:
    """Return what the page runs."""
    return files(__package__).joinpath("review.js").read_text(encoding="utf-8")


@cache
def style() -> str:
    """Return how the page looks."""
    return files(__package__).joinpath("review.css").read_text(encoding="utf-8")


def linked_page() -> str:
    """Return the page that gets everything from its server."""
    return _rendered()


def lone_page(desk: Desk, *, saved_as: str) -> str:
    """Return the page as one file, photos inside; `saved_as` is the name of the CSV that it saves.

    Its content security policy lets it run its own script, known by its digest, and load nothing.
    """
    data = desk.to_json(saved_as=saved_as) | {"pictures": _pictures(desk)}
    # Nothing in it can end the element that holds it.
    text = in_json(json.dumps(data, ensure_ascii=False)).replace("<", "\\u003c")
    return _rendered(script=Markup(script()), style=Markup(style()), data=Markup(text))


def _pictures(desk: Desk) -> dict[int, str]:
    """Return photos as data URIs by row; one that cannot be read is not there."""
    found = {}
    for row in track(desk.files, len(desk.files), "photos"):
        try:
            found[row] = f"data:image/jpeg;base64,{b64encode(desk.picture(row, SMALL)).decode()}"
        except MaskkitError:
            continue  # the page says so where it would be
    return found


def _rendered(**parts: Markup) -> str:
    environment = Environment(
        loader=PackageLoader("maskkit.reviewing", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digests = {name: _digest(parts[name]) for name in ("script", "style") if name in parts}
    return environment.get_template("review.html").render(parts=parts, digests=digests)


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
