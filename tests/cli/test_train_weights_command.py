"""`maskkit train --weights`: what is recorded of them, what they change, the list, and what `auto` is."""

from __future__ import annotations

import json
import os
import shlex
import tomllib
from pathlib import Path

import pytest
import timm
import torch
from commandline import QUICK, run

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.history import differing
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.script import script

STATE = timm.create_model("test_efficientnet", num_classes=7).state_dict()


@pytest.fixture(autouse=True)
def _work(folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds.write(tmp_path / "folds.parquet")
    monkeypatch.chdir(tmp_path)
    averaged = {name: tensor * 1.01 if tensor.ndim else tensor for name, tensor in STATE.items()}
    torch.save({"state_dict": STATE, "state_dict_ema": averaged}, "best.pth.tar")


def trained(name: str, *words: str) -> Checkpoint:
    result = run("train", "folds.parquet", *QUICK.split(), "-o", name, *words)
    assert result.exit_code == 0, result.stderr
    return Checkpoint.read(Path(name))


def test_the_word_is_in_the_record_beside_the_file_and_tells_trainings_apart() -> None:
    plain, averaged = (
        trained(f"{word}.safetensors", "--weights", f"best.pth.tar:{word}") for word in ("plain", "ema")
    )
    record = plain.header.history[-1]
    assert record.options["weights"] == "best.pth.tar:plain"
    digest = Source.open("best.pth.tar").sha256
    assert [(one.path, one.sha256) for one in record.inputs[1:]] == [("best.pth.tar", digest)]
    ((place, shown),) = differing([plain.header.history, averaged.header.history])
    assert place == ("train", "weights")
    assert shown == (f"best.pth.tar ({digest[:8]}):plain", f"best.pth.tar ({digest[:8]}):ema")
    words = shlex.split(script(plain.header.history, output="x.safetensors").splitlines()[-1])
    assert words[words.index("--weights") + 1] == "best.pth.tar:plain"


def test_a_folder_changes_how_photos_are_prepared_unless_it_is_said() -> None:
    folder = Path("hub")
    folder.mkdir()
    torch.save(STATE, folder / "pytorch_model.bin")
    stated = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bilinear"}
    (folder / "config.json").write_text(json.dumps({"architecture": "test_efficientnet", **stated}))
    result = run("train", "folds.parquet", *QUICK.split(), "-o", "a.safetensors", "--weights", "hub/")
    assert "prepared as for these weights: mean (0.1, 0.2, 0.3)" in result.stderr
    checkpoint = Checkpoint.read(Path("a.safetensors"))
    preprocess = checkpoint.preprocess
    assert (preprocess.mean, preprocess.std, preprocess.interpolation) == (
        (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bilinear",
    )  # fmt: skip
    record = checkpoint.header.history[-1]
    assert [one.path for one in record.inputs[1:]] == ["hub/pytorch_model.bin", "hub/config.json"]
    words = shlex.split(script(checkpoint.header.history, output="x.safetensors").splitlines()[-1])
    assert words[words.index("--weights") + 1] == "hub/"
    own = trained("b.safetensors", "--weights", "hub/", "--normalize", "0.5,0.5,0.5/0.2,0.2,0.2").preprocess
    assert (own.mean, own.std, own.interpolation) == ((0.5,) * 3, (0.2,) * 3, "bilinear")


def test_what_was_done_is_said_in_two_lines() -> None:
    result = run(
        "train", "folds.parquet", *QUICK.split(), "-o", "a.safetensors", "--weights", "best.pth.tar:plain"
    )
    said = [line for line in result.stderr.splitlines() if "tensors" in line or "head" in line]
    origin = "took 88 tensors (float32) from best.pth.tar, under 'state_dict'"
    assert said == [
        f"{origin}; for their average give best.pth.tar:ema",
        "dropped the head of 7 classes (classifier.weight, classifier.bias)",
    ]


def test_weights_of_the_hub_are_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def broken(*names: str, pretrained: bool, **options: object) -> torch.nn.Module:
        model = create(*names, **options)  # type: ignore[arg-type]
        torch.nn.init.constant_(model.get_parameter("bn1.bias"), float("nan"))
        return model

    monkeypatch.setattr(timm, "create_model", broken)
    result = run("train", "folds.parquet", *QUICK.split(), "-o", "a.safetensors", "--weights", "hub")
    assert result.exit_code == 1
    assert "hold NaN or infinity: bn1.bias" in result.stderr


@pytest.mark.parametrize("command", ["train", "lr-find"])
def test_the_list_needs_no_manifest_and_no_output(command: str) -> None:
    result = run(command, "--weights", "list", "--model", "test_efficientnet")
    assert result.exit_code == 0
    assert "--weights auto\tauto\ttakes --model test_efficientnet.r160_in1k --weights hub" in result.stdout
    header, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert header == ["options", "kind", "state"]
    assert ["--weights best.pth.tar", "file", "fits"] in rows


@pytest.mark.parametrize("words", ["train folds.parquet -o a.safetensors", "lr-find folds.parquet"])
def test_a_dry_run_says_what_auto_takes_and_fetches_nothing(words: str) -> None:
    result = run(*words.split(), "--model", "test_resnet", "--dry-run")
    recipe = tomllib.loads(result.stdout)[words.split(maxsplit=1)[0]]
    assert (recipe["model"], recipe["weights"]) == ("test_resnet.r160_in1k:pool=default,drop_path=0", "hub")
    assert recipe["head"].startswith("factors:")
    result = run(*words.split(), "--model", "test_resnet", "--dry-run", "--weights", "none")
    recipe = tomllib.loads(result.stdout)[words.split(maxsplit=1)[0]]
    assert (recipe["model"], recipe["weights"]) == ("test_resnet", "none")


@pytest.mark.parametrize("words", ["train folds.parquet -o a.safetensors", "lr-find folds.parquet"])
def test_a_dry_run_finds_out_that_there_are_no_weights(words: str) -> None:
    untrained = run(*words.split(), "--model", "convnext_atto_rms", "--dry-run")
    assert "add --weights none to start from random ones" in untrained.stderr
    absent = run(*words.split(), "--weights", "imagenet", "--dry-run")
    assert "use --weights auto for the pretrained ones that there are" in absent.stderr
    assert (untrained.exit_code, absent.exit_code) == (1, 1)


def test_a_preview_of_a_dry_run_finds_it_out_too() -> None:
    result = run("train", "folds.parquet", "--preview", "a.png", "--weights", "imagenet", "--dry-run")
    assert "use --weights auto" in result.stderr


def test_a_file_that_is_called_like_the_word_is_given_with_its_folder() -> None:
    Path("best.pth.tar").rename("list")
    assert trained("a.safetensors", "--weights", "./list").header.history[-1].options["weights"] == "./list"


def test_a_pipe_is_refused_before_it_is_read() -> None:
    os.mkfifo("pipe")
    result = run("train", "folds.parquet", *QUICK.split(), "-o", "a.safetensors", "--weights", "pipe")
    assert "a pipe" in result.stderr


def test_a_head_that_is_not_the_best_is_said_once_for_all_folds() -> None:
    distilled = "deit_tiny_distilled_patch16_224:img_size=32"
    words = [*QUICK.split(), "--model", distilled, "--fold", "all", "-o", "{fold}.safetensors"]
    result = run("train", "folds.parquet", *words)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("can only be trained with --head joint") == 1
    result = run("train", "folds.parquet", *words, "--head", "factors", "--force")
    assert result.exit_code == 1
    assert "cannot have another head" in result.stderr
