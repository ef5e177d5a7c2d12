"""Change the default training in one thing at a time, and tell which differences are more than luck.

    python benchmarks/defaults.py folds.parquet --out run/defaults
    python benchmarks/defaults.py folds.parquet --out run/defaults --table

`folds.parquet` is from `maskkit split --by person --folds 5`. Each variant is trained on the first three
folds with two seeds, and scored by its last epoch, so that no epoch is chosen by what it is judged on. A
difference is the mean over the seeds, its interval from draws of people, the same for both. What is trained
already is not trained again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.cli.shell.common_options import CachedPhotoOptions
from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions
from maskkit.scoring.metrics import accuracy, factor_confusion, macro_f1
from maskkit.training.fold_rows import FoldRows
from maskkit.training.setup import settled, start
from maskkit.training.trainer import Trainer

# What changes, in options of `train`; the first is what the others are compared with.
VARIANTS: dict[str, dict[str, Any]] = {
    "b": {},
    "b-joint": {"head": "joint"},
    "b-jf": {"head": "joint+factors"},
    "b-coral": {"head": "factors+coral"},
    "b-drop5": {"head": "factors:dropout=0.5"},
    "b-ce": {"loss": "ce"},
    "b-la": {"loss": "logit-adjusted:tau=0.3,smoothing=0.1"},
    "b-sqrt": {"sampler": "sqrt"},
    "b-bs64": {"batch_size": 64},
    "b-lr1": {"learning_rate": 0.001},
    "b-lr4": {"learning_rate": 0.004},
    "b-warm1": {"schedule": "cosine:warmup=1"},
    "b-ld8": {"optimizer": "adamw:layer_decay=0.8"},
    "b-wd2": {"optimizer": "adamw:weight_decay=0.2"},
    "b-noema": {"average": "none"},
    "b-dp": {"model": "tf_efficientnet_lite0:drop_path=0.1"},
    "b-med": {"augment": "medium"},
    "b-strong": {"augment": "strong"},
    "b-mix": {"mix": "mixup"},
    "b-w3x4": {"undersample": "mask=wear:2", "epochs": 3},
    "b-ep3": {"epochs": 3},
    "b-ep4": {"epochs": 4},
    "b-160": {"size": "160x120"},
    "b-phase": {"freeze": "phase"},
    "b-grow": {"sizes": ("96x72", "96x72", "128x96"), "epochs": 3},
}
BASE: dict[str, Any] = {"epochs": 2, "size": "128x96"}  # short, so that many can be compared
REPLICATES = 2000


@dataclass(frozen=True)
class Study:
    """The trainings of one table."""

    manifest: Manifest
    out: Path
    folds: Sequence[int]
    seeds: Sequence[int]

    def train(self, name: str, fold: int, seed: int) -> None:
        """Train one fold and keep the probabilities of the people held out after each epoch."""
        chosen = BASE | VARIANTS[name]
        sizes = chosen.pop("sizes", [chosen["size"]] * chosen["epochs"])  # of each epoch
        probs, cpu, state, began = [], [], None, time.process_time()
        for size, alike in groupby(sizes):
            epochs = len([*alike])
            options = settled(TrainOptions(**(chosen | {"size": size}), seed=seed, workers=0))
            ready = start(FoldRows.of(self.manifest, fold), options)
            trainer = Trainer(ready.trainable, ready.fold, ready.options, until=len(probs) + epochs)
            if state is not None:  # weights, rates and all else of the epochs before, of another size
                trainer.load_state(state, MaskkitError)
            while not trainer.is_done:
                trainer.run_epoch()
                probs.append(trainer.probs.copy())
                cpu.append(time.process_time() - began)
            state = trainer.state()
        held = ready.fold.held_out
        np.savez(self.file(name, fold, seed), probs=np.stack(probs), cpu=cpu, held=held)
        print(name, "fold", fold, "seed", seed, f"{cpu[-1]:.0f} CPU s", flush=True)

    def file(self, name: str, fold: int, seed: int) -> Path:
        """Return where a training's answers are kept."""
        return self.out / f"{name}.s{seed}.f{fold}.npz"

    def is_done(self, name: str) -> bool:
        """Whether a variant is trained whole."""
        return all(self.file(name, fold, seed).exists() for fold in self.folds for seed in self.seeds)

    def counts(self, name: str) -> NDArray[np.int64]:
        """Return each person's confusion matrix by seed, (seeds, people, classes, classes)."""
        classes, people = len(self.manifest.space), self.manifest.people
        made = np.zeros((len(self.seeds), len(people.names), classes, classes), np.int64)
        for place, seed in enumerate(self.seeds):
            for fold in self.folds:
                kept = np.load(self.file(name, fold, seed))
                held, answer = kept["held"], kept["probs"][-1].argmax(1)
                np.add.at(made[place], (people.codes[held], self.manifest.labels[held], answer), 1)
        return made

    def seconds(self, name: str) -> float:
        """Return the mean processor time of a fold."""
        files = [self.file(name, fold, seed) for fold in self.folds for seed in self.seeds]
        return float(np.mean([np.load(file)["cpu"][-1] for file in files]))

    def table(self) -> str:
        """Return the table as Markdown."""
        names = [name for name in VARIANTS if self.is_done(name)]
        counts = {name: self.counts(name) for name in names}
        people = np.flatnonzero(counts[names[0]].sum((0, 2, 3)))
        random = np.random.default_rng(0)
        drawn = random.multinomial(len(people), np.full(len(people), 1 / len(people)), REPLICATES)
        scores = {name: _scores(made[:, people], drawn) for name, made in counts.items()}
        lines = [
            "| training | CPU s per fold | macro-F1 | difference, 95 % interval | gender | age |",
            "|---|---|---|---|---|---|",
        ]
        first = names[0]
        for name in names:
            whole = counts[name].sum(1)  # (seeds, classes, classes)
            value = float(macro_f1(whole).mean())
            change = value - float(macro_f1(counts[first].sum(1)).mean())
            low, high = np.quantile(scores[name] - scores[first], (0.025, 0.975))
            mark = "**" if low > 0 or high < 0 else ""
            difference = "" if name == first else f"{mark}{change:+.3f}{mark} ({low:+.3f} to {high:+.3f})"
            of = [accuracy(factor_confusion(whole, self.manifest.space, place)).mean() for place in (1, 2)]
            what = _said(VARIANTS[name])
            cells = [what or "the default, 2 epochs of 128x96", f"{self.seconds(name):.0f}", f"{value:.3f}"]
            lines.append(f"| {' | '.join([*cells, difference, *(f'{one:.3f}' for one in of)])} |")
        return "\n".join(lines)


