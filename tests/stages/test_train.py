import csv
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import timm
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.script import script
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labelling.targets import TargetRules
from maskkit.modeling.backbone import restore
from maskkit.modeling.losses.class_weights import class_weights
from maskkit.options.train_options import Inference, Precision, TrainOptions
from maskkit.stages.evaluate import evaluate
from maskkit.stages.label import label
from maskkit.stages.predict import predict
from maskkit.stages.split import split
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows


def edited(manifest: Manifest, **columns: object) -> Manifest:
    """Return the manifest with these columns replaced, as another program might do."""
    arrays = {
        name: pa.array(values, manifest.table.schema.field(name).type) for name, values in columns.items()
    }
    return manifest.then("edit", arrays)


@pytest.fixture
def one_epoch(quick: TrainOptions) -> TrainOptions:
    return replace(quick, epochs=1)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "run" / "fold0.safetensors"


def test_the_checkpoint_says_all_that_using_it_needs(checkpoints: list[Path], folds: Manifest) -> None:
    checkpoint = Checkpoint.read(checkpoints[1])
    assert (checkpoint.model, checkpoint.fold, checkpoint.precision) == ("test_efficientnet", 1, "float32")
    assert (checkpoint.preprocess.height, checkpoint.preprocess.width) == (32, 32)
    assert checkpoint.space == folds.space
    assert [record.stage for record in checkpoint.header.history] == ["label", "split", "train"]
    assert checkpoint.header.history[-1].options["learning_rate"] == 3e-3
    assert set(checkpoint.header.facts["scores"]) >= {"macro_f1", "accuracy", "mask_accuracy", "loss"}


def test_leaves_a_checkpoint_and_a_history_and_nothing_else(checkpoints: list[Path]) -> None:
    names = {path.name for path in checkpoints[0].parent.iterdir()}
    assert names == {f"fold{k}.{kind}" for k in range(3) for kind in ("safetensors", "history.csv")}


def test_the_history_has_a_row_per_epoch_and_the_checkpoint_has_the_last(checkpoints: list[Path]) -> None:
    with checkpoints[0].with_suffix(".history.csv").open() as file:
        rows = list(csv.DictReader(file))
    checkpoint = Checkpoint.read(checkpoints[0])
    scores = [float(row["held_out_macro_f1"]) for row in rows]
    best = [row["epoch"] for row in rows if row["is_best"] == "1"][-1]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert int(best) - 1 == int(np.argmax(scores))
    assert checkpoint.header.facts["epoch"] == 2
    assert checkpoint.header.facts["scores"]["macro_f1"] == scores[-1]


def test_records_the_people_trained_on_and_no_others(checkpoints: list[Path], folds: Manifest) -> None:
    names, codes = folds.people.names, folds.people.codes
    seen = Checkpoint.read(checkpoints[0]).seen
    held_out = {names[code] for code in codes[folds.folds == 0]}
    assert not seen.contains(sorted(held_out)).any()
    assert seen.contains([name for name in names if name not in held_out]).all()


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_the_score_in_the_checkpoint_is_that_of_predicting_out_of_fold(
    checkpoints: list[Path], folds: Manifest, fold: int
) -> None:
    checkpoint = Checkpoint.read(checkpoints[fold])
    predictions = predict(folds, [checkpoint], oof=True, inference=Inference("cpu", 64, 0))
    evaluation = evaluate(folds, predictions)
    scores = checkpoint.header.facts["scores"]
    assert evaluation.scores.macro_f1.value == scores["macro_f1"]
    assert evaluation.scores.accuracy.value == scores["accuracy"]
    assert evaluation.log_loss == pytest.approx(scores["loss"], rel=1e-5)


