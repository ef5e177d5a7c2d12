"""Training with photos without labels: what it leaves, what it does not read, and what it refuses."""

import csv
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import draw_people
from safetensors.numpy import load_file

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import open_runs
from maskkit.artifacts.script import script
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import LabelSpace
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.reporting.curves import training_curves
from maskkit.stages import lr_find as of_rates
from maskkit.stages import train as of_training
from maskkit.stages.label import label
from maskkit.stages.predict import predict
from maskkit.stages.preview import preview
from maskkit.training.epochs import Epoch
from maskkit.training.fold_rows import FoldRows, read_unlabeled


def rows_for(manifest: Manifest, fold: int, options: TrainOptions, *, allow_leak: bool = False) -> FoldRows:
    unlabeled = read_unlabeled(options.unlabeled, manifest)
    return FoldRows.of(manifest, fold, unlabeled=unlabeled, allow_leak=allow_leak)


def train(
    manifest: Manifest,
    output: Path,
    *,
    fold: int,
    options: TrainOptions,
    allow_leak: bool = False,
    **more: Any,
) -> Path:
    rows = rows_for(manifest, fold, options, allow_leak=allow_leak)
    return of_training.train(rows, output, options=options, **more)


def lr_find(manifest: Manifest, *, fold: int, options: TrainOptions, **more: Any) -> of_rates.SuggestedRate:
    return of_rates.lr_find(rows_for(manifest, fold, options), options=options, **more)


UDA = "uda:threshold=0.1,annealing=linear"


