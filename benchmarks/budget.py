"""Score against processor time: maskkit's ways, a plain script, timm's train.py and fastai.

    python benchmarks/budget.py folds.parquet --out run/budget --weights lite0.safetensors \\
        --ways default plain timm fastai --timm-train timm/train.py --fastai-python fastai/bin/python
    python benchmarks/budget.py folds.parquet --out run/budget --report

The first command trains and predicts, fold by fold, and keeps what is done; the second prints the table and
draws run/budget/budget.svg. Each fold's model answers for the people held out, and all answers are scored at
once, so that an interval over people comes with each score. What is counted is the processor time of a fold,
of all processes: training, with photos decoded from an empty cache, and prediction of the people held out;
seconds are the mean over folds. Weights, photos and folds are the same for all. train.py is in no package of
timm: it takes a checkout. fastai, which asks for other versions, has an environment of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from tables import SVG
from timing import Cost, machine, run_command

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.roots import photo_files
from maskkit.reporting.plots import Chart, PlotLine, draw

HERE = Path(__file__).parent
FACES = "mobilenetv1_100:pad_type=same"
# A dot at each length: a way that was run at one alone is no line.
DOTS = """\
{%- for path in drawing.paths %}
{%- set colour = colours[loop.index0] %}
{%- for x, y in points(path) %}
<circle cx="{{ x }}" cy="{{ y }}" r="2.5" fill="{{ colour }}"/>
{%- endfor %}
{%- endfor %}
</svg>"""
COLOURS = ("#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706")


@dataclass(frozen=True)
class Way:
    """One way to answer, at one length."""

    family: str  # a line of the plot
    name: str
    words: Sequence[str] = ()  # of `maskkit train`, or of a peer's script
    peer: str | None = None  # a script in peers/
    members: tuple[Way, ...] = ()  # whose answers are averaged; what they took is counted with it

    @property
    def folder(self) -> str:
        """Where it is kept."""
        return re.sub(r"[^a-z0-9.=]+", "-", f"{self.family} {self.name}".lower()).strip("-")


def _epochs(family: str, epochs: int, *words: str, peer: str | None = None) -> Way:
    name = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    return Way(family, name, ["--epochs", str(epochs), *words], peer)


def _seeds(size: str, seeds: Sequence[int]) -> tuple[Way, ...]:
    """Return trainings of 3 epochs, alike but for the seed."""
    words = [] if size == "128x96" else ["--size", size]
    names = ["3 epochs", *([f"of {size}"] if words else [])]
    return tuple(
        Way(
            "maskkit",
            " ".join([*names, *([f"seed {seed}"] if seed else [])]),
            ["--epochs", "3", "--seed", str(seed), *words],
        )
        for seed in seeds
    )


SIZES = [_seeds(size, range(3)) for size in ("128x96", "160x120", "192x144")]
SMALL, LARGER = SIZES[:2]
FACE_WORDS = ["--model", FACES, "--weights", "faces:FACES"]  # the last is put in
WAYS: dict[str, list[Way]] = {
    "default": [
        _epochs("maskkit", 1),
        _epochs("maskkit", 2),
        SMALL[0],
        Way("maskkit", "2 models", members=SMALL[:2]),
        Way("maskkit", "3 models", members=SMALL),
        Way("maskkit", "6 models of two sizes", members=(*SMALL, *LARGER)),
        Way("maskkit", "9 models of three sizes", members=tuple(model for size in SIZES for model in size)),
    ],
    "faces": [
        _epochs("maskkit, faces", 2, *FACE_WORDS, "--learning-rate", "0.001", "--optimizer", "adamw:head=3")
    ],
    "plain": [_epochs("plain script", epochs, peer="plain.py") for epochs in (1, 2, 7, 22)],
    "timm": [_epochs("timm train.py", epochs, peer="timm_train.py") for epochs in (4, 14, 38)],
    "fastai": [_epochs("fastai", epochs, peer="fastai_fine_tune.py") for epochs in (2, 8, 22)],
}


def measure(way: Way, fold: int, given: argparse.Namespace) -> Cost:
    """Train on all folds but one, predict that one, and keep answers and costs, unless they are there."""
    out = given.out / way.folder
    out.mkdir(parents=True, exist_ok=True)
    kept = out / f"fold{fold}.json"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            os.environ["MASKKIT_CACHE"] = folder  # an empty cache for each fold: decoding counts
            costs = list(_run(way, fold, given, out, Path(folder)))
        total = {what: sum(getattr(cost, what) for cost in costs) for what in ("cpu_seconds", "seconds")}
        kept.write_text(json.dumps(total))
        print(way.family, way.name, "fold", fold, total, flush=True)
    return Cost(**json.loads(kept.read_text()))


def _run(way: Way, fold: int, given: argparse.Namespace, out: Path, scratch: Path) -> Iterator[Cost]:
    answers = out / f"fold{fold}.csv"
    if way.peer is not None:
        yield run_command([*_peer(way.peer, fold, given, scratch), "-o", str(answers), *way.words])
        return
    command = [sys.executable, "-m", "maskkit"]
    if way.members:
        yield from (measure(member, fold, given) for member in way.members)
        members = [given.out / member.folder / answers.name for member in way.members]
        ensemble = ["ensemble", *members, "--vote", "soft", "-o", answers, "--force", "--quiet"]
        yield run_command([*command, *map(str, ensemble)])
        return
    checkpoint = scratch / "model.safetensors"
    words = [f"faces:{given.faces}" if word == "faces:FACES" else word for word in way.words]
    train = ["train", given.folds, "--fold", fold, "-o", checkpoint, *words, "--quiet"]
    yield run_command([*command, *map(str, train)])
    predict = ["predict", given.folds, checkpoint, "--oof", "-o", answers, "--force", "--quiet"]
    yield run_command([*command, *map(str, predict)])


def _peer(script: str, fold: int, given: argparse.Namespace, scratch: Path) -> list[str]:
    """Return the command of a peer, for which the photos of a fold are listed."""
    manifest = Manifest.read(Source.open(given.folds))
    names = manifest.space.names
    labels = manifest.labels.tolist()
    held_out = (int(of == fold) for of in manifest.folds)
    rows = zip(
        manifest.paths, photo_files(manifest), labels, (names[of] for of in labels), held_out, strict=True
    )
    with (scratch / "photos.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "file", "label", "name", "held_out"), *rows])
    python = given.fastai_python if script.startswith("fastai") else sys.executable
    own = ["--timm-train", given.timm_train] if script.startswith("timm") else []
    words = [python, HERE / "peers" / script, scratch / "photos.csv", "--weights", given.weights, *own]
    return [str(word) for word in words]


def report(given: argparse.Namespace) -> None:
    """Print a row per way that has all of the folds asked for, and draw a line per family."""
    points: dict[str, list[tuple[float, float]]] = {}
    print("| way | CPU s per fold | macro-F1 | mask | gender | age |\n|---|---|---|---|---|---|")
    for way in (way for name in given.ways for way in WAYS[name]):
        out = given.out / way.folder
        kept = [out / f"fold{number}.json" for number in given.numbers]
        if not all(file.exists() for file in kept):
            continue
        seconds = sum(json.loads(file.read_text())["cpu_seconds"] for file in kept) / len(kept)
        found = scored(given.folds, out, given.numbers)
        score = found["macro_f1"]
        facts = [f"{seconds:.0f}", f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"]
        of_factors = [f"{factor['accuracy']['value']:.3f}" for factor in found["factors"]]
        print("|", " | ".join([f"{way.family}: {way.name}", *facts, *of_factors]), "|")
        points.setdefault(way.family, []).append((seconds, score["value"]))
    lines = [PlotLine(name, *map(list, zip(*sorted(of), strict=True))) for name, of in points.items()]
    chart = Chart("macro-F1, out-of-fold", "CPU seconds per fold", tuple(lines))
    drawing = jinja2.Template(SVG.replace("\n</svg>", DOTS)).render(
        drawing=draw(chart), colours=list(COLOURS), points=partial(re.findall, r"([\d.]+) ([\d.]+)")
    )
    (given.out / "budget.svg").write_text(drawing)


def scored(folds: str, out: Path, numbers: Sequence[int]) -> dict[str, Any]:
    """Score the answers of all folds at once."""
    parts = [pd.read_csv(out / f"fold{number}.csv") for number in numbers]
    pd.concat(parts, join="inner").to_csv(out / "oof.csv", index=False)
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
    parser.add_argument("--timm-train", help="train.py of a checkout of timm")
    parser.add_argument("--fastai-python", help="the python of an environment that has fastai")
    parser.add_argument("--faces", help="the .tgz of face weights")
    parser.add_argument("--numbers", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="of the folds")
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if given.report:
        report(given)
        return
    print(json.dumps(machine()), flush=True)
    for way in (way for name in given.ways for way in WAYS[name]):
        for fold in given.numbers:
            measure(way, fold, given)


if __name__ == "__main__":
    main()
