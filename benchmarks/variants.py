"""Train the same folds in many ways, and tell which differences are more than the luck of who was photographed.

    python benchmarks/variants.py folds.parquet --run run/variants --weights package

Every variant changes one thing of the first. What is trained already is not trained again, so that a run can be
interrupted, and a variant added later. `--frozen` compares heads, losses and samplers on frozen features instead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

COMMON = ["--size", "64x48", "--epochs", "5", "--precision", "float32"]
FROZEN = ["--size", "128x96", "--epochs", "20", "--freeze", "all"]

VARIANTS: dict[str, list[str]] = {
    "default": [],
    "seed 1": ["--seed", "1"],
    "seed 2": ["--seed", "2"],
    "no smoothing": ["--loss", "ce"],
    "focal": ["--loss", "focal"],
    "ce + f1": ["--loss", "ce:smoothing=0.1+f1", "--loss-weights", "1,0.5"],
    "f1 alone": ["--loss", "f1"],
    "poly": ["--loss", "poly:smoothing=0.1"],
    "logit adjustment": ["--loss", "logit-adjusted"],
    "balanced softmax": ["--loss", "balanced-softmax"],
    "LDAM, cosine head": ["--loss", "ldam", "--head", "cosine"],
    "LDAM-DRW, cosine head": ["--loss", "ldam", "--head", "cosine", "--class-weights", "effective:start=0.6"],
    "weights sqrt": ["--class-weights", "sqrt"],
    "weights inverse": ["--class-weights", "inverse"],
    "weights effective": ["--class-weights", "effective"],
    "ArcFace": ["--head", "arcface", "--loss", "ce"],
    "a head per factor": ["--head", "factors"],
    "joint + factors": ["--head", "joint+factors"],
    "factors + age regression": ["--head", "factors+regression"],
    "factors + CORAL": ["--head", "factors+coral"],
    "hidden layer, 5 dropouts": ["--head", "joint:hidden=256,dropout=0.5,samples=5"],
    "GeM pooling": ["--model", "tf_efficientnet_lite0:pool=gem"],
    "sampler weighted": ["--sampler", "weighted"],
    "sampler sqrt": ["--sampler", "sqrt"],
    "60+ three times": ["--oversample", "age=60plus:3"],
    "two masked photos each": ["--undersample", "mask=wear:2", "--epochs", "9"],
    "no augmentation": ["--augment", "none"],
    "strong": ["--augment", "strong"],
    "TrivialAugment": ["--augment", "trivial"],
    "grid shuffle": ["--augment", "light+grid-shuffle"],
    "strong for 60+": ["--augment-rare", "age=60plus:strong"],
    "mixup": ["--mix", "mixup"],
    "CutMix": ["--mix", "cutmix:p=0.5"],
    "half faces": ["--mix", "half"],
    "half faces of 60+": ["--mix", "half:partner=age=60plus"],
    "SGD": ["--optimizer", "sgd:weight_decay=0.0005", "--learning-rate", "0.02"],
    "SWA": ["--average", "swa:start=0.6"],
    "no average": ["--average", "none"],
    "layer decay": ["--optimizer", "adamw:layer_decay=0.8"],
    "head first": ["--freeze", "phase"],
    "one cycle": ["--schedule", "onecycle"],
}

ON_FEATURES: dict[str, list[str]] = {
    name: words
    for name, words in VARIANTS.items()
    if words[:1]
    in ([], ["--loss"], ["--seed"], ["--head"], ["--class-weights"], ["--sampler"], ["--oversample"])
} | {"SMOTE": ["--sampler", "smote"], "two masked photos each": ["--undersample", "mask=wear:2"]}


def main() -> None:
    """Train, predict and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--run", type=Path, default=Path("run/variants"))
    parser.add_argument("--weights", default="package")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--only", nargs="*", help="Names of variants.")
    parser.add_argument("--table", action="store_true", help="Print the table of what there is.")
    given = parser.parse_args()
    variants = ON_FEATURES if given.frozen else VARIANTS
    common = [*(FROZEN if given.frozen else COMMON), "--weights", given.weights]
    wanted = [name for name in variants if not given.only or name in given.only]
    if not given.table:
        for name in wanted:
            _train(given.manifest, given.run / _folder(name), [*common, *variants[name]])
    runs = {name: given.run / _folder(name) for name in wanted}
    _print_table(
        given.manifest, {name: run for name, run in runs.items() if (run / "oof.parquet").exists()}, variants
    )


def _folder(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _train(manifest: Path, run: Path, options: list[str]) -> None:
    """Train all folds of a variant and predict them out-of-fold, as far as that is not done."""
    oof = run / "oof.parquet"
    if oof.exists():
        return
    run.mkdir(parents=True, exist_ok=True)
    _maskkit("train", manifest, "--fold", "all", "-o", run / "fold{fold}.safetensors", "--resume", *options)
    _maskkit("predict", manifest, *sorted(run.glob("fold*.safetensors")), "--oof", "-o", oof)


def _maskkit(*words: object) -> str:
    command = [sys.executable, "-m", "maskkit", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _print_table(manifest: Path, runs: dict[str, Path], variants: dict[str, list[str]]) -> None:
    found = json.loads(
        _maskkit("compare", *(run / "oof.parquet" for run in runs.values()), "--on", manifest, "--json")
    )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
