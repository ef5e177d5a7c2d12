"""The inputs of all runs: a few drawn people, and what the commands before one make of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import networks
from conftest import draw_people, draw_photo, some_people

from faults.runs import run
from maskkit.sources.layouts import STATES

PEOPLE, FEW = 5, 2
QUICK = (
    "--model test_efficientnet --weights none --size 32 --epochs 2 --batch-size 7 --workers 0 --device cpu "
    "--precision float32 --optimizer adamw"
)
PREDICT = "predict --workers 0 --runtime torch"
MADE = (
    "label {given}/few/train.csv -o few.parquet",
    "split few.parquet --folds 2 -o few-folds.parquet",
    f"train few-folds.parquet --fold all -o fold{{{{fold}}}}.safetensors {QUICK}",
    f"{PREDICT} few-folds.parquet fold0.safetensors fold1.safetensors --oof -o few-oof.parquet",
    f"{PREDICT} few-folds.parquet fold0.safetensors fold1.safetensors --oof --shard 1/2 -o part1.parquet",
    f"{PREDICT} few-folds.parquet fold0.safetensors fold1.safetensors --oof --shard 2/2 -o part2.parquet",
    "label {given}/test/info.csv -o test.parquet",
    f"{PREDICT} test.parquet fold0.safetensors -o test-fold0.parquet",
    "label {given}/train/train.csv -o labels.parquet",
    "split labels.parquet --folds 2 -o folds.parquet",
    f"train folds.parquet --fold all -o other{{{{fold}}}}.safetensors {QUICK}",
    f"{PREDICT} folds.parquet other0.safetensors other1.safetensors --oof -o oof.parquet",
    f"{PREDICT} folds.parquet other0.safetensors other1.safetensors --oof --tta hflip -o flipped.parquet",
)


def make(folder: Path) -> None:
    """Make them in a folder; files look as if they had not changed for an hour."""
    folder.mkdir(parents=True)
    draw_people(folder / "train", some_people(PEOPLE))
    draw_people(folder / "few", some_people(FEW))
    _draw_unlabelled(folder / "test")
    (folder / "detector").write_bytes(networks.centerface(width=12, height=16, bias=20))
    for words in MADE:
        ended = run(words.format(given=folder).split(), folder, given=folder)
        if ended.code != 0:
            raise RuntimeError(f"{words}: {ended.code} {ended.stderr}")
    (folder / "annotated.json").write_text(
        '[{"data": {"person_id": "000001"}, "annotations": [{"result": [{"from_name": "gender", "value": '
        '{"choices": ["female"]}}]}]}]'
    )
    (folder / "fixes.csv").write_text("person_id,column,value\n000001,gender,female\n000002,age,60plus\n")
    for name in ("cache", "tmp"):
        shutil.rmtree(folder / name)
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_mtime - 3600,) * 2)


def _draw_unlabelled(folder: Path) -> None:
    names = [f"{number}.jpg" for number in range(len(STATES))]
    for name, mask in zip(names, STATES.values(), strict=True):
        draw_photo(folder / "images" / name, mask=mask, gender="male", age=33, seed=900)
    (folder / "info.csv").write_text("ImageID,ans\n" + "".join(f"{name},0\n" for name in names))
