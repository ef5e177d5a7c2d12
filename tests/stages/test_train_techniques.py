"""What options of training add up to: a checkpoint that predicts as it was scored, whatever was chosen."""

import csv
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.script import script
from maskkit.errors import MaskkitError
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.stages.evaluate import evaluate
from maskkit.stages.predict import predict
from maskkit.stages.show import show
from maskkit.stages.train import train
from maskkit.tracking.tracker import open_tracker
from maskkit.training.fold_rows import FoldRows
from maskkit.training.setup import start

CHOICES: list[dict[str, Any]] = [
    {"head": "factors+regression:weight=0.2", "loss": "focal", "class_weights": "sqrt"},
    {
        "head": "joint:hidden=16,samples=3+coral:step=5",
        "sampler": "balanced",
        "augment": "light+grid-shuffle",
    },
    {"head": "arcface:centers=2", "loss": "ce", "oversample": "age=60plus:2", "schedule": "onecycle"},
    {"head": "cosine", "loss": "ldam", "class_weights": "effective:start=0.5", "mix": "mixup"},
    {
        "head": "joint:hidden=8+factors",
        "mix": "half:partner=age=60plus",
        "augment_rare": "age=60plus:trivial",
    },
    {"model": "test_efficientnet:pool=gem", "average": "swa:start=0.5", "schedule": "constant"},
    {"model": "test_efficientnet:pad_type=same,bn_eps=0.01,drop_rate=0.4", "head": "joint"},
    {"model": "test_vit:img_size=32,depth=2,class_token=false,global_pool=avg", "freeze": "all"},
    {"freeze": "phase", "optimizer": "sgd:layer_decay=0.8,accumulate=3", "schedule": "step:every=1"},
    {"freeze": "all", "sampler": "smote:neighbors=2", "loss": "ce+f1:weight=0.5"},
    {"undersample": "mask=wear:2", "average": "none", "schedule": "plateau", "optimizer": "lamb"},
]


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: "-".join(map(str, chosen)))
def test_predicts_as_it_was_scored_and_says_how_it_was_made(
    folds: Manifest, quick: TrainOptions, tmp_path: Path, chosen: dict[str, Any]
) -> None:
    output = train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=replace(quick, **chosen))
    checkpoint = Checkpoint.read(output)
    predictions = predict(folds, [checkpoint], oof=True, inference=Inference("cpu", 64, 0))
    found = evaluate(folds, predictions).scores
    assert found.macro_f1.value == checkpoint.header.facts["scores"]["macro_f1"]
    commands = script(checkpoint.header.history, output="fold0.safetensors")
    for name, text in chosen.items():
        assert f"--{name.replace('_', '-')}" in commands
        assert text.split(":")[0].split("+")[0] in commands


