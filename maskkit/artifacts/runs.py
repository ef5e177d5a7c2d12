"""Runs to compare: what each is, whatever it is given as.

Checkpoints and history files that lie in one folder and were trained with the same options but the fold are
one run. A folder stands for those in it, and for the out-of-fold predictions that these models made. A table
of predictions that is given itself is a run of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import PurePath

from maskkit.artifacts.checkpoint import has_header
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Record, merged, wrong_kind
from maskkit.artifacts.history import key_of
from maskkit.artifacts.parquet import is_artifact, read_header
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.trained import CHECKPOINT, HISTORY, Trained, is_history, is_unscored, stem_of
from maskkit.errors import MaskkitError, examples, reason
from maskkit.labels import LabelSpace
from maskkit.storage.address import Address, PathOrAddress, place_of
from maskkit.storage.objects import names_in

Key = tuple[PathOrAddress, str]


@dataclass(frozen=True)
class Run:
    """One training, with all its folds, or what it predicted."""

    name: str  # as given
    trained: tuple[Trained, ...]  # its folds, by number
    predictions: Predictions | None = None  # of its models; None if there are none

    @property
    def history(self) -> tuple[Record, ...]:
        """Every stage run that led to it; empty if unknown."""
        predicted = () if self.predictions is None else self.predictions.header.history
        return merged([*(one.history for one in self.trained), predicted])

    @property
    def space(self) -> LabelSpace | None:
        """Its label space; None if unknown."""
        spaces = [one.space for one in self.trained]
        spaces += [] if self.predictions is None else [self.predictions.header.space]
        return next((space for space in spaces if space is not None), None)

    @property
    def manifests(self) -> frozenset[str]:
        """Digests of the manifests it was trained on; empty if unknown."""
        read = [
            [item.sha256 for item in one.inputs if item.option is None] for one in _trainings(self.history)
        ]
        return frozenset(digests[0] for digests in read if digests)


def open_runs(given: Sequence[Source | PathOrAddress]) -> list[Run]:
    """Read runs, in the order in which they are first named: folders as paths, all else as sources.

    Raises:
        MaskkitError: One is no run, or a fold is in a run twice.
    """
    runs: dict[Key, Run] = {}
    folders: dict[PathOrAddress, str] = {}
    for number, item in enumerate(given):
        if not isinstance(item, Source):
            folders[item] = str(item)
            found = list(_of_folder(item))
        else:
            found = [_of_file(item, number)]
        for key, run in found:  # one that is given again, as by a shell's pattern, stays one
            before = runs.setdefault(key, run)
            trained = before.trained if before is run else (*before.trained, *run.trained)
            runs[key] = replace(before, trained=trained, predictions=before.predictions or run.predictions)
    _join_begun(runs)
    return [
        replace(run, name=_name(run, key, runs, folders), trained=_by_fold(run)) for key, run in runs.items()
    ]


def labels_of(names: Sequence[str]) -> list[str]:
    """Return the part of each name in which they differ, by whole parts of their paths, and no common ending.

    >>> labels_of(["run/a/oof.parquet", "run/b/oof.parquet"])
    ['a', 'b']
    >>> labels_of(["run/a.parquet", "run/b.parquet"])
    ['a', 'b']
    """
    parts = [PurePath(name).parts or (name,) for name in names]
    parts = [one[_common(parts) :] for one in parts]
    parts = [one[: len(one) - _common([one[::-1] for one in parts])] for one in parts]
    short = ["/".join(one) for one in parts]
    endings = {PurePath(one).suffix for one in short}
    if endings in ({CHECKPOINT}, {".parquet"}, {".csv"}):
        short = [one.removesuffix(next(iter(endings))) for one in short]
    return short if len(set(short)) == len(short) else list(names)


def _join_begun(runs: dict[Key, Run]) -> None:
    """Give folds of which no checkpoint is written yet to the run whose other folds are named alike."""
    for key, run in list(runs.items()):
        if not run.trained or run.trained[0].history:
            continue
        beside = [other for other in runs if other[0] == key[0] and other != key]
        alike = [other for other in beside if run.trained[0].stem in _stems(runs[other])]
        if len(alike) == 1:
            whole = runs[alike[0]]
            runs[alike[0]] = replace(whole, trained=(*whole.trained, *run.trained))
            del runs[key]


def _stems(run: Run) -> set[str]:
    return {one.stem for one in run.trained}


def _common(parts: Sequence[Sequence[str]]) -> int:
    """Return how many parts all begin with, of which each keeps one at least."""
    alike = takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    return min(len(list(alike)), min(map(len, parts)) - 1)


def _of_file(source: Source, number: int) -> tuple[Key, Run]:
    """Read one file; `number` is a key of its own for predictions."""
    trained = None
    if bytes(memoryview(source.data)[8:9]) == b"{":  # safetensors: the header's length, then JSON
        trained = Trained.from_checkpoint(source)
    elif is_history(source):
        trained = Trained.from_history(source)
    if trained is not None:
        return trained.key, Run(source.title, (trained,))
    if source.starts_with(b"PAR1"):
        kind = read_header(source, kind=None).kind
        if kind == "manifest":
            raise MaskkitError(
                f"{source.title} is a manifest, and no run",
                why="a run is a folder, checkpoint, history file or table of predictions",
                fix=f"if it holds the truth, give it as --on {source.name}",
            )
        if kind != "predictions":
            raise wrong_kind(source.title, kind, "run: a checkpoint, a history file or predictions")
    key = place_of(source.name), f"predictions {number if source.name == '-' else source.name}"
    return key, Run(source.title, (), Predictions.read(source))


def _of_folder(folder: PathOrAddress) -> Iterator[tuple[Key, Run]]:
    trained = [
        Trained.from_checkpoint(source)
        for source in _sources(folder, CHECKPOINT)
        # Weights to start from may lie there too, and models that have no score, such as one of everybody.
        if has_header(source) and not is_unscored(source)
    ]
    stems = {stem_of(one.path) for one in trained}
    histories = [source for source in _sources(folder, HISTORY) if is_history(source)]
    begun = [Trained.from_history(one) for one in histories if stem_of(place_of(one.name)) not in stems]
    groups: dict[Key, list[Trained]] = {}
    for one in [*trained, *begun]:
        groups.setdefault(one.key, []).append(one)
    predicted = _out_of_fold(folder)
    if not groups and not predicted:
        raise MaskkitError(
            f"{folder} holds no run",
            why=f"there is no checkpoint, no *{HISTORY} and no out-of-fold predictions in it",
            fix="give a folder into which `maskkit train` or `maskkit predict --oof` wrote",
        )
    for key in dict.fromkeys([*groups, *predicted]):
        yield key, Run(str(folder), tuple(groups.get(key, ())), predicted.get(key))


def _out_of_fold(folder: PathOrAddress) -> dict[Key, Predictions]:
    """Return the out-of-fold predictions of a folder by the run whose models made them."""
    found: dict[Key, Source] = {}
    for source in _sources(folder, ".parquet"):
        if not is_artifact(source):
            continue
        header = read_header(source, kind=None)
        last = header.history[-1] if header.history else None
        if header.kind != "predictions" or last is None or not last.options.get("oof"):
            continue
        trainings = _trainings(header.parents) or _trainings(header.history)
        keys = {key_of(record, header.history) for record in trainings}
        key = (folder, " ".join(sorted(keys)))
        if key in found:
            raise MaskkitError(
                f"{folder} holds out-of-fold predictions twice: {examples([found[key].name, source.name])}",
                why="both are by models of the same training, and one of them is compared",
                fix=f"give the one you mean instead of the folder, such as {source.name}",
            )
        found[key] = source
    return {key: Predictions.read(source) for key, source in found.items()}


def _trainings(history: Iterable[Record]) -> list[Record]:
    return [record for record in history if record.stage == "train"]


def _sources(folder: PathOrAddress, suffix: str) -> Iterator[Source]:
    if isinstance(folder, Address):
        return (Source.open(str(folder / name)) for name in names_in(folder) if name.endswith(suffix))
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(suffix) and path.is_file())
    except OSError as error:
        raise MaskkitError(
            f"cannot read {folder}",
            why=reason(error),
            fix="give a folder whose files you may read",
        ) from error
    return map(Source.open, paths)


def _by_fold(run: Run) -> tuple[Trained, ...]:
    """Return the folds in order, a checkpoint and its history file as one."""
    folds: dict[int, Trained] = {}
    for one in run.trained:
        twin = folds.setdefault(one.fold, one)
        if stem_of(twin.path) != stem_of(one.path):
            raise MaskkitError(
                f"fold {one.fold} is in one run twice: {twin.path} and {one.path}",
                why="both lie in one folder and were trained with the same options",
                fix="give one of them, or move the other elsewhere",
            )
    return tuple(folds[number] for number in sorted(folds))


def _name(run: Run, key: Key, runs: Mapping[Key, Run], folders: Mapping[PathOrAddress, str]) -> str:
    """Name a run by its folder if that was given and holds no other, and else by its files."""
    beside = [other for place, other in runs.items() if place[0] == key[0] and place != key]
    if key[0] in folders and not beside:
        return folders[key[0]]
    if not run.trained:
        return run.name if run.predictions is None else run.predictions.name
    paths = sorted((one.path for one in run.trained), key=str)
    stems = _stems(run)
    if len(paths) > 1 and len(stems) == 1 and not any(stems & _stems(other) for other in beside):
        return str(paths[0].parent / f"{stems.pop()}*")
    return examples(dict.fromkeys(paths), most=1)
