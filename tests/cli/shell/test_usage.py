from __future__ import annotations

import os
from pathlib import Path

import pytest
from commandline import COMMANDS, DESCRIBED, read_all, run, start

from maskkit.cli.shell.typed_words import as_declared

TRAIN = "train folds.parquet"
END = "-o x.safetensors"
MEANT = {
    f"{TRAIN} --wd 0.01 {END}": f"{TRAIN} --optimizer adamw:weight_decay=0.01 {END}",
    f"{TRAIN} --weight_decay=0.01 {END}": f"{TRAIN} --optimizer adamw:weight_decay=0.01 {END}",
    f"{TRAIN} --wd 0.01 --optimizer sgd {END}": f"{TRAIN} --optimizer sgd:weight_decay=0.01 {END}",
    f"{TRAIN} --optimizer sgd:clip=2 --wd 0.01 {END}":
        f"{TRAIN} --optimizer sgd:clip=2,weight_decay=0.01 {END}",
    f"{TRAIN} --mixup 0.2 --patience 5 --lr 0.1 {END}":
        f"{TRAIN} --mix mixup:alpha=0.2 --schedule cosine:stop=5 --learning-rate 0.1 {END}",
    f"{TRAIN} --mixup {END}": f"{TRAIN} --mix mixup {END}",
    f"{TRAIN} --amp {END}": f"{TRAIN} {END}",
    f"{TRAIN} --amp true {END}": f"{TRAIN} {END}",
    f"{TRAIN} --ema --ema-decay 0.999 {END}": f"{TRAIN} --average ema:decay=0.999 {END}",
    f"{TRAIN} --gpus 1 {END}": f"{TRAIN} --device cuda {END}",
    f"{TRAIN} --fp16 {END}": f"{TRAIN} --precision float16 {END}",
    f"train --data folds.parquet {END}": f"{TRAIN} {END}",
    f"{TRAIN} --pretrained {END}": f"{TRAIN} {END}",
    f"{TRAIN} --ckpt w.pth {END}": f"{TRAIN} --weights w.pth {END}",
    f"{TRAIN} --n-splits 5 {END}": f"{TRAIN} --fold all {END}",
    "predict new --model fold0.safetensors": "predict new fold0.safetensors",
    "predict --source new --weights fold0.safetensors": "predict new fold0.safetensors",
    "predict new fold0.safetensors --augment": "predict new fold0.safetensors --tta hflip",
    f"{TRAIN} epochs=5 lr0=0.1 {END}": f"{TRAIN} --epochs 5 --learning-rate 0.1 {END}",
}  # fmt: skip
SAME = {
    "--lr 0.1": "--learning-rate 0.1", "--lr0=0.1": "--learning-rate=0.1", "-lr 0.1": "--learning-rate 0.1",
    "--learning_rate 0.1": "--learning-rate 0.1", "--bs 8": "--batch-size 8", "-b 8": "--batch-size 8",
    "--batch 8": "--batch-size 8", "--imgsz 96": "--size 96", "--img_size 96": "--size 96",
    "--epoch 2": "--epochs 2", "--num-epochs 2": "--epochs 2", "--num_workers 0": "--workers 0",
    "--random-state 3": "--seed 3", "--device cuda:0": "--device cuda", "--device=gpu": "--device=cuda",
    "--precision bf16": "--precision bfloat16", "--out x": "--output x", "-oout": "-oout",
    "--arch resnet18": "--model resnet18", "--opt sgd": "--optimizer sgd", "--config r.t": "--recipe r.t",
    "--Seed 3": "--seed 3", "--overwrite": "--force", "--no-such 3": "--no-such 3", "- -- --lr": "- -- --lr",
}  # fmt: skip


@pytest.mark.parametrize("typed", MEANT)
def test_a_word_of_another_program_is_answered_with_the_line_to_type(typed: str) -> None:
    result = run(*typed.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"fix: write: maskkit {MEANT[typed]}\n" in result.stderr


@pytest.mark.parametrize("typed", SAME)
def test_a_word_that_means_the_same_is_taken_for_ours(typed: str) -> None:
    assert as_declared(typed.split(), COMMANDS["train"].params) == SAME[typed].split()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--on ray -o x", "--engine ray -o x"),
        ("--on=ray://head:10001", "--engine=ray://head:10001"),
        ("--on folds.parquet", "--on folds.parquet"),
        ("--on ./ray", "--on ./ray"),
        ("--on", "--on"),
    ],
)
def test_what_predictions_are_made_on_is_ray_or_a_manifest(typed: str, meant: str) -> None:
    assert as_declared(typed.split(), COMMANDS["predict"].params) == meant.split()
    assert as_declared(["--on", "ray"], COMMANDS["evaluate"].params) == ["--on", "ray"]


