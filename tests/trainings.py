"""Trainings that the tests make up: checkpoints without weights, history files and predictions."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from maskkit.artifacts.checkpoint import CheckpointFacts, Preprocess
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen

PREPROCESS = Preprocess(32, 32, (0.5,) * 3, (0.5,) * 3, "bicubic")
OPTIONS = {"model": "tiny", "loss": "ce", "seed": 0, "workers": 2, "allow_leak": False}


def write_fold(
    folder: Path,
    manifest: Manifest,
    fold: int,
    *,
    macro_f1: float = 0.5,
    name: str = "fold",
    **options: object,
) -> Path:
    """Write the header of a checkpoint as `train` does, with its score on the fold that it held out."""
    record = Record(
        "train", {"fold": fold, **OPTIONS, **options}, (manifest.header.input_from(manifest.as_input()),)
    )
    people = manifest.people.codes[manifest.folds != fold]
    facts = CheckpointFacts(
        model="tiny",
        preprocess=PREPROCESS,
        precision="float32",
        fold=fold,
        epoch=1,
        scores={"macro_f1": macro_f1, "accuracy": macro_f1 + 0.1, "loss": 1.0},
        seen=Seen.of({manifest.people.names[code] for code in people}, salt=manifest.as_input().sha256),
    ).to_json()
    header = Header("checkpoint", manifest.space, (*manifest.header.history, record), facts)
    text = json.dumps({"__metadata__": {"maskkit": header.to_json()}}).encode()
    path = folder / f"{name}{fold}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


def write_run(folder: Path, manifest: Manifest, *, macro_f1: float = 0.5, **options: object) -> list[Path]:
    """Write a checkpoint of each of three folds, and history files beside them."""
    paths = []
    for fold in range(3):
        score = macro_f1 + fold / 100
        paths.append(write_fold(folder, manifest, fold, macro_f1=score, name="fold", **options))
        write_history(folder / f"fold{fold}.history.csv", [score - 0.1, score])
    return paths


def write_history(path: Path, macro_f1: list[float]) -> Path:
    """Write a history file in which every epoch is better than the one before, but for worse ones."""
    lines = ["epoch,train_loss,held_out_loss,held_out_macro_f1,held_out_accuracy,is_best"]
    for epoch, score in enumerate(macro_f1, 1):
        is_best = int(score > max(macro_f1[: epoch - 1], default=0))
        lines.append(f"{epoch},1.0,1.0,{score},{score + 0.1},{is_best}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def some_answers(manifest: Manifest, *, right: float, seed: int = 0) -> np.ndarray:
    """Return probabilities whose answers are right in about such a share of photos, (rows, classes)."""
    random = np.random.default_rng(seed)
    classes = len(manifest.space)
    wrong = random.integers(0, classes, len(manifest))
    answer = np.where(random.random(len(manifest)) < right, manifest.labels, wrong)
    probs = np.full((len(manifest), classes), 0.5 / (classes - 1), np.float32)
    probs[np.arange(len(manifest)), answer] = 0.5
    return probs


def oof_of(
    manifest: Manifest, checkpoints: list[Path], *, right: float = 0.7, seed: int = 0, **facts: object
) -> Predictions:
    """Return what `predict --oof` would say with these checkpoints."""
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.artifacts.header import merged

    probs = some_answers(manifest, right=right, seed=seed)
    histories = [Checkpoint.read(path).header.history for path in checkpoints]
    record = Record("predict", {"oof": True, "tta": "hflip"}, ())
    header = Header("predictions", manifest.space, (*merged(histories), record), {"leaked": 0, **facts})
    classes = tuple(manifest.space.names)
    return Predictions(manifest.table["path"], probs.argmax(1), probs, classes, manifest.folds, header)


def write_oof(path: Path, predictions: Predictions) -> Path:
    """Write predictions as Parquet."""
    path.write_bytes(predictions.encode("parquet"))
    return path


def opened(*paths: Path | str) -> list[Source | Path]:
    """Return what the command line hands to `open_runs`."""
    return [Path(path) if Path(path).is_dir() else Source.open(path) for path in paths]
