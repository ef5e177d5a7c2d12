"""Ends a build whose pages would ask another host for anything: the site is read without a network."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

LOADED = {
    "src",
    "srcset",
    "data",
    "poster",
    "action",
}  # attributes whose address a browser asks for by itself
LINKED = {"stylesheet", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "icon"}
ELSEWHERE = ("http:", "https:", "//")


class _Asked(HTMLParser):
    """Collects the addresses on other hosts that a page loads; those of links that people follow are none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        given = {name: (value or "").strip() for name, value in attrs}
        loads = [value for name, value in given.items() if name in LOADED]
        if tag == "link" and LINKED & set(given.get("rel", "").split()):
            loads.append(given.get("href", ""))
        self.found += [value for value in loads if value.startswith(ELSEWHERE)]


def asked_elsewhere(page: str) -> list[str]:
    """Return what a page would load from other hosts."""
    asked = _Asked()
    asked.feed(page)
    return asked.found


def asked_by_style(style: str) -> list[str]:
    """Return what a style sheet would load from other hosts."""
    parts = style.replace("@import", "url(").split("url(")[1:]
    return [part for part in (part.lstrip(" \"'") for part in parts) if part.startswith(ELSEWHERE)]


def _of_folder(folder: Path) -> Iterator[str]:
    for suffix, asked in ((".html", asked_elsewhere), (".css", asked_by_style)):
        for file in sorted(folder.rglob(f"*{suffix}")):
            for address in asked(file.read_text(encoding="utf-8")):
                yield f"{file.relative_to(folder)} loads {address[:80]}"


def _look(app: Sphinx, failure: Exception | None) -> None:
    if failure is None and app.builder.name == "html" and (found := list(_of_folder(Path(app.outdir)))):
        raise SphinxError("\n".join(found))


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx call it."""
    app.connect("build-finished", _look)
    return {"parallel_read_safe": True}