def test_such_words_reach_the_command(work: Path) -> None:
    words = (
        "train folds.parquet --lr 0.1 --bs 8 --imgsz 32 --epoch 2 --fold-idx 1 --dryrun --out x.safetensors"
    )
    result = run(*words.split())
    assert result.exit_code == 0, result.stderr
    assert {
        "learning-rate = 0.1",
        "batch-size = 8",
        'size = "32"',
        "epochs = 2",
        'fold = "1"',
    } <= {*result.stdout.splitlines()}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("train f --fodl 1", "did you mean --fold or --model?"),
        ("train f --tta hflip", "--tta is an option of maskkit predict"),
        ("predict f m --lr 3", "--lr is an option of maskkit train"),
        ("train f --no-such-option", "`maskkit help train` shows the options there are"),
        ("train f --device tpu", "it is one of auto, cpu, cuda, mps"),
        ("train f --device cuda:1 -o x", "write: CUDA_VISIBLE_DEVICES=1 maskkit train f --device cuda -o x"),
        ("train f --loss crossentropy", "did you mean ce?"),
        ("train f --loss Focal", "did you mean focal?"),
        ("train f --epochs two", "error: --epochs cannot be 'two'\n  why: it is a valid integer\n"),
        ("train f g h", "maskkit train was given g h beside what it takes\n  why: it takes MANIFEST\n"),
        ("train f --loss", "--loss lacks its value"),
        ("train f --output_dir run -o x", "--output says it of a file, not of a folder"),
        ("train f --accum 4 -o x", "--batch-size counts all of its parts"),
        ("trian f", "did you mean maskkit train?"),
        ("val f", "did you mean maskkit evaluate?"),
        ("help fit", "did you mean maskkit train?"),
        ("xyz", "`maskkit help` says what each does"),
    ],
)  # fmt: skip
def test_wrong_usage_names_what_may_have_been_meant(typed: str, said: str) -> None:
    result = run(*typed.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "╭" not in result.stderr
    assert all(line.split(": ")[1] for line in result.stderr.splitlines()), result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_asked_for_in_front_and_behind(name: str) -> None:
    assert run("help", name).stdout == run(name, "--help").stdout
    assert run("help", name.replace("-", "_")).exit_code == 0
    assert run(name.replace("-", "_"), "--help").stdout == run(name, "--help").stdout


def test_help_alone_is_help() -> None:
    assert run("help").stdout == run("--help").stdout


@pytest.mark.parametrize(
    ("typed", "lacks"),
    [
        ("predict", "MANIFEST and CHECKPOINT"),
        ("predict f", "CHECKPOINT"),
        ("soup", "CHECKPOINT and --on"),
        ("train -", "-o"),
        ("ensemble --vote soft", "PREDICTIONS"),
        ("pseudo", "MANIFEST and PREDICTIONS"),
        ("evaluate", "MANIFEST and PREDICTIONS"),
        ("compare", "RUN"),
        ("demo", "DIR"),
    ],
)
def test_all_that_is_missing_is_said_at_once_with_an_example(typed: str, lacks: str) -> None:
    result = run(*typed.split())
    assert (result.exit_code, result.stdout) == (2, "")
    name = typed.split(maxsplit=1)[0]
    assert f"error: maskkit {name} lacks {lacks}\n" in result.stderr
    assert f"fix: such as: maskkit {name} " in result.stderr


@pytest.mark.parametrize("name", [name for name, one in DESCRIBED.items() if one.suffix and one.to_stdout])
def test_on_a_terminal_input_and_output_are_missing_too(name: str) -> None:
    reader, terminal = os.openpty()
    process = start(name, stdin=terminal, stdout=terminal, stderr=terminal, COLUMNS="80")
    assert process.wait() == 2
    os.close(terminal)
    shown = read_all(reader)
    os.close(reader)
    optional = {"lr-find", "evaluate", "predict", "ensemble"}  # they show a table without -o
    assert ("-o" in shown.splitlines()[0]) == (name not in optional), shown
