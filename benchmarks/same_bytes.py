"""Whether two revisions of maskkit give the same bytes: the same commands with both, every artifact compared.

    python benchmarks/same_bytes.py OLD [NEW]    # git revisions; NEW is the working tree if left out

OLD draws the photos, once. Then both revisions run the commands below, each in a folder of its own with an
empty cache, by the same relative paths and in one thread; what a command prints is an artifact too. One whose
bytes differ is opened: `record` says that only what it tells of how it was made differs, `encoding` that not
even that does, DATA that something else does. Exit code 1 with any of the last, 2 if OLD cannot do its runs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import io
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet as pq
from safetensors import safe_open

PHOTOS = "demo photos --people 20 --test-people 6"

# `%` stands for the run's name. Of an option that is given twice, the later counts.
MODEL = "--model test_efficientnet --weights none --size 32 --device cpu --precision float32"
STEPS = f"{MODEL} --batch-size 20"
TRAIN = f"-o %/fold{{fold}}.safetensors --epochs 3 --learning-rate 0.005 {STEPS}"
FOLDS = f"train folds.parquet {TRAIN}"
EXACT = "--device cpu --precision float32 --runtime torch"
OOF = f"predict folds.parquet --oof {EXACT} -o %.parquet"
TEST = f"predict test.parquet default/fold0.safetensors default/fold1.safetensors {EXACT}"
VOTE = "ensemble test-default.parquet test-regression.parquet -o %.parquet --vote"
FIT = "--fit default/oof.parquet regression/oof.parquet --on folds.parquet --report %.json"
TUNE = "evaluate folds.parquet regression/oof.parquet --json --decision %.json --tune"
PSEUDO = "pseudo folds.parquet by0.parquet --unlabeled test.parquet -o %.parquet"

RUNS = {
    # Photos and folds
    "demo": "demo % --people 3 --test-people 2",
    "labels": "label photos/train/train.csv -o %.parquet",
    "cut-labels": "label photos/train/train.csv -o %.parquet --train-cuts age=30,58 --ignore age=57-59",
    "test": "label photos/eval/info.csv -o %.parquet",
    "eda": "eda labels.parquet --json",
    "eda-two": "eda labels.parquet test.parquet --json",
    "folds": "split labels.parquet -o %.parquet --folds 2 --json",
    "repeats": "split cut-labels.parquet -o %{repeat}.parquet --folds 3 --repeats 2",
    "holdout": "split labels.parquet -o %.parquet --holdout 0.2 --seed 1",
    "stratified": "split cut-labels.parquet -o %.parquet --folds 3 --stratify weight",
    # Trainings
    "rates": f"lr-find folds.parquet --json --steps 8 {STEPS}",
    "default": f"{FOLDS} --fold all",
    "regression": f"{FOLDS} --fold all --head factors+regression --seed 1",
    "frozen": f"{FOLDS} --fold all --head factors+corn --freeze all",
    "plain": f"train folds.parquet -o %/fold0.safetensors {MODEL}",
    "bfloat16": f"{FOLDS} --precision bfloat16",
    "sgd-step": f"{FOLDS} --optimizer sgd:momentum=0.8,clip=0.5 --schedule step:every=1",
    "onecycle-swa": f"{FOLDS} --schedule onecycle --average swa:start=0.5",
    "plateau-plain": f"{FOLDS} --schedule plateau:patience=1,factor=0.1 --average none",
    "constant-decay": f"{FOLDS} --schedule constant --optimizer adamw:layer_decay=0.7,accumulate=2",
    "sqrt": f"{FOLDS} --sampler sqrt --augment medium --augment-rare age=60plus:strong",
    "rows": f"{FOLDS} --sampler balanced --undersample mask=wear:2 --oversample age=60plus:3",
    "mixup": f"{FOLDS} --mix mixup --augment light+grid-shuffle --loss balanced-softmax",
    "half": f"{FOLDS} --mix half:partner=age=60plus --loss ce:smoothing=0.1+f1:weight=0.5",
    "focal": f"{FOLDS} --loss focal:gamma=3 --class-weights sqrt",
    "ldam": f"{FOLDS} --loss ldam --head cosine --class-weights effective:start=0.5",
    "arcface": f"{FOLDS} --head arcface:centers=2 --loss poly --model test_efficientnet:pool=gem",
    "coral": f"{FOLDS} --head joint:hidden=16,samples=2+coral --loss logit-adjusted",
    "smote": f"{FOLDS} --freeze all --sampler smote:neighbors=1 --loss ce",
    "phase": f"{FOLDS} --freeze phase",
    "gradual": f"{FOLDS} --freeze gradual --epochs 8",
    "uda": f"{FOLDS} --unlabeled test.parquet --consistency uda:threshold=0.05,annealing=linear",
    "fixmatch": f"{FOLDS} --unlabeled test.parquet --consistency fixmatch:threshold=0.06",
    "cut": f"train repeats0.parquet {TRAIN} --fold 1",
    "stopped": f"{FOLDS} --epochs 40".replace("%", "resumed"),
    "resumed": f"{FOLDS} --epochs 40 --resume",
    # Predictions
    "default/oof": f"{OOF} default/fold0.safetensors default/fold1.safetensors",
    "regression/oof": f"{OOF} regression/fold0.safetensors regression/fold1.safetensors --tta hflip",
    "frozen/oof": f"{OOF} frozen/fold0.safetensors frozen/fold1.safetensors",
    "person": f"{OOF} default/fold0.safetensors default/fold1.safetensors --consensus person",
    "test-default": f"{TEST} -o %.parquet",
    "test-regression": f"{TEST} -o %.parquet".replace("default/", "regression/"),
    "views": f"{TEST} -o %.parquet --tta hflip,scale:0.9,shift",
    "geometric": f"{TEST} -o %.parquet --tta hflip --blend geometric",
    "logit": f"{TEST} -o %.parquet regression/fold0.safetensors --blend logit",
    "calibrated": f"{TEST} -o %.parquet --calibrate default/oof.parquet --on folds.parquet",
    "auto-runtime": "predict test.parquet bfloat16/fold0.safetensors -o %.csv",
    "exported": "export default/fold0.safetensors -o %.onnx",
    # Scores and decisions
    "scores": "evaluate folds.parquet default/oof.parquet --by age:5 --by gender,mask --json",
    "against": "evaluate folds.parquet default/oof.parquet --against frozen/oof.parquet -o %.json",
    "tuned-classes": f"{TUNE} classes",
    "tuned-factors": f"{TUNE} factors",
    "tuned-age": f"{TUNE} age",
    "temperature": f"{TUNE} temperature",
    "decided": f"{TEST} -o %.parquet --decide tuned-factors.json",
    "submission": f"{TEST} -o %.csv --decide tuned-classes.json --submission",
    "compared": "compare default regression frozen --on folds.parquet --json",
    "compared-folds": "compare sgd-step onecycle-swa --json",
    "audited": "audit folds.parquet default/oof.parquet --json -o %.parquet --corrections %.csv",
    "audited-test": "audit folds.parquet --against test.parquet --json",
    "corrected": "label photos/train/train.csv -o %.parquet --corrections audited.csv",
    # Votes
    "hard": f"{VOTE} hard",
    "soft": f"{VOTE} soft",
    "geometric-vote": f"{VOTE} geometric",
    "logit-vote": f"{VOTE} logit",
    "rank": f"{VOTE} rank",
    "weighted": f"{VOTE} weighted --weights 2,1",
    "greedy": f"{VOTE} soft {FIT} --search greedy",
    "weights": f"{VOTE} soft {FIT} --search weights",
    "stacking": f"{VOTE} stacking {FIT}",
    "fitted-oof": f"ensemble -o %.parquet --vote weighted {FIT}",
    "agreed": "ensemble default/oof.parquet --vote soft --consensus person --who folds.parquet -o %.parquet",
    # Pseudo labels
    "by0": f"predict test.parquet default/fold0.safetensors {EXACT} -o %.parquet",
    "pseudo": f"{PSEUDO} --share 0.5 --weight confidence",
    "pseudo-soft": f"{PSEUDO} --threshold 0.06 --targets soft",
    "taught": f"train pseudo-soft.parquet {TRAIN}",
}  # fmt: skip
STOPPED = {"stopped": "resumed/fold0.history.csv"}  # run: terminated once this file has an epoch's scores

# Imported once, since that takes most of the time of a small run: each is a fork of a process with them.
LIBRARIES = ["torch", "torchvision", "timm", "albumentations", "pandas", "sklearn.metrics"]
CLOCK = {"images_per_second", "seconds"}  # columns of history.csv that are left out: no two runs share them
# What JSON says of how it was made, and its checksum.
RECORD = {"format", "kind", "label_space", "history", "made_by", "maskkit"}
DIGESTS = {"sha256", "made_by", "salt", "digests"}  # keys of records that differ since what was read differs

Leaves = dict[str, Any]


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("old", metavar="OLD", help="git revision")
    words.add_argument("new", metavar="NEW", nargs="?", help="git revision; the working tree if left out")
    given = words.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", COLUMNS="120")
    os.environ.pop("MASKKIT_ROOT", None)
    with tempfile.TemporaryDirectory() as folder:
        sides = [Path(folder, side) for side in ("old", "new")]
        trees = [_tree(given.old, sides[0]), _tree(given.new, sides[1])]
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            no_photos = pool.submit(_run, trees[0], Path(folder), "photos", PHOTOS).result()
            failed_old, failed_new = pool.map(_run_all, trees, sides)
        if no_photos or failed_old:
            print("OLD fails, so that there is nothing to compare with:", *no_photos, *failed_old, sep="\n")
            return 2
        return _report(*(side / "run" for side in sides), failed_new)


def _tree(revision: str | None, side: Path) -> Path:
    """Return the folder that holds a revision's package."""
    tree = Path(__file__).resolve().parents[1]
    if revision is None:
        return tree
    packed = subprocess.run(["git", "archive", revision], cwd=tree, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(side / "tree", filter="data")
    return side / "tree"


def _run_all(tree: Path, side: Path) -> list[str]:
    """Run every command; return what became of those that failed."""
    for library in LIBRARIES:
        importlib.import_module(library)
    (side / "run").mkdir(parents=True)
    (side / "run" / "photos").symlink_to(side.parent / "run" / "photos")
    return [line for name, words in RUNS.items() for line in _run(tree, side, name, words)]


def _run(tree: Path, side: Path, name: str, words: str) -> list[str]:
    forks = multiprocessing.get_context("fork")
    process = forks.Process(target=_maskkit, args=(tree, side, name, words.replace("%", name)))
    process.start()
    if name in STOPPED:
        scores = side / "run" / STOPPED[name]
        while process.is_alive() and not (scores.exists() and len(scores.read_text().splitlines()) > 1):
            time.sleep(0.01)
        process.terminate()
    process.join()
    if process.exitcode == (143 if name in STOPPED else 0):
        return []
    return [f"{name}: exit code {process.exitcode}: {(side / 'messages.txt').read_text().strip()[-600:]}"]


def _maskkit(tree: Path, side: Path, name: str, words: str) -> None:
    """Do what `python -m maskkit` does with a revision, and keep what it prints."""
    printed = side / "run" / f"{name}.stdout"
    printed.parent.mkdir(parents=True, exist_ok=True)
    for number, path in ((1, printed), (2, side / "messages.txt")):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(side / "run")
    os.environ["MASKKIT_CACHE"] = str(side / "cache")
    sys.path.insert(0, str(tree))
    sys.argv = ["maskkit", *words.split()]
    assert Path(importlib.import_module("maskkit").__file__ or "").is_relative_to(tree)
    runpy.run_module("maskkit", run_name="__main__", alter_sys=True)


def _report(old: Path, new: Path, failed: list[str]) -> int:
    """Print a line per artifact and a summary; return 1 if data differ, else 0."""
    counts: Counter[str] = Counter()
    for name in sorted(_artifacts(old) | _artifacts(new)):
        verdict, detail = _compared(old / name, new / name)
        counts[verdict] += 1
        print(f"{verdict:8}  {name}{detail and ': '}{detail}")
    for line in failed:
        print(f"DATA      NEW fails at {line}")
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    print(f"{len(RUNS)} runs, {counts.total()} artifacts: {verdicts}")
    return 1 if failed or counts["DATA"] else 0


def _artifacts(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return {str(path.relative_to(folder)) for path in files}


def _compared(old: Path, new: Path) -> tuple[str, str]:
    """Return `same`, `encoding`, `record` or `DATA`, whichever says most, and what differs."""
    if not (old.exists() and new.exists()):
        return "DATA", f"only {'OLD' if old.exists() else 'NEW'} has it"
    if _bytes(old) == _bytes(new):
        return "same", ""
    (old_record, old_data), (new_record, new_data) = _opened(old), _opened(new)
    keys = sorted(_differing(old_record, new_record), key=lambda name: name.split(".")[-1] in DIGESTS)
    record = [f"record {name}" for name in keys]
    differing = _differing(old_data, new_data)
    if not differing:
        return ("record" if record else "encoding"), _few(record)
    largest = max((amount for amount in differing.values() if amount is not None), default=None)
    named = [name if amount is None else f"{name} by {amount:.3g}" for name, amount in differing.items()]
    counted = f"{len(differing)} of {len(old_data)} differ"
    by = "in no number" if largest is None else f"by at most {largest:.3g}"
    return "DATA", "; ".join(filter(None, [f"{counted}, {by}", _few(named), _few(record)]))


def _bytes(path: Path) -> bytes:
    return repr(_opened(path)).encode() if path.name.endswith("history.csv") else path.read_bytes()


def _opened(path: Path) -> tuple[Leaves, Leaves]:
    """Return what is recorded in an artifact, and what it holds, each by name. A type is part of a name."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        columns = {f"{field.name} ({field.type})": table[field.name].to_pylist() for field in table.schema}
        return _leaves(json.loads((table.schema.metadata or {}).get(b"maskkit", b"{}"))), columns
    if path.suffix == ".safetensors":
        with safe_open(path, framework="np") as file:
            record = _leaves(json.loads(file.metadata()["maskkit"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        scores = {name: record.pop(name) for name in list(record) if name.startswith("scores.")}
        return record, {f"{name} ({value.dtype})": value.tolist() for name, value in tensors.items()} | scores
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            columns = zip(*csv.reader(file), strict=True)
            return {}, {name: values for name, *values in columns if name not in CLOCK}
    if path.suffix in (".json", ".stdout"):
        text = path.read_text()
        lines = {f"line {number}": line for number, line in enumerate(text.splitlines(), 1)}
        leaves = _leaves(json.loads(text)) if text.startswith(("[", "{")) else lines
        record = {name: value for name, value in leaves.items() if name.split(".")[0] in RECORD}
        return record, {name: value for name, value in leaves.items() if name not in record}
    if path.suffix == ".onnx":
        model = onnx.load(path)
        record = _leaves(json.loads(next(one.value for one in model.metadata_props if one.key == "maskkit")))
        del model.metadata_props[:]
        return record, {"graph": hashlib.sha256(model.SerializeToString()).hexdigest()}
    return {}, {"bytes": hashlib.sha256(path.read_bytes()).hexdigest()}


def _leaves(value: Any, name: str = "") -> Leaves:
    """Return the values in nested JSON by names such as `history.0.stage`."""
    if not isinstance(value, dict | list) or not value:
        return {name: value}
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for key, one in pairs for k, v in _leaves(one, f"{name}.{key}".lstrip(".")).items()}


def _differing(old: Leaves, new: Leaves) -> dict[str, float | None]:
    """Return what differs, and by how much; None for texts, other shapes, and what one side lacks."""
    names = [*old, *(name for name in new if name not in old)]
    pairs = {name: (old.get(name), new.get(name)) for name in names}
    missing = old.keys() ^ new.keys()
    return {
        name: _amount(*pair)
        for name, pair in pairs.items()
        if name in missing or repr(pair[0]) != repr(pair[1])  # `==` would take 1.0 for 1, and no NaN for NaN
    }


def _amount(old: Any, new: Any) -> float | None:
    try:
        left, right = np.asarray(old, float), np.asarray(new, float)
    except (TypeError, ValueError):  # texts, or rows of several lengths
        return None
    if left.shape != right.shape or (np.isnan(left) != np.isnan(right)).any():
        return None
    return float(np.nan_to_num(abs(left - right)).max(initial=0.0))


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


if __name__ == "__main__":
    sys.exit(main())
