"""Short reports of stages: their cells, against counts made another way."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reports import terminal_of, terminal_table

from maskkit.artifacts.checkpoint import Checkpoint, Ingredient
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.cli.shell.show_report import tsv
from maskkit.labels import HOME
from maskkit.modeling.known_weights import KnownWeights
from maskkit.options.train_options import Inference
from maskkit.pseudo_labelling.selection import Selection
from maskkit.reporting.report import Report
from maskkit.reporting.stage_reports import (
    artifact_report,
    faces_report,
    folds_report,
    predictions_report,
    pseudo_report,
    soup_report,
    speeds_report,
    weights_report,
)
from maskkit.splitting.quality import fold_quality
from maskkit.stages.bench import Bench, Speed
from maskkit.stages.crop import FaceCount
from maskkit.stages.label import label
from maskkit.stages.predict import predict
from maskkit.stages.pseudo import pseudo
from maskkit.stages.show import show

HOSTILE = "<script>[red]b</script>"
FACTS: dict[str, Any] = {
    "file": HOSTILE,
    "people": None,
    "score": 0.12345,
    "photos per class": {HOSTILE: 3, "b": 0},
    "held out": {
        "people": [2, 1],
        "photos": [14, 7],
        "deviation": [0.25, -0.5],
        "classes": {HOSTILE: {"people": [1, 0], "photos": [3, 0], "deviation": [0.1, -1.0]}},
    },
}


def faces() -> Report:
    return faces_report([FaceCount("", "all", 9, 6, 1), FaceCount("mask", HOSTILE, 0, 0, 0)], 3.25)


def averaged() -> Report:
    return soup_report(
        [
            Ingredient("a.safetensors", "a" * 64, is_in=True, alone=0.5, together=0.5),
            Ingredient(HOSTILE, "b" * 64, is_in=False, alone=0.25, together=0.375),
            Ingredient("c.safetensors", "c" * 64, is_in=True),
        ]
    )


def test_each_model_of_an_average_is_shown_with_whether_it_is_in() -> None:
    shown = terminal_of(averaged())
    assert "2 of 3 models are averaged" in shown
    assert re.search(r"a\.safetensors +0\.5000 +0\.5000 +yes", shown)
    assert re.search(r"0\.2500 +0\.3750 +no", shown)


def known() -> Report:
    found = [
        KnownWeights("--weights package", "package", "installed"),
        KnownWeights(f"--weights {HOSTILE}", "file", "cannot be used: it is empty"),
    ]
    return weights_report(found, "resnet18")


def speeds() -> Report:
    parts = (Speed("decode", "from files, no threads", 0, 1234.5), Speed("load", HOSTILE, 1, 99.25))
    bench = Bench(parts, "the model limits training", 2, 64)
    return speeds_report(bench.to_json(), bench.options)


def frame(folds: Manifest) -> pd.DataFrame:
    names = [folds.space.names[one] for one in folds.labels]
    people = folds.table["person_id"].to_pylist()
    return pd.DataFrame({"name": names, "fold": folds.folds, "person": people})


def test_folds_hold_the_people_and_photos_that_pandas_counts(folds: Manifest) -> None:
    given = frame(folds)
    report = folds_report(fold_quality(folds).to_json(folds.space.names))
    shown = terminal_table(report, "class", "fold 0", "fold 1", "fold 2", "off by")
    photos = given.groupby(["name", "fold"]).size().unstack(fill_value=0)  # noqa: PD010
    people = given.groupby(["name", "fold"])["person"].nunique().unstack(fill_value=0)  # noqa: PD010
    for name in photos.index:
        each = zip(people.loc[name], photos.loc[name], strict=True)
        assert [shown[name][f"fold {fold}"] for fold in range(3)] == [f"{one}/{other}" for one, other in each]
        off = (photos.loc[name] / photos.loc[name].mean() - 1).abs().max()
        assert shown[name]["off by"] == f"{off:.1%}"
    (total,) = (line.split() for line in terminal_of(report).splitlines() if line.startswith("all"))
    everyone = given.groupby("fold")["person"].nunique()
    assert total[1:4] == [f"{one}/{7 * one}" for one in everyone]


def test_an_artifact_is_shown_whole_on_a_terminal_and_line_by_line_in_a_pipe(
    folds: Manifest, tmp_path: Path
) -> None:
    folds.write(tmp_path / "folds.parquet")
    facts = show(Source.open(tmp_path / "folds.parquet"))
    report = artifact_report(facts)
    told = {str(row[0]): row[1] for row in tsv(report)[1]}
    photos = frame(folds).groupby("name").size()
    for name, count in photos.items():
        assert told[f"photos per class.{name}"] == count
    assert told["held out.people.2"] == frame(folds).groupby("fold")["person"].nunique()[2]
    shown = terminal_of(report)
    assert "photos: 168" in shown
    assert "people/photos held out per class and fold" in shown
    assert len(told) == sum(1 for _ in _leaves(facts))


def _leaves(facts: object) -> list[object]:
    if isinstance(facts, dict | list):
        inner = facts.values() if isinstance(facts, dict) else facts
        return [leaf for one in inner for leaf in _leaves(one)]
    return [facts]


def test_pseudo_labels_are_counted_as_the_manifest_holds_them(
    folds: Manifest, checkpoints: list[Path], info_csv: Path
) -> None:
    photos = label(info_csv)
    predicted = predict(photos, [Checkpoint.read(checkpoints[1])], inference=Inference("cpu", workers=0))
    assert predicted.probs is not None
    sure = float(np.median(predicted.probs.max(axis=1)))
    result = pseudo(folds, predicted, photos, which=Selection(f"{sure}"))
    report = pseudo_report(result.tallies, result.folds)
    shown = terminal_table(report, "class", "labelled", "photos", "added")
    is_pseudo = np.array(result.manifest.table["origin"].to_pylist()) == "pseudo"
    added = Counter(HOME.names[one] for one in result.manifest.integers("target")[is_pseudo])
    answers = Counter(HOME.names[one] for one in predicted.answer)
    held_out = frame(folds)
    labelled = held_out[held_out["fold"] != 1].groupby("name").size()
    assert 0 < added.total() < 7
    for name in HOME.names:
        assert int(shown[name]["added"]) == added[name]
        assert int(shown[name]["photos"]) == answers[name]
        assert int(shown[name]["labelled"]) == labelled.get(name, 0)
        assert float(shown[name]["weight"]) == added[name]
    assert f"{added.total()} of 7 photos added, to train fold 1 alone" in terminal_of(report)


def test_faces_are_found_misplaced_or_not_there() -> None:
    shown = terminal_table(faces(), "level", "photos", "found", "share", "none", "misplaced")
    assert shown["all"] == {"photos": "9", "found": "6", "share": "66.67%", "none": "2", "misplaced": "1"}
    assert shown[f"mask {HOSTILE}"]["share"] == "-"
    assert terminal_of(faces()).endswith("3.2 ms per photo\n")


def test_speeds_are_what_was_measured() -> None:
    header, rows = tsv(speeds())
    assert header == ("part", "setting", "photos_per_second")
    assert rows == [["decode", "from files, no threads", 1234.5], ["load", HOSTILE, 99.25]]
    assert "use: --workers 2 --batch-size 64" in terminal_of(speeds())
    assert "1,234" in terminal_of(speeds())


@pytest.mark.parametrize("top", [None, 2])
def test_predictions_are_the_most_likely_classes_and_how_likely(
    folds: Manifest, checkpoints: list[Path], top: int | None
) -> None:
    few = folds.select(np.arange(60))
    predicted = predict(
        few, [Checkpoint.read(checkpoints[0])], inference=Inference("cpu", workers=0), allow_leak=True
    )
    report = predictions_report(predicted, HOME, top=top, rest="-o FILE writes all")
    assert predicted.probs is not None
    shown = terminal_of(report)
    for row, path in enumerate(predicted.path.to_pylist()):
        probs = predicted.probs[row]
        best = np.argsort(-probs, kind="stable")
        wanted = [f"{HOME.names[one]} {probs[one]:.3f}" for one in best[:2]]
        if top is None:
            wanted = [*HOME.names[best[0]].split("/"), f"{probs[best[0]]:.3f}"]
        lines = [line for line in shown.splitlines() if line.startswith(path)]
        assert [" ".join(line.split()) for line in lines] == (
            [f"{path} {' '.join(wanted)}"] if row < 50 else []
        )
    assert "and 10 more: -o FILE writes all" in shown
