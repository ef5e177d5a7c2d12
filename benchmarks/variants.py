"""Train the same folds in many ways, and tell which differences are more than luck.

    python benchmarks/variants.py photos/train/train.csv --weights package
    python benchmarks/variants.py photos/train/train.csv --weights package --frozen

Each variant changes the default in one thing. What is trained already is not trained again, so a run can be
interrupted and a variant added later, and two runs with other names after `--only` can go on side by side.
`--frozen` compares heads, losses and samplers on frozen features instead, where a variant takes seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The default when the tables of examples/README.md were made; a variant's own options come behind it and win.
FORMER = ["--head", "joint", "--batch-size", "64", "--schedule", "cosine:warmup=1,keep=best"]
FINE = ["--size", "64x48", "--epochs", "5", "--precision", "float32"]
FROZEN = ["--size", "128x96", "--epochs", "20", "--freeze", "all"]


def _recipe(name: str) -> list[str]:
    path = f"examples/recipes/{name}.toml"
    return ["--recipe", path, "--model", "tf_efficientnet_lite0", "--learning-rate", "0.002"]


VARIANTS: dict[str, list[str]] = {
    "the default": [],
    "seed 1": ["--seed", "1"],
    "seed 2": ["--seed", "2"],
    # Losses and class weights
    "no smoothing": ["--loss", "ce"],
    "focal": ["--loss", "focal"],
    "poly": ["--loss", "poly:smoothing=0.1"],
    "soft F1 beside ce": ["--loss", "ce:smoothing=0.1+f1"],
    "soft F1 alone": ["--loss", "f1"],
    "logit adjustment": ["--loss", "logit-adjusted"],
    "LDAM, cosine head": ["--loss", "ldam", "--head", "cosine"],
    "LDAM-DRW, cosine head": ["--loss", "ldam", "--head", "cosine", "--class-weights", "effective:start=0.6"],
    "weights sqrt": ["--class-weights", "sqrt"],
    "weights log": ["--class-weights", "log"],
    "weights inverse": ["--class-weights", "inverse"],
    "weights effective": ["--class-weights", "effective:beta=0.999"],
    # Heads
    "ArcFace": ["--head", "arcface", "--loss", "ce"],
    "a head per factor": ["--head", "factors"],
    "joint + factors": ["--head", "joint+factors"],
    "age regression beside": ["--head", "joint+regression"],
    "factors + age regression": ["--head", "factors+regression"],
    "factors + CORAL": ["--head", "factors+coral"],
    "hidden layer, 5 dropouts": ["--head", "joint:hidden=256,dropout=0.5,samples=5"],
    "GeM pooling": ["--model", "tf_efficientnet_lite0:pool=gem"],
    # Sampling
    "sampler weighted": ["--sampler", "weighted"],
    "sampler balanced": ["--sampler", "balanced"],
    "sampler sqrt": ["--sampler", "sqrt"],
    "60 and over three times": ["--oversample", "age=60plus:3"],
    "two masked photos each": ["--undersample", "mask=wear:2"],
    "SMOTE": ["--sampler", "smote"],
    # Augmentation and mixing
    "no augmentation": ["--augment", "none"],
    "strong": ["--augment", "strong"],
    "TrivialAugment": ["--augment", "trivial"],
    "grid shuffle": ["--augment", "light+grid-shuffle"],
    "strong for 60 and over": ["--augment-rare", "age=60plus:strong"],
    "mixup": ["--mix", "mixup"],
    "CutMix": ["--mix", "cutmix:p=0.5"],
    "half faces": ["--mix", "half"],
    "half faces, other side": ["--mix", "half:aligned=false"],
    "half faces of 60 and over": ["--mix", "half:partner=age=60plus"],
    # Optimisation
    "SGD": ["--optimizer", "sgd:weight_decay=0.0005", "--learning-rate", "0.02"],
    "layer decay": ["--optimizer", "adamw:layer_decay=0.8"],
    "one cycle": ["--schedule", "onecycle"],
    "SWA, constant rate": ["--average", "swa:start=0.6", "--schedule", "constant"],
    "no average": ["--average", "none"],
    "head first": ["--freeze", "phase"],
    # Age filters: other targets for the same folds and the same truth
    "58 and 59 as 60": [],
    "57 to 59 left out": [],
    # Recipes, with this backbone and size, and so few steps that rates of larger models would learn nothing
    "recipe baseline": _recipe("baseline")[:-2],
    "recipe arcface-focal": _recipe("arcface-focal"),
    "recipe multi-task": _recipe("multi-task"),
    "recipe half-faces": _recipe("half-faces"),
    "recipe undersampled-f1": _recipe("undersampled-f1"),
}
LABELS: dict[str, list[str]] = {  # options of `maskkit label`, for those that need other targets
    "58 and 59 as 60": ["--train-cuts", "age=30,58"],
    "57 to 59 left out": ["--ignore", "age=57-59"],
    "recipe arcface-focal": ["--train-cuts", "age=30,59"],
    "recipe half-faces": ["--train-cuts", "age=30,59", "--ignore", "age=27-29,57-59"],
    "recipe undersampled-f1": ["--train-cuts", "age=29,57"],
}
NEEDS_PHOTOS = (
    "--augment",
    "--augment-rare",
    "--mix",
    "--optimizer",
    "--schedule",
    "--average",
    "--freeze",
    "--model",
)


@dataclass(frozen=True)
class Study:
    """The trainings of one table."""

    train_csv: Path
    folder: Path
    common: list[str]
    folds: int

    def run(self, name: str) -> Path:
        """Return the folder of a variant."""
        return self.folder / "".join(letter if letter.isalnum() else "-" for letter in name.lower())

    def manifest(self, name: str) -> Path:
        """Return the folds that a variant is trained on, made if they are not there."""
        options = LABELS.get(name, [])
        path = self.folder / f"folds{'-'.join(['', *options]).replace('--', '').replace(',', '_')}.parquet"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            labels = path.with_suffix(".labels")
            _maskkit("label", self.train_csv, *options, "-o", labels, "--force")
            _maskkit("split", labels, "--folds", self.folds, "-o", path)
            labels.unlink()
        return path

    def train(self, name: str) -> None:
        """Train all folds of a variant and predict them out-of-fold, as far as that is not done."""
        run, manifest = self.run(name), self.manifest(name)
        if self.oof(name).exists():
            return
        run.mkdir(parents=True, exist_ok=True)
        former = [] if name.startswith("recipe") else FORMER  # which recipes say otherwise
        options = [*former, *self.common, *VARIANTS[name]]
        _maskkit(
            "train", manifest, "--fold", "all", "-o", run / "fold{fold}.safetensors", "--resume", *options
        )
        checkpoints = sorted(run.glob("fold*.safetensors"))
        _maskkit("predict", manifest, *checkpoints, "--oof", "-o", self.oof(name))

    def oof(self, name: str) -> Path:
        """Return where a variant's out-of-fold predictions are."""
        return self.run(name) / "oof.parquet"

    def table(self, names: list[str]) -> str:
        """Compare each variant with the first, over the same people, as a table of Markdown."""
        first, *others = names
        found = [self._compared(first, name) for name in others]
        lines = [
            "| variant | options | macro-F1 | difference, 95 % interval | age, accuracy |",
            "|---|---|---|---|---|",
            _row(first, [], found[0]["runs"][0]["own"], None),
        ]
        for name, each in zip(others, found, strict=True):
            options = [*LABELS.get(name, []), *VARIANTS[name]]
            lines.append(
                _row(name, options, each["runs"][1]["own"], each["versus"][0]["difference"]["macro_f1"])
            )
        return "\n".join(lines)

    def _compared(self, first: str, name: str) -> dict[str, Any]:
        words = ["--on", self.manifest(first), "--json", "--quiet"]
        found: dict[str, Any] = json.loads(_maskkit("compare", self.oof(first), self.oof(name), *words))
        return found


