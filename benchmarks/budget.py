"""Score against processor time: maskkit's ways, a plain script, and timm and fastai where they are installed.

    python benchmarks/budget.py folds.parquet --out run/budget --ways default plain
    python benchmarks/budget.py folds.parquet --out run/budget --report

The first line trains and predicts, fold by fold, and keeps what is done; the second prints the table and
draws run/budget/budget.svg. Each fold's model answers for the people held out, and all answers are scored at
once, so that an interval over people comes with each score. What is counted is the processor time of a fold,
of all processes: training, with photos decoded from an empty cache, and prediction of the people held out;
seconds are the mean over folds. Weights, photos and folds are the same for all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from tables import SVG
from timing import Cost, machine, run_command

from maskkit.reporting.plots import Chart, PlotLine, draw

HERE = Path(__file__).parent
MODEL = "tf_efficientnet_lite0"
FACES = "mobilenetv1_100:pad_type=same"
COLOURS = ("#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706")


@dataclass(frozen=True)
class Way:
    """One way to train, at one length."""

    family: str  # a line of the plot
    name: str
    words: Sequence[str]  # of `maskkit train`, or of a peer's script
    peer: str | None = None  # a script in peers/
    models: int = 1  # that answer together, trained with seeds 0, 1, ...

    @property
    def folder(self) -> str:
        """Where it is kept."""
        return re.sub(r"[^a-z0-9.=]+", "-", f"{self.family} {self.name}".lower()).strip("-")


def _epochs(family: str, epochs: int, *words: str, models: int = 1) -> Way:
    name = f"{epochs} epochs" if models == 1 else f"{models} models of {epochs} epochs"
    return Way(family, name, ["--epochs", str(epochs), *words], models=models)


FACE_WORDS = ["--model", FACES, "--weights", "faces:FACES"]  # the last is put in
WAYS: dict[str, list[Way]] = {
    "default": [
        *(_epochs("maskkit", epochs) for epochs in (1, 2, 3)),
        *(_epochs("maskkit", 3, models=models) for models in (2, 3)),
    ],
    "faces": [
        _epochs("maskkit, faces", 2, *FACE_WORDS, "--learning-rate", "0.001", "--optimizer", "adamw:head=3")
    ],
    "plain": [
        Way("plain script", f"{epochs} epochs", ["--epochs", str(epochs)], "plain.py")
        for epochs in (1, 2, 4, 8)
    ],
}


def measure(way: Way, fold: int, given: argparse.Namespace, out: Path) -> None:
    """Train on all folds but one, predict that one, and keep the answers and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MASKKIT_CACHE"] = folder  # an empty cache for each fold: decoding counts
        costs = list(_run(way, fold, given, out))
    total = {what: sum(getattr(cost, what) for cost in costs) for what in ("cpu_seconds", "seconds")}
    (out / f"fold{fold}.json").write_text(json.dumps(total))
    print(way.name, "fold", fold, total, flush=True)


def _run(way: Way, fold: int, given: argparse.Namespace, out: Path) -> Iterator[Cost]:
    answers = out / f"fold{fold}.csv"
    if way.peer is not None:
        words = [sys.executable, HERE / "peers" / way.peer, given.folds, "--weights", given.weights]
        yield run_command([str(word) for word in (*words, "--fold", fold, "-o", answers, *way.words)])
        return
    command = [sys.executable, "-m", "maskkit"]
    checkpoints = [out / f"fold{fold}-{seed}.safetensors" for seed in range(way.models)]
    words = [f"faces:{given.faces}" if word == "faces:FACES" else word for word in way.words]
    for seed, checkpoint in enumerate(checkpoints):
        train = ["train", given.folds, "--fold", fold, "--seed", seed, "-o", checkpoint, "--force", *words]
        yield run_command([*command, *map(str, train), "--quiet"])
    predict = ["predict", given.folds, *checkpoints, "--oof", "-o", answers, "--force", "--quiet"]
    yield run_command([*command, *map(str, predict)])
    for checkpoint in checkpoints:
        checkpoint.unlink()


def report(given: argparse.Namespace) -> None:
    """Print a row per way, and draw a line per family."""
    points: dict[str, list[tuple[float, float]]] = {}
    print("| way | CPU s per fold | macro-F1 | mask | gender | age |\n|---|---|---|---|---|---|")
    for way in (way for name in given.ways for way in WAYS[name]):
        out = given.out / way.folder
        costs = [json.loads(file.read_text()) for file in sorted(out.glob("fold*.json"))]
        if len(costs) < len(given.numbers):
            continue
        seconds = sum(cost["cpu_seconds"] for cost in costs) / len(costs)
        found = scored(given.folds, out, given.numbers)
        of = {factor["name"]: factor["accuracy"]["value"] for factor in found["factors"]}
        score = found["macro_f1"]
        facts = [f"{seconds:.0f}", f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"]
        print(
            "|",
            " | ".join([f"{way.family}: {way.name}", *facts, *(f"{one:.3f}" for one in of.values())]),
            "|",
        )
        points.setdefault(way.family, []).append((seconds, score["value"]))
    lines = [PlotLine(name, *map(list, zip(*sorted(of), strict=True))) for name, of in points.items()]
    chart = Chart("macro-F1, out-of-fold", "CPU seconds per fold", tuple(lines))
    drawing = jinja2.Template(SVG).render(drawing=draw(chart), colours=list(COLOURS))
    (given.out / "budget.svg").write_text(drawing)


def scored(folds: str, out: Path, numbers: Sequence[int]) -> dict[str, Any]:
    """Score the answers of all folds at once."""
    parts = [(out / f"fold{number}.csv").read_text().splitlines() for number in numbers]
    text = [parts[0][0], *(line for part in parts for line in part[1:])]
    (out / "oof.csv").write_text("\n".join(text) + "\n")
    words = ["evaluate", folds, out / "oof.csv", "--json", "--quiet"]
    command = [sys.executable, "-m", "maskkit", *map(str, words)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def main() -> None:
    """Measure what is missing, or report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folds", help="a manifest from `maskkit split --by person`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--weights", help="ImageNet weights of the peers' model, as a file")
    parser.add_argument("--faces", help="the .tgz of face weights")
    parser.add_argument("--numbers", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="of the folds")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if given.report:
        report(given)
        return
    print(json.dumps(machine()), flush=True)
    for way in (way for name in given.ways for way in WAYS[name]):
        out = given.out / way.folder
        out.mkdir(parents=True, exist_ok=True)
        for fold in given.numbers:
            if not (out / f"fold{fold}.json").exists():
                measure(way, fold, given, out)


if __name__ == "__main__":
    main()
