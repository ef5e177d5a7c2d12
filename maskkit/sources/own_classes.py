"""The label space that a tree of folders with names of their own stands for."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import product
from math import prod
from pathlib import PurePosixPath
from shlex import quote

from maskkit.errors import MaskkitError, examples
from maskkit.labels import HOME, MOST_CLASSES, Factor, LabelSpace, quoted
from maskkit.sources.class_folders import PhotoTree, composed_place
from maskkit.sources.layouts import LOOKED_AT, STATES
from maskkit.storage.address import PathOrAddress
from maskkit.texts import composed, is_utf8

log = logging.getLogger(__name__)

# Folders of these names divide a set of photos; nobody wants a model that tells them apart.
PARTS = frozenset(
    {"train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing", "holdout"}
)
NAMED = 20  # levels that the log names

Place = tuple[str, ...]


def space_of_folders(tree: PhotoTree) -> LabelSpace:
    """Return the home task if any folder names one of its classes, else the task that the folders make up.

    Folders side by side are the levels of one factor. Folders in folders are one factor for each depth if
    they form a grid: every combination is a folder, if only an empty one.

    Raises:
        MaskkitError: The folders are no such grid, or name no two classes.
    """
    if tree.has_classes(HOME):
        _say_if_by_number(tree)
        return HOME
    places = [place for place, count in zip(tree.places, tree.counts, strict=True) if count]
    if not places:
        if tree.missing:
            return HOME  # all names are refused for another reason
        raise tree.without_photos()
    _refuse_loose_photos(tree, places)
    _refuse_what_is_no_class(tree, places)
    levels = _grid(tree, places)
    names = ["class"] if len(levels) == 1 else [f"factor{number}" for number in range(1, len(levels) + 1)]
    return LabelSpace(tuple(Factor(name, tuple(words)) for name, words in zip(names, levels, strict=True)))


def _in_order(names: set[str]) -> list[str]:
    """Return names composed and sorted, as numbers if they all are."""
    words = sorted({composed(name) for name in names})
    return sorted(words, key=int) if _are_numbers(words) else words


def _are_numbers(names: Iterable[str]) -> bool:
    return all(name.isdecimal() for name in names)


def _refuse_loose_photos(tree: PhotoTree, places: list[Place]) -> None:
    if () not in places:
        return
    loose = int(tree.counts[tree.places.index(())])
    beside = _in_order({place[0] for place in places if place})
    where = f", beside the folders {examples(beside)}" if beside else " of a class"
    table = "give a table with a path and the factors"
    by_task = f"; with a task file for --task ({_as_line(beside)}), the folders still name classes"
    raise MaskkitError(
        f"{tree.folder} has {loose} photos in no folder{where}",
        why="the folder that a photo is in names its class",
        fix=f"list photos without classes by --unlabelled{by_task if len(beside) > 1 else ''}; "
        f"or move them into one folder per class, or {table}",
    )


def _refuse_what_is_no_class(tree: PhotoTree, places: list[Place]) -> None:
    folder, top = tree.folder, _in_order({place[0] for place in places})
    stems = {PurePosixPath(name).stem for name in tree.path[:LOOKED_AT].to_pylist()}
    if set(STATES) <= stems:
        raise MaskkitError(
            f"{folder} has a folder for each person, not for each class",
            why=f"the photos in them are called {', '.join(STATES)}, as the competition's are",
            fix="give its train.csv, or list them without classes by --unlabelled",
        )
    if len(top) == 1:
        inner = quote(f"{folder}/{top[0]}")
        raise MaskkitError(
            f"all photos of {folder} are in its folder {top[0]}",
            why="a task has two classes or more, each with a folder of its name",
            fix=f"if the class folders are in that one, give {inner}; if other classes have no photos yet, "
            "name them in a task file for --task; or list photos without classes by --unlabelled",
        )
    if all(name.lower() in PARTS for name in top):
        inner = quote(f"{folder}/{top[0]}")
        raise MaskkitError(
            f"{folder} has the folders {', '.join(top)}",
            why="these name parts of a set, not classes",
            fix=f"label each by itself, with one task: maskkit label {inner} --print-task > task.toml, then "
            f"maskkit label {inner} --task task.toml, and the others likewise",
        )


def _grid(tree: PhotoTree, places: list[Place]) -> list[list[str]]:
    """Return the names at each depth, of which every combination is a folder."""
    shortest, longest = min(places, key=len), max(places, key=len)
    levels = [_in_order({place[depth] for place in places}) for depth in range(len(shortest))]
    if len(shortest) < len(longest):
        raise _no_grid(
            tree, levels[0], f"photos are in {'/'.join(shortest)} and, deeper, in {'/'.join(longest)}"
        )
    for words in levels[1:]:
        if len(words) == 1 or all(word.lower() in PARTS for word in words):
            raise _no_grid(tree, levels[0], f"{', '.join(words)} of the inner folders are no classes")
    if prod(map(len, levels)) > MOST_CLASSES:
        raise _no_grid(tree, levels[0], f"they would be more than {MOST_CLASSES:,} classes")
    there = set(map(composed_place, tree.places))
    lacking = ["/".join(place) for place in product(*levels) if place not in there]
    if lacking:
        raise _no_grid(tree, levels[0], f"there is no folder {examples(lacking)}")
    _refuse_two_names(tree, places)
    for word in (word for words in levels for word in words if word != word.strip()):
        raise MaskkitError(
            f"{tree.folder} has a folder {word!r}",
            why="its name begins or ends with a space, which no class's name does",
            fix="rename it",
        )
    return levels


def _refuse_two_names(tree: PhotoTree, places: list[Place]) -> None:
    """Raise if a folder and a link to it would give the same photos two classes."""
    names: dict[PathOrAddress, str] = {}
    for place in places:
        name = "/".join(place)
        other = names.setdefault(tree.folder.joinpath(*place).resolve(), name)
        if composed(other) != composed(name):
            raise MaskkitError(
                f"{other} and {name} of {tree.folder} are the same folder",
                why="a symbolic link leads from one to the other, and each photo has one class",
                fix="remove the link, or move it out of the tree",
            )


def _no_grid(tree: PhotoTree, first: list[str], why: str) -> MaskkitError:
    return MaskkitError(
        f"{tree.folder} has folders in folders, which do not say what its classes are",
        why=f"they are factors if every combination of names is a folder, if only an empty one, but {why}",
        fix=f"if the first folder alone is the class, save as task.toml, for --task: {_as_line(first)}; "
        "or make or move folders, or give a table with a path and the factors",
    )


def _as_line(levels: list[str]) -> str:
    """Return a task file of one factor in a line, as errors have no others; of many levels the first few."""
    names = ", ".join([*map(quoted, levels[:NAMED]), *(["..."] if len(levels) > NAMED else [])])
    return f'factors = [{{name = "class", levels = [{names}]}}]'


def say_what_was_found(tree: PhotoTree, space: LabelSpace) -> None:
    """Log the task that folders make up, the command that saves it, and the folders that are no class."""
    named = "; ".join(f"{one.name}: {examples(one.levels, most=NAMED)}" for one in space.factors)
    log.info(
        "the folders of %s name %d classes, which make the task (%s). Keep it for --task, so that later runs "
        "do not depend on which folders there are: maskkit label %s --print-task > task.toml",
        *(tree.folder, len(space), named, quote(str(tree.folder))),
    )
    used = {place[0] for place, count in zip(tree.places, tree.counts, strict=True) if count}
    empty = sorted({place[0] for place in tree.places if place and is_utf8(place[0])} - used)
    if empty:
        log.warning(
            "%s: no photos are in %s, so that it is no class; name it in the task file if it is one",
            tree.folder, examples(empty),
        )  # fmt: skip


def _say_if_by_number(tree: PhotoTree) -> None:
    """Warn if some numbers alone name classes of the home task: they may be names of other classes."""
    used = {place[0] for place, count in zip(tree.places, tree.counts, strict=True) if count and place}
    if _are_numbers(used) and 1 < len(used) < len(HOME):
        numbers = _in_order(used)
        log.warning(
            "the folders %s are taken for class numbers of the home task, such as %s for %s; if they are "
            "classes of your own, save as task.toml, for --task: %s",
            *(examples(numbers), HOME.names[int(numbers[0])], numbers[0], _as_line(numbers)),
        )