def test_the_same_seed_gives_the_same_bytes(folds: Manifest, one_epoch: TrainOptions, tmp_path: Path) -> None:
    files = [
        train(FoldRows.of(folds, 0), tmp_path / f"{name}.safetensors", options=one_epoch) for name in "ab"
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    other = train(FoldRows.of(folds, 0), tmp_path / "c.safetensors", options=replace(one_epoch, seed=1))
    assert not same_weights(files[0], other)


def same_weights(first: Path, second: Path) -> bool:
    ours, theirs = load_file(first), load_file(second)
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_the_number_of_workers_does_not_change_the_weights(
    folds: Manifest, one_epoch: TrainOptions, tmp_path: Path
) -> None:
    files = [
        train(FoldRows.of(folds, 0), tmp_path / f"{n}.safetensors", options=replace(one_epoch, workers=n))
        for n in range(3)
    ]
    assert same_weights(files[0], files[1])
    assert same_weights(files[0], files[2])


def test_never_opens_a_photo_of_weight_zero(folds: Manifest, one_epoch: TrainOptions, output: Path) -> None:
    missing = np.flatnonzero(folds.folds != 0)[10:40]
    paths = [f"gone/{row}.jpg" if row in missing else path for row, path in enumerate(folds.paths)]
    weight = np.ones(len(folds), np.float32)
    weight[missing] = 0
    train(FoldRows.of(edited(folds, path=paths, weight=weight), 0), output, options=one_epoch)
    assert output.exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_names_a_photo_that_cannot_be_read(
    folds: Manifest, one_epoch: TrainOptions, output: Path, workers: int
) -> None:
    paths = ["gone.jpg" if row == 50 else path for row, path in enumerate(folds.paths)]
    with pytest.raises(MaskkitError, match=r"gone\.jpg") as caught:
        train(FoldRows.of(edited(folds, path=paths), 0), output, options=replace(one_epoch, workers=workers))
    assert caught.value.why == "missing"
    assert not output.exists()


def test_held_out_photos_of_weight_zero_are_scored_too(
    folds: Manifest, one_epoch: TrainOptions, tmp_path: Path
) -> None:
    weight = np.where(folds.folds == 0, 0, 1).astype(np.float32)
    files = [
        train(FoldRows.of(given, 0), tmp_path / f"{name}.safetensors", options=one_epoch)
        for name, given in (("as-is", folds), ("weighted", edited(folds, weight=weight)))
    ]
    scores = [Checkpoint.read(file).header.facts["scores"] for file in files]
    assert scores[0] == scores[1]


def test_trains_on_the_target_though_the_label_says_otherwise(
    folds: Manifest, one_epoch: TrainOptions, output: Path
) -> None:
    options = replace(one_epoch, epochs=3, loss="ce")
    train(FoldRows.of(edited(folds, target=np.full(len(folds), 13)), 0), output, options=options)
    inference = Inference("cpu", 64, 0)
    predictions = predict(folds, [Checkpoint.read(output)], oof=True, inference=inference)
    assert (predictions.answer == 13).all()
    truth = folds.labels[folds.folds == 0]
    assert Checkpoint.read(output).header.facts["scores"]["accuracy"] == (truth == 13).mean()


def test_the_loss_counts_the_targets_of_the_rows_trained_on_alone(
    train_csv: Path, one_epoch: TrainOptions, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = split(
        label(train_csv, targets=TargetRules({"age": [30, 58]}, {"age": ["19", "44"]}), no_check=True),
        folds=3,
    )
    seen: list[list[int]] = []

    def counted(counts: Tensor, *, scheme: str) -> Tensor:
        seen.append(counts.tolist())
        return class_weights(counts, scheme=scheme)

    monkeypatch.setattr("maskkit.training.criterion.class_weights", counted)
    train(FoldRows.of(given, 0), output, options=replace(one_epoch, class_weights="inverse"))
    table = given.table.to_pylist()
    trained = [row["target"] for row in table if row["fold"] != 0 and row["age"] not in (19, 44)]
    assert np.bincount(trained, minlength=18).tolist() in seen
    assert {sum(counts) for counts in seen} == {len(trained)}  # also those of each factor
    assert trained != [row["label"] for row in table if row["fold"] != 0 and row["age"] not in (19, 44)]


def test_photos_without_a_fold_are_left_out_and_those_never_held_out_are_trained_on(
    folds: Manifest, one_epoch: TrainOptions, output: Path
) -> None:
    fold = np.where(folds.folds == 1, -1, folds.folds)
    fold_or_none = [None if number == 2 else int(number) for number in fold]
    train(FoldRows.of(edited(folds, fold=fold_or_none), 0), output, options=one_epoch)
    seen = Checkpoint.read(output).seen
    for number, is_seen in ((0, False), (1, True), (2, False)):
        people = {folds.people.names[code] for code in folds.people.codes[folds.folds == number]}
        assert set(seen.contains(sorted(people)).tolist()) == {is_seen}


def test_refuses_people_on_both_sides(labels: Manifest, one_epoch: TrainOptions, output: Path) -> None:
    by_image = split(labels, by="image", folds=3)
    with pytest.raises(RefusedError, match=r"2\d people are on both sides of fold 0: 0000") as caught:
        train(FoldRows.of(by_image, 0), output, options=one_epoch)
    assert caught.value.exit_code == 3
    assert not output.parent.exists()


def test_trains_on_a_leak_if_told_to_and_says_so(
    labels: Manifest, one_epoch: TrainOptions, output: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "maskkit"):
        train(FoldRows.of(split(labels, by="image", folds=3), 0, allow_leak=True), output, options=one_epoch)
    assert "inflated" in caplog.text
    assert Checkpoint.read(output).header.history[-1].options["allow_leak"] is True


def test_refuses_an_existing_checkpoint_unless_forced(
    folds: Manifest, one_epoch: TrainOptions, output: Path
) -> None:
    output.parent.mkdir()
    output.write_text("mine")
    with pytest.raises(MaskkitError, match="exists already"):
        train(FoldRows.of(folds, 0), output, options=one_epoch)
    assert output.read_text() == "mine"
    train(FoldRows.of(folds, 0), output, options=one_epoch, force=True)
    assert Checkpoint.read(output).fold == 0


@pytest.mark.parametrize(
    ("changes", "what", "allowed"),
    [
        ({"model": "resnet_18"}, "unknown model: 'resnet_18'", "timm"),
        ({"size": "8x8"}, "'8x8' is not a photo size", "from 16 to 4096"),
        ({"model": "test_vit3", "size": "128x96"}, "test_vit3 cannot take photos of 128x96", ""),
        ({"weights": "nowhere.pth"}, "cannot read weights from nowhere.pth", "no such file"),
    ],
)
def test_finds_a_wrong_option_before_any_work(
    folds: Manifest, quick: TrainOptions, output: Path, changes: dict[str, str], what: str, allowed: str
) -> None:
    with pytest.raises(MaskkitError) as caught:
        train(FoldRows.of(folds, 0), output, options=replace(quick, **changes))  # type: ignore[arg-type]
    assert what in caught.value.what
    assert allowed in caught.value.why
    assert not output.parent.exists()


def test_says_which_size_a_model_was_made_for(folds: Manifest, quick: TrainOptions, output: Path) -> None:
    with pytest.raises(MaskkitError) as caught:
        train(FoldRows.of(folds, 0), output, options=replace(quick, model="test_vit3", size="128x96"))
    assert "--size 160x160" in caught.value.fix


def test_a_step_of_one_photo_is_refused_before_any_photo_is_decoded(
    folds: Manifest, quick: TrainOptions, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskkit.training.decoding.opened", None)
    monkeypatch.setattr("maskkit.training.starting_model.precision_for", None)
    options = replace(quick, model="test_resnet", size="32x32", batch_size=1, precision="auto")
    with pytest.raises(MaskkitError, match="test_resnet cannot learn from one photo at a time"):
        train(FoldRows.of(folds, 0), output, options=options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_an_error(folds: Manifest, quick: TrainOptions, output: Path) -> None:
    with pytest.raises(MaskkitError, match="there is no cuda device") as caught:
        train(FoldRows.of(folds, 0), output, options=replace(quick, device="cuda"))
    assert "cpu" in caught.value.why


def test_names_the_folds_there_are(folds: Manifest, quick: TrainOptions, output: Path) -> None:
    with pytest.raises(MaskkitError, match="there is no fold 7") as caught:
        train(FoldRows.of(folds, 7), output, options=quick)
    assert "0, 1, 2" in caught.value.why


def test_needs_a_split(labels: Manifest, quick: TrainOptions, output: Path) -> None:
    with pytest.raises(MaskkitError) as caught:
        train(FoldRows.of(labels, 0), output, options=quick)
    assert caught.value.fix == "run `maskkit split` first"


def test_needs_photos_on_both_sides(folds: Manifest, quick: TrainOptions, output: Path) -> None:
    nothing = edited(folds, weight=np.zeros(len(folds), np.float32))
    with pytest.raises(MaskkitError, match="fold 0 has 0 photos to train on and 56 labelled ones"):
        train(FoldRows.of(nothing, 0), output, options=quick)


def test_auto_decides_by_the_model_as_it_will_be_trained_and_records_what_it_chose(
    folds: Manifest, one_epoch: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def decide(model: nn.Module, size: tuple[int, int]) -> Precision:
        seen.append(size)
        return "float32"

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr("maskkit.training.starting_model.precision_for", decide)
    auto = replace(one_epoch, precision="auto")
    outputs = [
        train(FoldRows.of(folds, 0), tmp_path / f"{options.precision}.safetensors", options=options)
        for options in (auto, one_epoch)
    ]
    assert seen == [(32, 32)]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_nothing_is_decided_where_the_processor_has_no_bfloat16(
    folds: Manifest, one_epoch: TrainOptions, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    monkeypatch.setattr("maskkit.training.starting_model.precision_for", None)
    train(FoldRows.of(folds, 0), output, options=replace(one_epoch, precision="auto"))
    assert Checkpoint.read(output).precision == "float32"


def test_starts_from_given_weights_and_records_their_digest(
    folds: Manifest, one_epoch: TrainOptions, checkpoints: list[Path], tmp_path: Path
) -> None:
    start = tmp_path / "start.pth"
    torch.save(restore(Checkpoint.read(checkpoints[0])).state_dict(), start)
    options = replace(one_epoch, weights=str(start), learning_rate=0.0, average="none")
    output = train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=options)
    name = "conv_stem.weight"
    assert np.array_equal(load_file(output)[name], load_file(checkpoints[0])[name])
    given = Checkpoint.read(output).header.history[-1].inputs[-1]
    assert (given.path, given.option, len(given.sha256)) == (str(start), "weights", 64)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Has timm give a model of its own as if it had been fetched; returns the names that it was asked for."""
    create, asked = timm.create_model, list[str]()

    def fetch(name: str, *, pretrained: bool = False, **options: Any) -> nn.Module:
        asked.extend([name] if pretrained else [])
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", fetch)
    return asked


def test_what_auto_became_is_recorded_and_said(
    folds: Manifest, one_epoch: TrainOptions, output: Path, hub: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="maskkit")
    made = Checkpoint.read(train(FoldRows.of(folds, 0), output, options=replace(one_epoch, weights="auto")))
    tagged = f"{one_epoch.one('model').name}.r160_in1k"
    assert hub == [tagged]
    record = made.header.history[-1]
    assert (record.options["weights"], made.model) == ("hub", tagged)
    assert record.options["model"].startswith(f"{tagged}:")
    assert f"took the weights of {tagged} from timm's hub" in caplog.text
    assert f"--model {record.options['model']} --weights hub" in script((record,), output="x")
    restore(made)
    assert hub == [tagged]


def test_a_model_with_two_classifiers_is_trained_by_default_and_refused_a_head_that_it_cannot_have(
    folds: Manifest, one_epoch: TrainOptions, output: Path
) -> None:
    options = replace(one_epoch, model="deit_tiny_distilled_patch16_224:img_size=32", size="32", head="auto")
    made = Checkpoint.read(train(FoldRows.of(folds, 0), output, options=options))
    (head,) = made.heads
    assert head == made.header.history[-1].options["head"] == "joint:hidden=0,dropout=0.2,samples=1"
    restore(made)
    with pytest.raises(MaskkitError, match="cannot have another head"):
        train(FoldRows.of(folds, 0), output, options=replace(options, head="factors"), force=True)


def test_a_run_goes_on_with_what_auto_was(folds: Manifest, one_epoch: TrainOptions, output: Path) -> None:
    train(FoldRows.of(folds, 0), output, options=replace(one_epoch, weights="none"))
    before = output.read_bytes()
    train(FoldRows.of(folds, 0), output, options=replace(one_epoch, weights="auto"), resume=True)
    assert output.read_bytes() == before


def test_random_weights_are_said(
    folds: Manifest, one_epoch: TrainOptions, output: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="maskkit")
    train(FoldRows.of(folds, 0), output, options=one_epoch)
    assert "test_efficientnet starts from random weights" in caplog.text


def test_of_a_model_that_nobody_has_trained_nothing_is_begun(
    folds: Manifest, one_epoch: TrainOptions, output: Path
) -> None:
    options = replace(one_epoch, weights="auto", model="convnext_atto_rms")
    with pytest.raises(MaskkitError, match="there are no pretrained weights of convnext_atto_rms"):
        train(FoldRows.of(folds, 0), output, options=options)
    assert not output.parent.exists()


def test_the_colour_of_the_photos_can_be_given_and_is_in_the_checkpoint(
    folds: Manifest, one_epoch: TrainOptions, output: Path
) -> None:
    options = replace(one_epoch, normalize="0.1,0.2,0.3/0.4,0.5,0.6")
    made = Checkpoint.read(train(FoldRows.of(folds, 0), output, options=options))
    assert (made.preprocess.mean, made.preprocess.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert made.header.history[-1].options["normalize"] == "0.1,0.2,0.3/0.4,0.5,0.6"
    assert "--normalize 0.1,0.2,0.3/0.4,0.5,0.6" in script(made.header.history, output=str(output))