def _row(name: str, options: list[str], own: dict[str, Any], difference: dict[str, float] | None) -> str:
    score, age = own["macro_f1"], own["age_accuracy"]["value"]
    shown = f"({score['low']:.3f} to {score['high']:.3f})" if difference is None else ""
    against = ""
    if difference is not None:
        mark = "**" if difference["low"] > 0 or difference["high"] < 0 else ""
        interval = f"{difference['low']:+.3f} to {difference['high']:+.3f}"
        against = f"{mark}{difference['value']:+.3f}{mark} ({interval})"
    words = f"`{' '.join(options)}`" if options else ""
    return f"| {name} | {words} | {score['value']:.3f} {shown}| {against} | {age:.3f} |"


def main() -> None:
    """Train, predict and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train_csv", type=Path)
    parser.add_argument("--run", type=Path, default=Path("run/variants"))
    parser.add_argument("--weights", default="package")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--only", nargs="*", help="names of variants")
    parser.add_argument("--table", action="store_true", help="print the table of what is trained")
    given = parser.parse_args()
    common = [*(FROZEN if given.frozen else FINE), "--weights", given.weights]
    study = Study(given.train_csv, given.run / ("frozen" if given.frozen else "fine"), common, folds=3)
    names = [name for name in VARIANTS if _applies(name, frozen=given.frozen)]
    if given.table:
        print(study.table([name for name in names if study.oof(name).exists()]))
        return
    for name in given.only or names:
        study.train(name)


def _applies(name: str, *, frozen: bool) -> bool:
    words = VARIANTS[name]
    if frozen:
        return not any(word in NEEDS_PHOTOS for word in words) and not name.startswith("recipe")
    return name != "SMOTE"


def _maskkit(*words: object) -> str:
    command = [sys.executable, "-m", "maskkit", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
