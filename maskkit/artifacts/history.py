"""How histories differ, files counting by their content and not by their place, and what may be resumed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from maskkit.artifacts.header import Input, Record
from maskkit.errors import MaskkitError
from maskkit.storage.address import PathOrAddress

PER_FOLD = {"fold"}  # what the folds of one training differ in
SHORT = 8  # characters of a digest
PSEUDO = "pseudo"  # the stage that makes a manifest per fold
TRAIN, SOUP = "train", "soup"  # those that make a model per fold, of a manifest and of other models
OFF = {"null", "false", "{}", '"none"'}  # as good as not having the option

Place = tuple[str, str]  # stage, option
Value = tuple[str, str]  # what tells it apart, what is shown


def differing(histories: Sequence[Sequence[Record]]) -> list[tuple[Place, tuple[str | None, ...]]]:
    """Return the options that differ, with the value in each history, in the order of the pipeline.

    A history without a stage says nothing of that stage's options, and differs from none in them. None
    stands for that, and for an option that the stage did not have in the version that ran.
    """
    tables = [_settings(history) for history in histories]
    stages = [{record.stage for record in history} for history in histories]
    found = []
    for place in dict.fromkeys(place for table in tables for place in table):
        known = [table.get(place) for table, ran in zip(tables, stages, strict=True) if place[0] in ran]
        if len({_identity(values) for values in known}) > 1:
            found.append((place, tuple(_shown(table.get(place)) for table in tables)))
    order = list(dict.fromkeys(record.stage for history in histories for record in history))
    return sorted(found, key=lambda item: order.index(item[0][0]))


def key_of(record: Record, history: Sequence[Record] = ()) -> str:
    """Return what the folds of one training have in common, so that they are known to be of one run.

    A fold's own pseudo labels make a manifest for that fold: what the folds have in common is then the
    manifest that they were added to, and how, which `history` tells. An average of a fold's models has in
    common with that of another how those were trained.
    """
    values = {
        name: _value(record, name, value)[0] for name, value in record.options.items() if name not in PER_FOLD
    }
    made = {one.id: one for one in history if one.stage == PSEUDO or record.stage == SOUP}
    inputs = [_common(item, made) for item in record.inputs]
    return json.dumps([record.stage, values, inputs], sort_keys=True)


def _common(item: Input, made: Mapping[str, Record]) -> object:
    """Return what an input has in common with those of other folds: its digest, if it is no fold's own."""
    maker = made.get(item.made_by or "")
    if maker is not None and maker.stage == TRAIN:
        return key_of(maker, list(made.values()))
    options: list[object] = []  # of the stages that made it a fold's own, the last first
    while (record := made.get(item.made_by or "")) is not None and record.inputs:
        options.append(dict(record.options))
        item = record.inputs[0]
    return [*options, item.sha256]


def _settings(history: Sequence[Record]) -> Mapping[Place, dict[str, str]]:
    """Return what each option of each stage was, a fold's records taken together."""
    table: dict[Place, dict[str, str]] = {}
    for record in history:
        values = [("version", (record.version, record.version))]
        given = [item for item in record.inputs if item.option is None and item.made_by is None]
        if given and record.stage == "label":
            values.append(("input", _files(given)))
        values += [
            (name, _value(record, name, value))
            for name, value in record.options.items()
            if name not in PER_FOLD
        ]
        for name, (identity, shown) in values:
            table.setdefault((record.stage, name), {})[identity] = shown
    return table


def _value(record: Record, name: str, value: object) -> Value:
    files = [item for item in record.inputs if item.option == name]
    if files:
        identity, shown = _files(files)
        word = word_behind(value, files[0])
        return identity + word, shown + word
    text = json.dumps(value, sort_keys=True)
    return text, value if isinstance(value, str) else "none" if value is None else text


def word_behind(value: object, file: Input) -> str:
    """Return what an option says behind the path of its file, such as `:plain`."""
    has_more = isinstance(value, str) and value.startswith(f"{file.path}:")
    return str(value).removeprefix(file.path) if has_more else ""


def _files(files: Iterable[Input]) -> Value:
    items = list(files)
    identity = ",".join(item.sha256 for item in items)
    return identity, ", ".join(f"{PurePath(item.path).name} ({item.sha256[:SHORT]})" for item in items)


def _identity(values: Mapping[str, str] | None) -> frozenset[str]:
    return frozenset("" if one in OFF else one for one in values or ("",))


def _shown(values: Mapping[str, str] | None) -> str | None:
    return None if values is None else " | ".join(values.values())


def refuse_to_lose(path: PathOrAddress, run: str, *, resume: bool, force: bool) -> None:
    """Raise a MaskkitError if an interrupted run, such as a "training", would be thrown away unwanted."""
    if path.exists() and not (resume or force):
        raise MaskkitError(
            f"{path} holds an interrupted {run}",
            why="starting anew would throw it away",
            fix="use --resume to go on from it, or --force to start anew",
        )


def refuse_other_run(path: PathOrAddress, run: str, theirs: Record, ours: Record) -> None:
    """Raise a MaskkitError unless what a run left at `path` is of the same options and inputs."""
    if changed := differences(theirs, ours):
        raise MaskkitError(
            f"cannot resume from {path}",
            why=f"it belongs to a {run} with other settings: {'; '.join(changed)}",
            fix="give the same options and inputs, or use --force to start anew",
        )


def refuse_other_finished(path: PathOrAddress, theirs: Record, ours: Record) -> None:
    """Raise a MaskkitError unless what is finished at `path` is of the same stage, options and inputs."""
    changed = differences(theirs, ours)
    if theirs.stage != ours.stage:
        changed = [f"`maskkit {theirs.stage}` has made it"]
    if changed:
        raise MaskkitError(
            f"{path} was made with other settings: {'; '.join(changed)}",
            why="--resume goes on with the same run, and this one is finished",
            fix="use --force to make it anew, or another output",
        )


def damaged(path: PathOrAddress, why: str) -> MaskkitError:
    """Return the error of a file that no run can have left."""
    return MaskkitError(
        f"cannot resume from {path}",
        why=f"it is damaged or not a resume file: {why}",
        fix="use --force to start anew",
    )


def differences(theirs: Record, ours: Record) -> list[str]:
    """Say in what two runs differ that changes what they make; a file's name or place does not."""
    found = [
        f"{name} was {theirs.options.get(name)}, is {value}"
        for name, value in ours.options.items()
        if theirs.options.get(name) != value
    ]
    gone = theirs.options.keys() - ours.options.keys()
    found += [f"{name} was {theirs.options[name]}, is not given" for name in sorted(gone)]
    if theirs.version != ours.version:
        found.append(f"maskkit was {theirs.version}, is {ours.version}")
    if [item.sha256 for item in theirs.inputs] != [item.sha256 for item in ours.inputs]:
        found.append("an input file has other content")
    return found
