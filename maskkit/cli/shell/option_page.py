"""A page on one option: what it does, its choices in a line each, and their settings."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Literal, get_args, get_origin

from maskkit.cli.shell.parameters import Parameter, Shown
from maskkit.options import timm_names
from maskkit.options.choices import Setting, Settings, Technique, text_of
from maskkit.options.fields import Between, ChosenFrom, Explained

LISTED = "list"  # the value of an option that asks for its page
WIDEST = 100  # columns, also of a wider terminal
NAMES = {"model": timm_names.model_names, "optimizer": timm_names.optimizer_names}  # of timm


def page(command: str, item: Parameter) -> str:
    """Return the page of an option."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    default = item.note(Shown) or item.default
    shown = f"  (default: {default})" if isinstance(default, str | int | float) and default != "" else ""
    lines = [f"{command} {item.flag}{shown}", "", *_wrapped(item.note(str) or "", width)]
    for title, rows in _tables(item):
        lines += ["", f"{title}:", *_rows(rows, width)]
    lines += ["", *_wrapped(line, width)] if (line := _how_to_write(item)) else []
    if item.name in NAMES:
        lines += ["", f"`{command} {item.flag} {LISTED}` prints the names that timm has, one a line."]
    return "\n".join(lines)


def names(item: Parameter) -> list[str] | None:
    """Return the names that an option takes from timm; None if it takes none."""
    return NAMES[item.name]() if item.name in NAMES else None


def has_choices(item: Parameter) -> bool:
    """Whether there is something to list."""
    return bool(meanings(item)) or item.name in NAMES


def meanings(item: Parameter) -> Mapping[str, str]:
    """Return what each value of an option does, by the values that are known one by one."""
    if (chosen := item.note(ChosenFrom)) is not None:
        return {name: one.does if isinstance(one, Technique) else "" for name, one in chosen.table.items()}
    explained = item.note(Explained)
    words = [word for kind in item.kinds if get_origin(kind) is Literal for word in get_args(kind)]
    return {**dict.fromkeys(map(str, words), ""), **(explained.texts if explained else {})}


def _tables(item: Parameter) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    if found := meanings(item):
        yield "Choices", list(found.items())
    chosen = item.note(ChosenFrom)
    if chosen is None:
        limits = item.note(Between) or Between()
        if said := _limits(limits.minimum, limits.maximum):
            yield "Numbers", [(said, "")]
        return
    owners: dict[tuple[str, Setting], list[str]] = {}
    others: dict[str, Settings] = {} if chosen.others is None else {"any other": chosen.others}
    for name, known in {**chosen.table, **others}.items():
        for key, one in known.items():
            owners.setdefault((key, one), []).append(name)
    if owners:
        everyone = len({**chosen.table, **others})
        yield (
            "Settings, behind a colon",
            [
                (f"{key}={text_of(one.default)}", _said(one, of, everyone))
                for (key, one), of in owners.items()
            ],
        )


def _said(one: Setting, of: list[str], everyone: int) -> str:
    limits = _limits(one.minimum, one.maximum)
    allowed = ", ".join(one.among) if one.among and len(one.among) < 6 else limits
    of = [] if len(of) == everyone else of
    return one.help + (f"; {allowed}" if allowed else "") + (f" [{', '.join(of)}]" if of else "")


def _limits(low: float | None, high: float | None) -> str:
    bounds = (("from", low), ("to", high))
    return " ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)


def _how_to_write(item: Parameter) -> str:
    """Show a choice with a setting, and several."""
    chosen = item.note(ChosenFrom)
    if chosen is None or not chosen.table:
        return ""
    name, known = next((pair for pair in chosen.table.items() if pair[1]), ("", {}))
    key = next(iter(known), "")
    examples = [f"{item.flag} {name}:{key}={text_of(known[key].default)}"] if key else []
    both = [name for name in chosen.table if name not in ("none", "auto")][:2]
    examples += [f"several as {item.flag} {'+'.join(both)}"] if chosen.several else []
    return f"Write {', '.join(examples)}." if examples else ""


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width)


def _rows(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    first = max(len(name) for name, _ in rows)
    for name, text in rows:
        lines = textwrap.wrap(text, max(width - first - 4, 20)) or [""]
        yield f"  {name:{first}}  {lines[0]}".rstrip()
        yield from (" " * (first + 4) + line for line in lines[1:])
