"""What a page of HTML holds."""

from html.parser import HTMLParser

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Collects what a page holds, and fails on a tag that is not closed where it was opened.

    `tables` are those of the page in order, each a list of rows, each a list of the texts of its cells,
    without the labels of axes.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.hidden: list[bool] = []  # of each that is open, whether ears do not get it either
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.tables: list[list[list[str]]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
            self.hidden.append(("aria-hidden", "true") in attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.hidden.pop()
        if tag in ("td", "th"):
            self.tables[-1][-1][-1] = plain(self.tables[-1][-1][-1])

    def handle_data(self, data: str) -> None:
        self.text += data
        if ("td" in self.open or "th" in self.open) and not any(self.hidden):
            self.tables[-1][-1][-1] += data


def plain(text: str) -> str:
    """Return words with one space between them."""
    return " ".join(text.split())


def words(html: str) -> str:
    """Return the text of a page, with cells and headings apart."""
    for tag in ("</t", "</h", "</d", "</span", "</b", "</i"):
        html = html.replace(tag, " " + tag)
    return plain(Page(html).text)