@pytest.fixture(scope="module")
def others_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people who are in no other set, of ages that nobody has there, so that no photo is the same."""
    people = [(f"{500 + age:06d}", ("male", "female")[age % 2], age) for age in (20, 25, 38, 43, 61, 64)]
    return draw_people(tmp_path_factory.mktemp("others"), people)


@pytest.fixture(scope="module")
def others(others_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("manifests") / "others.parquet"
    label(others_csv).write(path, force=True)
    return path


@pytest.fixture(scope="module")
def options(quick: TrainOptions, others: Path) -> TrainOptions:
    return replace(quick, unlabeled=str(others), consistency=UDA)


@pytest.fixture(scope="module")
def trained(folds: Manifest, options: TrainOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    return train(folds, folder / "fold0.safetensors", fold=0, options=options)


def rows_of(output: Path) -> list[dict[str, str]]:
    with output.with_suffix(".history.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_history_tells_the_loss_and_the_share_of_confident_photos(trained: Path) -> None:
    for row in rows_of(trained):
        parts = float(row["train_factors"]) + float(row["train_consistency"])
        assert float(row["train_loss"]) == pytest.approx(parts)
        assert 0 < float(row["confident_share"]) <= 1


def test_the_history_is_read_by_what_reads_histories(trained: Path) -> None:
    (run,) = open_runs([trained.parent])
    assert len(run.trained[0].curve) == 2
    charts = training_curves([trained.with_suffix(".history.csv")])
    assert [len(line.x) for line in charts[0].lines] == [2]


def test_without_unlabelled_photos_the_history_has_no_such_columns(checkpoints: list[Path]) -> None:
    assert not {"train_consistency", "confident_share"} & set(rows_of(checkpoints[0])[0])


def test_the_checkpoint_says_what_it_learnt_from_and_how(trained: Path, others: Path) -> None:
    header = Checkpoint.read(trained).header
    record = header.history[-1]
    assert record.options["consistency"].startswith("uda:weight=1,ratio=1,temperature=0.4,threshold=0.1")
    (item,) = [item for item in record.inputs if item.option == "unlabeled"]
    assert (item.path, item.sha256) == (str(others), Manifest.read(others).as_input().sha256)
    assert [one.stage for one in header.history] == ["label", "label", "split", "train"]
    commands = script(header.history, output="fold0.safetensors")
    assert commands.count("maskkit label") == 2
    assert f"-o {others}" in commands
    assert f"--unlabeled {others}" in commands


def test_who_is_only_unlabelled_does_not_count_as_seen(trained: Path, folds: Manifest, others: Path) -> None:
    checkpoint, unlabeled = Checkpoint.read(trained), Manifest.read(others)
    assert not checkpoint.seen.contains(unlabeled.people.names).any()
    predictions = predict(unlabeled, [checkpoint], inference=Inference("cpu", 64, 0))
    assert len(predictions.answer) == len(unlabeled)


@pytest.mark.parametrize("consistency", ["uda:threshold=0", "fixmatch:threshold=0.1,ratio=2"])
def test_unlabelled_photos_change_what_is_learnt_and_their_weight_how_much(
    folds: Manifest, options: TrainOptions, tmp_path: Path, consistency: str
) -> None:
    brief = replace(options, epochs=1, consistency=consistency)
    made = [
        load_file(train(folds, tmp_path / f"{weight}.safetensors", fold=0,
                        options=replace(brief, consistency=f"{consistency},weight={weight}")))
        for weight in (0, 3)
    ]  # fmt: skip
    assert not all(np.array_equal(made[0][name], made[1][name]) for name in made[0])


def test_goes_on_as_if_never_interrupted(folds: Manifest, options: TrainOptions, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            raise StoppedError

    options = replace(options, workers=2, optimizer="adamw:head=3,accumulate=2")
    whole = train(folds, tmp_path / "whole.safetensors", fold=0, options=options)
    output = tmp_path / "part.safetensors"
    with pytest.raises(StoppedError):
        train(folds, output, fold=0, options=options, on_epoch=stop)
    train(folds, output, fold=0, options=options, resume=True)
    assert output.read_bytes() == whole.read_bytes()
    measured = {"images_per_second", "seconds"}
    kept = [
        [{name: value for name, value in row.items() if name not in measured} for row in rows_of(path)]
        for path in (output, whole)
    ]
    assert kept[0] == kept[1]


def test_labels_of_unlabelled_photos_are_never_read(
    folds: Manifest, options: TrainOptions, others: Path, tmp_path: Path, trained: Path
) -> None:
    given = Manifest.read(others)
    random = np.random.default_rng(0)
    drawn = random.integers(0, 18, len(given))
    levels = np.unravel_index(drawn, given.space.shape)
    columns: dict[str, pa.Array] = {
        "label": pa.array(drawn, pa.int16()), "target": pa.array(drawn[::-1].copy(), pa.int16()),
        "age": pa.array([(20, 40, 70)[band] for band in levels[2]], pa.int16()),
        "weight": pa.array(random.random(len(given)), pa.float32()),
    }  # fmt: skip
    for factor, level in zip(given.space.factors, levels, strict=True):
        if not factor.is_numeric:
            names = pa.array([factor.levels[place] for place in level])
            columns[factor.name] = names.cast(given.table.schema.field(factor.name).type)
    damaged = tmp_path / "others.parquet"
    given.then("edit", columns).write(damaged)
    output = tmp_path / "fold0.safetensors"
    train(folds, output, fold=0, options=replace(options, unlabeled=str(damaged)))
    ours, theirs = load_file(output), load_file(trained)
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)


def test_photos_that_never_had_labels_can_be_learnt_from(
    folds: Manifest, options: TrainOptions, info_csv: Path, tmp_path: Path
) -> None:
    label(info_csv).write(tmp_path / "test.parquet", force=True)
    brief = replace(options, epochs=1, unlabeled=str(tmp_path / "test.parquet"))
    output = train(folds, tmp_path / "fold0.safetensors", fold=0, options=brief)
    assert "train_consistency" in rows_of(output)[0]


@pytest.mark.parametrize(
    "changes",
    [{"head": "joint:hidden=8,samples=2+factors+regression", "mix": "mixup"},
     {"head": "arcface", "precision": "bfloat16"}, {"freeze": "phase", "average": "swa:start=0.5"}],
    ids=str,
)  # fmt: skip
def test_goes_with_other_techniques_and_predicts_as_it_was_scored(
    folds: Manifest, options: TrainOptions, tmp_path: Path, changes: dict[str, Any]
) -> None:
    output = train(folds, tmp_path / "fold0.safetensors", fold=0, options=replace(options, **changes))
    checkpoint = Checkpoint.read(output)
    predictions = predict(folds, [checkpoint], oof=True, inference=Inference("cpu", 64, 0))
    truth = folds.labels[folds.folds == 0]
    assert (predictions.answer == truth).mean() == checkpoint.header.facts["scores"]["accuracy"]
    assert all(np.isfinite(float(row["train_consistency"])) for row in rows_of(output))


@pytest.mark.parametrize(
    ("loss", "consistency", "is_told"),
    [
        ("ce:smoothing=0.1", "fixmatch:threshold=0.95", True),
        ("ce:smoothing=0.1", "fixmatch:threshold=0.9", False),
        ("ce", "fixmatch:threshold=0.95", False),
        ("ce:smoothing=0.1+f1", "uda:threshold=0.95", False),
    ],
)
def test_says_that_smoothing_keeps_answers_below_the_threshold(
    folds: Manifest,
    options: TrainOptions,
    caplog: pytest.LogCaptureFixture,
    loss: str,
    consistency: str,
    is_told: bool,
) -> None:
    with caplog.at_level(logging.WARNING):
        lr_find(
            folds, fold=0, options=replace(options, loss=loss, consistency=consistency), start=1e-4, steps=2
        )
    assert ("smooths its targets to 0.906" in caplog.text) is is_told


Write = Callable[[Manifest], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(manifest: Manifest) -> str:
        manifest.write(tmp_path / "unlabeled.parquet", force=True)
        return str(tmp_path / "unlabeled.parquet")

    return written


def test_people_who_are_held_out_are_refused_and_a_leak_that_is_allowed_is_told(
    folds: Manifest, labels: Manifest, options: TrainOptions, write: Write, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    others_of_fold_1 = labels.select((folds.folds == 1) & (np.arange(len(folds)) % 7 == 0))
    options = replace(options, epochs=1, unlabeled=write(others_of_fold_1))
    output = tmp_path / "run" / "a.safetensors"
    with pytest.raises(
        RefusedError, match=r"8 photos of .* are of people whom fold 1 holds out, or held out themselves"
    ) as caught:
        train(folds, output, fold=1, options=options)
    assert "--allow-leak" in caught.value.fix
    assert not output.parent.exists()
    with pytest.raises(RefusedError, match="fold 1 holds out"):
        lr_find(folds, fold=1, options=replace(options, consistency="uda"))
    with pytest.raises(RefusedError, match="fold 1 holds out"):
        [rows_for(folds, number, options) for number in (0, 1, 2)]
    for number in (0, 2):  # these train on the same people's labels anyway
        rows_for(folds, number, options)
    with caplog.at_level(logging.WARNING):
        train(folds, output, fold=1, options=options, allow_leak=True)
    assert "the held-out score is inflated" in caplog.text
    assert Checkpoint.read(output).header.history[-1].options["allow_leak"] is True


def test_a_copy_of_a_photo_that_is_held_out_is_refused_under_any_name(
    folds: Manifest, options: TrainOptions, write: Write, train_csv: Path, tmp_path: Path
) -> None:
    row = int(np.flatnonzero(folds.folds == 2)[3])
    folder = tmp_path / "copies"
    folder.mkdir()
    shutil.copy(train_csv.parent / "images" / folds.paths[row], folder / "nobody.jpg")
    (folder / "info.csv").write_text("ImageID,ans\nnobody.jpg,0\n")
    given = write(label(folder / "info.csv"))
    with pytest.raises(RefusedError, match=r"1 photos .*nobody\.jpg"):
        train(folds, tmp_path / "a.safetensors", fold=2, options=replace(options, unlabeled=given))


def test_another_label_space_is_refused(
    folds: Manifest, options: TrainOptions, others: Path, tmp_path: Path, write: Write
) -> None:
    task = {"factors": [{"name": "mask", "levels": ["wear", "incorrect", "none"]}]}
    given = Manifest.read(others)
    header = replace(given.header, space=LabelSpace.from_json(task))
    table = given.table.drop_columns(["label", "target", "gender"])
    for name in ("label", "target"):
        table = table.append_column(name, pa.nulls(len(given), pa.int16()))
    path = write(Manifest(table, header))
    with pytest.raises(MaskkitError, match="different label spaces"):
        train(folds, tmp_path / "a.safetensors", fold=0, options=replace(options, unlabeled=path))


def boxed(manifest: Manifest, digest: str = "a" * 64) -> Manifest:
    from maskkit.artifacts.header import Input

    box = pa.FixedSizeListArray.from_arrays(
        pa.array(np.tile(np.array([0.1, 0.1, 0.9, 0.9], np.float32), len(manifest))), 4
    )
    detector = Input("face.onnx", digest, option="detector")
    return manifest.then("crop", {"box": box}, inputs=[detector], detector="face.onnx", score=0.5)


def test_unlabelled_photos_are_cut_to_faces_as_those_trained_on(
    folds: Manifest, options: TrainOptions, others: Path, write: Write, tmp_path: Path
) -> None:
    given, output = Manifest.read(others), tmp_path / "a.safetensors"
    with pytest.raises(MaskkitError, match="has no box"):
        train(boxed(folds), output, fold=0, options=options)
    other = write(boxed(given, "b" * 64))
    with pytest.raises(MaskkitError, match="were found otherwise than those of"):
        train(boxed(folds), output, fold=0, options=replace(options, unlabeled=other))
    alike = replace(options, epochs=1, unlabeled=write(boxed(given)))
    train(boxed(folds), output, fold=0, options=alike)
    assert "train_consistency" in rows_of(output)[0]


@pytest.mark.parametrize(
    ("damage", "says"),
    [("missing", "nowhere"), ("text", "not"), ("empty", "has no photos"), ("moved", "are not under")],
)
def test_refuses_before_the_first_step(
    folds: Manifest, options: TrainOptions, others: Path, write: Write, tmp_path: Path, damage: str, says: str
) -> None:
    given = Manifest.read(others)
    if damage == "missing":
        path = str(tmp_path / "nowhere.parquet")
    elif damage == "text":
        path = str(tmp_path / "text.parquet")
        Path(path).write_text("path,age\n")
    elif damage == "empty":
        path = write(given.select(np.zeros(len(given), np.bool_)))
    else:
        renamed = [f"moved/{name}" for name in given.paths]
        path = write(given.then("edit", {"path": pa.array(renamed)}))
    output = tmp_path / "run" / "a.safetensors"
    with pytest.raises(MaskkitError, match=says):
        train(folds, output, fold=0, options=replace(options, unlabeled=path))
    assert not output.parent.exists()


def test_a_root_is_that_of_the_labelled_photos_alone(
    folds: Manifest, options: TrainOptions, train_csv: Path, tmp_path: Path, trained: Path
) -> None:
    output = tmp_path / "fold0.safetensors"
    root = str(train_csv.parent / "images")
    train(folds.located(root=root), output, fold=0, options=options)
    ours, theirs = load_file(output), load_file(trained)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_test_of_rates_makes_the_same_steps_but_cannot_anneal(
    folds: Manifest, options: TrainOptions
) -> None:
    plain = replace(options, consistency="none", unlabeled=None)
    rates: dict[str, Any] = {"fold": 0, "start": 1e-4, "steps": 8}
    with pytest.raises(MaskkitError, match="with an annealing"):
        lr_find(folds, options=options, **rates)
    both = [
        lr_find(folds, options=each, **rates)
        for each in (plain, replace(options, consistency="uda:threshold=0"))
    ]
    assert both[1].curve.losses != both[0].curve.losses
    assert both[1].record.options["consistency"].startswith("uda")
    assert [record.stage for record in both[1].history] == ["label", "label", "split"]


def test_a_preview_is_of_the_labelled_photos_and_reads_no_others(
    folds: Manifest, options: TrainOptions
) -> None:
    elsewhere = replace(options, unlabeled="nowhere.parquet")
    plain = replace(options, unlabeled=None, consistency="none")
    rows = FoldRows.of(folds, 0)
    assert preview(rows, options=elsewhere) == preview(rows, options=plain)


def test_photos_that_are_named_but_not_given_are_refused(
    folds: Manifest, options: TrainOptions, tmp_path: Path
) -> None:
    output = tmp_path / "run" / "a.safetensors"
    with pytest.raises(MaskkitError, match="what it names is not given"):
        of_training.train(FoldRows.of(folds, 0), output, options=options)
    with pytest.raises(MaskkitError, match="is None, and what it names is given"):
        of_training.train(
            rows_for(folds, 0, options),
            output,
            options=replace(options, unlabeled=None, consistency="none"),
        )
    assert not output.parent.exists()
