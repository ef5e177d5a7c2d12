"""Which rows a fold trains on, with pseudo labels among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, RefusedError
from maskkit.pseudo_labelling.added_rows import origins
from maskkit.training.fold_rows import FoldRows, refuse_foreign

ADDED = 7  # photos of the last person, who is turned into one with pseudo labels


def with_pseudo(folds: Manifest, for_fold: list[int | None], person: str | None = "stranger") -> Manifest:
    """The manifest with its last seven photos as pseudo-labelled ones."""
    rows = len(folds) - ADDED
    parts = {
        "person_id": pa.array([person] * ADDED, pa.string()),
        "label": pa.nulls(ADDED, pa.int16()),
        "origin": origins("pseudo", ADDED),
        "fold": pa.array([-1] * ADDED, pa.int16()),
    }
    table = folds.table
    for name, values in parts.items():
        column = pa.chunked_array([*table[name].slice(0, rows).chunks, values.cast(table[name].type)])
        table = table.set_column(table.column_names.index(name), name, column.combine_chunks())
    column = pa.array([None] * rows + for_fold, pa.int16())
    return replace(folds, table=table.append_column("for_fold", column), source=None)


def pseudo_rows(manifest: Manifest, fold: int, *, allow_leak: bool = False) -> list[int]:
    first = len(manifest) - ADDED
    training = FoldRows.of(manifest, fold, allow_leak=allow_leak).training
    return [int(row) - first for row in training if row >= first]


def test_a_fold_trains_on_labels_for_it_and_for_all(
    folds: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    given = with_pseudo(folds, [0, 1, None, -1, 2, 0, 0])
    assert pseudo_rows(given, 0) == [0, 2, 5, 6]
    assert "3 pseudo labels are left out" in caplog.text
    assert pseudo_rows(given, 1) == [1, 2]
    assert pseudo_rows(with_pseudo(folds, [None] * ADDED), 2) == list(range(ADDED))


def test_nothing_changes_without_pseudo_labels(folds: Manifest) -> None:
    column = pa.nulls(len(folds), pa.int16())
    given = replace(folds, table=folds.table.append_column("for_fold", column))
    assert (FoldRows.of(given, 1).training == FoldRows.of(folds, 1).training).all()


def test_labels_for_other_folds_alone_are_refused_with_the_fold_they_are_for(folds: Manifest) -> None:
    given = with_pseudo(folds, [1] * ADDED)
    with pytest.raises(RefusedError, match="the 7 pseudo labels of the manifest are for fold 1") as caught:
        FoldRows.of(given, 0)
    assert "--fold 1" in caught.value.fix
    assert "fold0.safetensors" in caught.value.fix
    with pytest.raises(RefusedError, match="not for fold 0, 2"):
        refuse_foreign(given, [0, 1, 2])
    with pytest.raises(RefusedError, match="are for no fold"):
        FoldRows.of(with_pseudo(folds, [-1] * ADDED), 0)


def test_leaks_that_are_allowed_are_told(folds: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    given = with_pseudo(folds, [1, 1, -1, 0, None, 1, 1])
    assert pseudo_rows(given, 0, allow_leak=True) == list(range(ADDED))
    assert "5 pseudo labels come from models that were trained on people of fold 0" in caplog.text


def test_whoever_is_known_by_a_pseudo_label_alone_has_not_been_seen(folds: Manifest) -> None:
    given = with_pseudo(folds, [0] * ADDED)
    seen = FoldRows.of(given, 0).people_seen()
    names = [given.people.names[code] for code in np.unique(given.people.codes)]
    folds_of = [int(given.folds[given.people.codes == code][0]) for code in np.unique(given.people.codes)]
    assert seen.contains(names).tolist() == [fold > 0 for fold in folds_of]


def test_labels_from_models_that_know_the_held_out_pass_them_on(folds: Manifest) -> None:
    given = with_pseudo(folds, [1] * ADDED)
    seen = FoldRows.of(given, 0, allow_leak=True).people_seen()
    held_out = {given.people.names[code] for code in given.people.codes[given.folds == 0]}
    assert seen.contains(sorted(held_out)).all()
    assert not seen.contains(["stranger"]).any()


def test_where_nobody_is_held_out_every_pseudo_label_may_be_trained_on(folds: Manifest) -> None:
    for made_for in (0, 1, -1):
        given = with_pseudo(folds, [made_for] * ADDED)
        assert len(FoldRows.of(given, None).training) == len(given)


def test_a_manifest_with_nothing_to_train_on_has_no_model_of_everybody(folds: Manifest) -> None:
    nothing = folds.then("edit", {"weight": pa.array(np.zeros(len(folds), np.float32))})
    with pytest.raises(MaskkitError, match="no photo to train on"):
        FoldRows.of(nothing, None)
