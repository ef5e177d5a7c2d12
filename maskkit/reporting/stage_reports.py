"""Short reports of what a stage did: folds, faces, pseudo labels, speeds, an artifact, predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maskkit.artifacts.answer_sets import SET
from maskkit.reporting.report import Header, Report, Section
from maskkit.reporting.table import Column, Note, Row, Table, Value, attribute
from maskkit.reporting.writing import decimal

if TYPE_CHECKING:
    from maskkit.artifacts.predictions import Predictions
    from maskkit.labels import LabelSpace

HELD_OUT = "held out"  # of a manifest with folds: people and photos per class and fold
MOST_PHOTOS = 50  # that a table of predictions names


def folds_report(quality: Mapping[str, Any]) -> Report:
    """Show people and photos of each class in each fold, as `FoldQuality.to_json` has them."""
    return _report(_folds(quality))


def _folds(quality: Mapping[str, Any]) -> Table:
    folds = [Column("", f"fold {fold}", "pair") for fold in range(len(quality["photos"]))]
    rows = [Row(name, _fold_cells(row)) for name, row in quality["classes"].items()]
    return Table(
        (*folds, Column("", "off by", "share")), (*rows, Row("all", _fold_cells(quality), is_foot=True)),
        "people/photos held out per class and fold", head=Column("", "class"), on="terminal",
    )  # fmt: skip


def _fold_cells(row: Mapping[str, Any]) -> tuple[Value, ...]:
    pairs = zip(row["people"], row["photos"], strict=True)
    return (*pairs, max(map(abs, row["deviation"]), default=0.0))


def faces_report(tallies: Sequence[object], milliseconds: float) -> Report:
    """Show in how many photos a face was found, why not in the others, and the milliseconds per photo.

    The first of the tallies is of all photos, the others are of each level of each factor.
    """
    photos, found, none, misplaced = (
        Column(name, name, "count") for name in ("photos", "found", "none", "misplaced")
    )
    columns = (photos, found, Column("share", "share", "share", digits=2), none, misplaced)
    table = Table.of(
        tallies, columns, name="title", title="photos with a face", head=Column("", "level"), on="terminal"
    )
    return _report(table, verdict=f"{milliseconds:.1f} ms per photo")


def pseudo_report(tallies: Sequence[object], folds: Sequence[int] | None) -> Report:
    """Show how many photos of each class were added, how sure their labels are, and what they weigh.

    The folds are those that may train on them; None for all.
    """
    columns = (
        Column("labelled", "labelled", "count"),
        Column("photos", "photos", "count"),
        Column("chosen", "added", "count", is_main=True),
        Column("least", "least", "decimal"),
        Column("mean", "mean", "decimal"),
        Column("weight", "weight", "decimal", digits=1),
    )
    title = "photos with pseudo labels, by class"
    table = Table.of(tallies, columns, title=title, head=Column("", "class"), on="terminal")
    chosen, photos = (sum(attribute(one, name) for one in tallies) for name in ("chosen", "photos"))
    whose = "any fold" if folds is None else f"fold {', '.join(map(str, folds))} alone"
    if folds == (-1,):
        whose = "no fold, unless with --allow-leak"
    return _report(table, verdict=f"{chosen:,} of {photos:,} photos added, to train {whose}")


def soup_report(ingredients: Sequence[object]) -> Report:
    """Show each model whose weights may be in an average, in the order tried, and whether they are."""
    columns = (
        Column("alone", "alone", "decimal", digits=4),
        Column("together", "with those above", "decimal", digits=4, is_main=True),
        Column("averaged", "averaged"),
    )
    rows = [{**vars(one), "averaged": "yes" if attribute(one, "is_in") else "no"} for one in ingredients]
    title = "macro-F1 on people held out"
    table = Table.of(rows, columns, title=title, head=Column("", "model"), on="terminal")
    chosen = sum(one["averaged"] == "yes" for one in rows)
    return _report(table, verdict=f"{chosen} of {len(rows)} models are averaged")


def speeds_report(found: Mapping[str, Any], options: str) -> Report:
    """Show photos per second of each part of training, what limits it, and options to use for `train`."""
    columns = (Column("setting", "setting"), Column("photos_per_second", "photos per second", "short"))
    table = Table.of(
        found["speeds"], columns, name="part", title="photos per second, each part by itself",
        head=Column("part", "part"), at=("speeds",),
    )  # fmt: skip
    return _report(table, data=found, verdict=f"{found['limit']}\nuse: {options}")


def weights_report(found: Sequence[object], model: str) -> Report:
    """Show which weights a model can start from, of `known_weights`, and whether they can be used now."""
    columns = (Column("kind", "kind"), Column("state", "state on this machine", wraps=True))
    table = Table.of(
        found, columns, name="options", title=f"weights of {model}", head=Column("options", "options"),
        at=("weights",),
    )  # fmt: skip
    return _report(table, data={"weights": [vars(one) for one in found]})


def artifact_report(facts: Mapping[str, Any]) -> Report:
    """Show what an artifact is, as `show` found it."""
    every = tuple(Row(name, (value,)) for name, value in flat(facts))
    plain = {name: value for name, value in facts.items() if not isinstance(value, Mapping)}
    nested = {name: value for name, value in facts.items() if name not in plain and name != HELD_OUT}
    tables = [
        Table((Column("value", "value"),), every, head=Column("fact", "fact"), on="programs"),
        Table((Column("", ""),), _rows(plain), look="facts", on="terminal"),
        *(
            Table((Column("", ""),), _rows(one), head=Column("", name), on="terminal")
            for name, one in nested.items()
        ),
    ]
    return _report(*tables, *([_folds(facts[HELD_OUT])] if HELD_OUT in facts else []), data=facts)


def _rows(facts: Mapping[str, object]) -> tuple[Row, ...]:
    texts = {name: decimal(value, 4) if isinstance(value, float) else value for name, value in facts.items()}
    return tuple(Row(name, ("-" if text is None else str(text),)) for name, text in texts.items())


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Flatten nested facts to a name with dots and a value; a list is numbered from 0."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield from flat({str(index): item for index, item in enumerate(value)}, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def predictions_report(
    predictions: Predictions, space: LabelSpace, *, top: int | None = None, rest: str = "-o FILE writes all"
) -> Report:
    """Show the level of each factor and the probability of the answer, or the `top` most likely classes.

    Sets are shown beside them. The predictions have probabilities; `rest` says where those are that are not
    shown.
    """
    assert predictions.probs is not None
    columns = [*(Column("", factor.name) for factor in space.factors), Column("", "confidence", "decimal")]
    if top is not None:
        columns = [Column("", str(place + 1)) for place in range(min(top, len(space)))]
    shown = predictions.take(np.arange(min(len(predictions), MOST_PHOTOS)))
    assert shown.probs is not None
    sets = [] if shown.sets is None else shown.sets.texts(space)[SET].to_pylist()
    rows = []
    for place, (path, row) in enumerate(zip(shown.path.to_pylist(), shown.probs, strict=True)):
        cells: tuple[Value, ...] = (*space.levels_of(int(row.argmax())), float(row.max()))
        if top is not None:
            best = (-row).argsort(kind="stable")[: len(columns)].tolist()
            cells = tuple(f"{space.names[one]} {row[one]:.3f}" for one in best)
        rows.append(Row(path, (*cells, *sets[place : place + 1])))
    if sets:
        columns.append(Column("", "set", wraps=True))
    more = len(predictions) - MOST_PHOTOS
    notes = (Note(f"... and {more:,} more: {rest}"),) if more > 0 else ()
    return _report(Table(tuple(columns), tuple(rows), head=Column("", "file"), notes=notes, on="terminal"))


def _report(*tables: Table, data: Any = None, verdict: str = "") -> Report:
    notes = (Note(verdict),) if verdict else ()
    header: Header = "long" if data is None else "wide"
    return Report("", data, (Section("", tables),), verdict=notes, header=header)