def _said(variant: dict[str, Any]) -> str:
    """Return a variant in words of the command line, as far as it has them."""
    if "sizes" in variant:
        return ", then ".join(f"`--size {size}` for {len([*of])}" for size, of in groupby(variant["sizes"]))
    return " ".join(f"`--{key.replace('_', '-')} {value}`" for key, value in variant.items())


def _scores(counts: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the macro-F1 of each draw of people, the mean over seeds, (draws,)."""
    seeds, people, classes, _ = counts.shape
    redrawn = drawn @ counts.reshape(seeds, people, -1)  # (seeds, draws, classes * classes)
    scores: NDArray[np.float64] = macro_f1(redrawn.reshape(seeds, len(drawn), classes, classes)).mean(0)
    return scores


def main() -> None:
    """Train what is missing, or print the table."""
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    parser.add_argument("folds", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of variants")
    parser.add_argument("--numbers", nargs="+", type=int, default=[0, 1, 2], help="of the folds")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    manifest = CachedPhotoOptions().located(Manifest.read(Source.open(given.folds)))
    study = Study(manifest, given.out, given.numbers, given.seeds)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.table:
        print(study.table())
        return
    for seed in given.seeds:
        for name in given.only or VARIANTS:
            for fold in given.numbers:
                if not study.file(name, fold, seed).exists():
                    study.train(name, fold, seed)


if __name__ == "__main__":
    main()