def test_each_part_of_the_loss_has_a_column_of_the_history(
    folds: Manifest, quick: TrainOptions, tmp_path: Path
) -> None:
    options = replace(quick, head="factors+regression:weight=0.2")
    output = train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=options)
    with output.with_suffix(".history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        parts = float(row["train_factors"]) + float(row["train_regression"])
        assert float(row["train_loss"]) == pytest.approx(parts)


def test_says_that_an_auxiliary_loss_dominates(
    folds: Manifest, quick: TrainOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = replace(quick, epochs=1, head="joint+regression:weight=100")
    with caplog.at_level(logging.WARNING):
        train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=options)
    assert "regression has" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        train(
            FoldRows.of(folds, 0),
            tmp_path / "other.safetensors",
            options=replace(options, head="joint+regression"),
        )
    assert "regression" not in caplog.text


def test_a_tracker_is_told_everything_and_changes_nothing(
    folds: Manifest, quick: TrainOptions, tmp_path: Path
) -> None:
    plain = train(FoldRows.of(folds, 0), tmp_path / "plain" / "fold0.safetensors", options=quick)
    tracker = open_tracker(f"tensorboard:{tmp_path / 'events'},mistakes=4")
    told = train(
        FoldRows.of(folds, 0), tmp_path / "told" / "fold0.safetensors", options=quick, tracker=tracker
    )
    assert told.read_bytes() == plain.read_bytes()
    (folder,) = {path.parent for path in (tmp_path / "events").rglob("*tfevents*")}
    events = EventAccumulator(str(folder)).Reload()
    with told.with_suffix(".history.csv").open() as file:
        history = list(csv.DictReader(file))
    for name in ("train/loss", "held_out/loss", "held_out/macro_f1"):
        values = [event.value for event in events.Scalars(name)]
        assert values == pytest.approx([float(row[name.replace("/", "_")]) for row in history])
    best = Checkpoint.read(told).header.facts
    assert events.Scalars("kept/macro_f1")[-1].value == pytest.approx(best["scores"]["macro_f1"])
    assert events.Scalars("kept/epoch")[-1].value == best["epoch"]
    assert {"held_out/confusion", "kept/mistakes"} <= set(events.Tags()["images"])


def test_a_precision_for_cuda_is_refused_elsewhere(
    folds: Manifest, quick: TrainOptions, tmp_path: Path
) -> None:
    with pytest.raises(MaskkitError, match="float16 on cpu"):
        train(FoldRows.of(folds, 0), tmp_path / "a.safetensors", options=replace(quick, precision="float16"))


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"optimizer": "adamx"}, "adamx"),
        ({"undersample": "age=old:2"}, "no level 'old'"),
        ({"mix": "half:partner=hat=on"}, "no factor 'hat'"),
        ({"freeze": "gradual:epochs=5"}, "gradual"),
    ],
)
def test_what_only_the_data_and_the_model_can_tell_is_found_out_before_the_first_step(
    folds: Manifest, quick: TrainOptions, tmp_path: Path, chosen: dict[str, Any], says: str
) -> None:
    output = tmp_path / "run" / "a.safetensors"
    with pytest.raises(MaskkitError) as caught:
        train(FoldRows.of(folds, 0), output, options=replace(quick, **chosen))
    assert says in str(caught.value)
    assert not output.parent.exists()


@pytest.mark.parametrize(
    ("freeze", "head", "dropout"),
    [
        ("none", "joint", 0.4),
        ("all", "joint", 0.4),
        ("all", "cosine", 0.4),
        ("none", "joint:dropout=0.4", 0.4),
    ],
)
def test_the_models_dropout_reaches_what_learns(
    folds: Manifest, quick: TrainOptions, freeze: str, head: str, dropout: float
) -> None:
    options = replace(quick, model="test_efficientnet:drop_rate=0.4", freeze=freeze, head=head)
    ready = start(FoldRows.of(folds, 0), options)
    assert ready.model.drop_rate == dropout
    if freeze == "all":
        assert ready.trainable.dropout.p == dropout  # type: ignore[union-attr]


def test_the_settings_of_a_model_are_in_the_checkpoint_typed(
    folds: Manifest, quick: TrainOptions, tmp_path: Path
) -> None:
    model = "test_vit:img_size=32x32,depth=1,init_values=1"
    output = train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=replace(quick, model=model))
    checkpoint = Checkpoint.read(output)
    assert checkpoint.model_settings == {"img_size": [32, 32], "depth": 1, "init_values": 1.0}
    assert checkpoint.header.history[-1].options["model"] == (
        "test_vit:pool=default,drop_path=0,depth=1,img_size=32x32,init_values=1"
    )
    assert show(Source.open(output))["settings"] == "depth=1,img_size=32x32,init_values=1"


def test_a_setting_that_the_model_does_not_take_is_found_out_before_any_photo_is_decoded(
    folds: Manifest, quick: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskkit.training.decoding.opened", None)
    for settings in ("img_size=64", "bn_eps=small", "stem_size=8"):
        options = replace(quick, model=f"test_efficientnet:{settings}")
        with pytest.raises(MaskkitError, match=settings.partition("=")[0]):
            train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=options)
