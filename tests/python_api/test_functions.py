"""The functions of Python are the commands: the same options, defaults, bytes and refusals."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
from commandline import error_parts, run

import maskkit
from maskkit import (
    Checkpoint,
    Evaluation,
    Manifest,
    MaskkitError,
    Predictions,
    RefusedError,
    ensemble,
    evaluate,
    label,
    predict,
    split,
    train,
)
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.python_api import TrainSettings

FUNCTIONS: list[Callable[..., Any]] = [label, split, train, predict, ensemble, evaluate]
TINY: TrainSettings = {
    "model": "test_efficientnet", "weights": "none", "size": "32", "epochs": 1, "workers": 0, "device": "cpu",
    "batch_size": 60,
}  # fmt: skip
QUICK = (
    "--model test_efficientnet --weights none --size 32 --epochs 1 --workers 0 --device cpu --batch-size 60"
)
OUTSIDE = {"on_epoch"}  # of what has no place on a command line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def oof(folds: Manifest, checkpoints: list[Path]) -> Predictions:
    return predict(folds, checkpoints, oof=True, workers=0)


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import maskkit; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(Path(maskkit.__file__).parents[1])})  # fmt: skip
    assert done.stdout.split() == ["maskkit"]


def test_what_it_offers_is_listed_and_all_else_is_no_attribute() -> None:
    assert {function.__name__ for function in FUNCTIONS} < set(maskkit.__all__) <= set(dir(maskkit))
    assert all(getattr(maskkit, name) is not None for name in maskkit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lable'"):
        maskkit.lable  # noqa: B018


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    keywords = [item for item in parameters if item.kind is item.KEYWORD_ONLY and item.name not in OUTSIDE]
    return {item.name: item.default or None for item in keywords}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_keyword_is_an_option_of_the_command_with_its_default(function: Callable[..., Any]) -> None:
    name = function.__name__
    declared = getattr(import_module(f"maskkit.cli.{name}"), name).parameters
    defaults = {item.name: item.default or None for item in declared}
    mine = _defaults(function)
    if name == "train":  # the number 0 is written as a text there
        mine["fold"] = str(0)
    assert mine == {option: defaults[option] for option in mine}


def test_the_settings_of_training_are_its_options_with_their_types() -> None:
    of_options = get_type_hints(TrainOptions)
    assert get_type_hints(TrainSettings) == {
        name: of_options[name] for name in TrainOptions.__dataclass_fields__
    }
    assert set(get_type_hints(Inference)) <= set(_defaults(predict))


def test_files_and_objects_come_to_the_bytes_of_the_commands(
    here: Path, train_csv: Path, checkpoints: list[Path]
) -> None:
    names = [str(path) for path in checkpoints]
    for words in (
        f"label {train_csv} -o labels.parquet --ignore age=57-59",
        "split labels.parquet -o folds.parquet --folds 3",
        f"predict folds.parquet {' '.join(names)} --oof --tta hflip --workers 0 --device cpu -o oof.parquet",
        "ensemble oof.parquet oof.parquet --vote soft --on folds.parquet -o blend.parquet",
    ):
        done = run(*words.split())
        assert done.exit_code == 0, done.stderr
    label(str(train_csv), ignore=["age=57-59"]).write("a.parquet")
    split("labels.parquet", folds=3).write("b.parquet")
    predict("folds.parquet", names, oof=True, tta="hflip", workers=0, device="cpu").write("c.parquet")
    ensemble(["oof.parquet", "oof.parquet"], vote="soft", on="folds.parquet").predictions.write("d.parquet")
    for command, function in (("labels", "a"), ("folds", "b"), ("oof", "c"), ("blend", "d")):
        assert (here / f"{function}.parquet").read_bytes() == (here / f"{command}.parquet").read_bytes()


def test_a_training_comes_to_the_bytes_of_the_command(here: Path, folds: Manifest) -> None:
    folds.write("folds.parquet")
    done = run("train", "folds.parquet", *QUICK.split(), "--fold", "1", "-o", "a.safetensors")
    assert done.exit_code == 0, done.stderr
    epochs: list[tuple[int | None, int]] = []
    model: Checkpoint = train(
        "folds.parquet",
        "b.safetensors",
        fold=1,
        on_epoch=lambda fold, epoch: epochs.append((fold, epoch.epoch)),
        **TINY,
    )
    assert epochs == [(1, 1)]
    assert (here / "a.safetensors").read_bytes() == (here / "b.safetensors").read_bytes()
    assert repr(model).startswith("<Checkpoint b.safetensors: test_efficientnet, fold 1, macro-F1 0.")


def test_the_pipeline_runs_on_objects_alone(here: Path, folds: Manifest) -> None:
    models: list[Checkpoint] = train(folds, here / "fold{fold}.safetensors", fold="all", **TINY)
    assert [one.fold for one in models] == [0, 1, 2]
    found = predict(folds, models, oof=True, workers=0)
    scores: Evaluation = evaluate(folds, found, by=["gender"])
    assert scores.scores.photos == len(folds) == len(found)
    assert repr(scores).startswith("<Evaluation: macro-F1 0.")
    everybody = train(folds, here / "all.safetensors", fold="none", **TINY)
    assert everybody.fold is None
    assert repr(everybody).endswith("of everybody>")


def test_a_folder_of_photos_is_predicted(folds: Manifest, info_csv: Path, checkpoints: list[Path]) -> None:
    found = predict(info_csv.parent / "images", checkpoints[0], workers=0)
    assert len(found) == 7


def test_a_photo_or_several_are_predicted_as_in_their_folder(info_csv: Path, checkpoints: list[Path]) -> None:
    photos = sorted((info_csv.parent / "images").iterdir())
    of_all = predict(info_csv.parent / "images", checkpoints[0], workers=0)
    of_some = predict([str(photos[0]), photos[1]], checkpoints[0], workers=0)
    of_one = predict(str(photos[0]), checkpoints[0], workers=0)
    assert of_some.path.to_pylist() == [photo.name for photo in photos[:2]]
    assert of_some.probs is not None
    assert of_one.probs is not None
    assert of_all.probs is not None
    assert np.allclose(of_some.probs, of_all.probs[:2], atol=1e-5)
    assert np.allclose(of_one.probs, of_all.probs[:1], atol=1e-5)
    assert [item.path for item in of_some.header.history[-1].inputs[:2]] == [str(one) for one in photos[:2]]


def test_no_photo_is_an_error_and_so_is_a_root_of_photos(info_csv: Path, checkpoints: list[Path]) -> None:
    with pytest.raises(MaskkitError, match="no photo is given"):
        predict([], checkpoints[0])
    photo = next((info_csv.parent / "images").iterdir())
    with pytest.raises(MaskkitError, match="photos are where they are named"):
        predict(photo, checkpoints[0], root="elsewhere")


def test_tables_are_given_to_pandas(folds: Manifest, oof: Predictions) -> None:
    table = folds.to_pandas()
    assert len(table) == len(folds)
    assert isinstance(table["mask"].dtype, pd.CategoricalDtype)
    assert table["label"].dtype == "Int16"
    answers = oof.to_pandas().set_index("path")
    assert list(answers.columns) == ["answer", "confidence", *folds.space.names, "fold"]
    assert (answers[folds.space.names].idxmax(axis=1) == answers["answer"]).all()


def test_what_is_printed_of_them_is_short(folds: Manifest, oof: Predictions, here: Path) -> None:
    assert repr(folds) == "<Manifest: 168 photos, 168 labelled, 18 classes, 3 folds>"
    assert repr(oof) == "<Predictions: 168 photos, 18 classes>"
    oof.write("oof.csv")
    assert repr(Predictions.read("oof.csv")) == "<Predictions oof.csv: 168 photos, 18 classes>"
    assert repr(ensemble([oof, oof])) == "<Ensemble of 2: 168 photos>"


def test_predictions_are_written_in_each_form_and_never_over_others(oof: Predictions, here: Path) -> None:
    oof.write("oof.parquet")
    oof.write("oof.csv")
    oof.write("submission.csv", form="submission")
    assert (here / "submission.csv").read_text().startswith("ImageID,ans\n")
    assert (here / "oof.parquet").read_bytes()[:4] == b"PAR1"
    with pytest.raises(MaskkitError, match=r"oof\.csv exists already"):
        oof.write("oof.csv")


LEAKS: dict[str, tuple[str, Callable[[list[Path]], Any]]] = {
    "predict": (
        "predict folds.parquet {0} --workers 0 -o x.parquet",
        lambda models: predict("folds.parquet", models[0], workers=0),
    ),
    "evaluate": (
        "evaluate folds.parquet leaky.parquet",
        lambda _: evaluate("folds.parquet", "leaky.parquet"),
    ),
    "ensemble": (
        "ensemble leaky.parquet leaky.parquet --vote soft -o x.parquet",
        lambda _: ensemble(["leaky.parquet", "leaky.parquet"], vote="soft"),
    ),
    "train": (
        "train divided.parquet -o x.safetensors",
        lambda _: train("divided.parquet", "x.safetensors"),
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_refused_in_the_words_of_the_command(
    name: str, here: Path, folds: Manifest, checkpoints: list[Path]
) -> None:
    folds.write("folds.parquet")
    predict(folds, checkpoints, allow_leak=True, workers=0).write("leaky.parquet")
    column = folds.table.column_names.index("fold")
    values = folds.table["fold"].to_pylist()
    by_photo = folds.table.set_column(column, "fold", [[place % 3 for place in range(len(values))]])
    Manifest(by_photo, folds.header).write("divided.parquet")
    words, function = LEAKS[name]
    done = run(*words.format(*checkpoints).split())
    assert done.exit_code == 3
    with pytest.raises(RefusedError) as caught:
        function(checkpoints)
    said = " ".join(str(caught.value).split())
    assert said in " ".join(done.stderr.split())


USAGE: list[tuple[Callable[[Manifest, Predictions], Any], str]] = [
    (lambda folds, _: split(folds, folds=1), "folds cannot be 1"),
    (lambda folds, _: train(folds, "x.safetensors", loss="focl"), "--loss cannot be 'focl'"),
    (lambda folds, _: train(folds, "x.ckpt"), "does not end in .safetensors"),
    (lambda folds, _: train(folds, "x.safetensors", fold="all"), "one file for several folds"),
    (lambda folds, _: train(folds, "x.safetensors", epochs=0), "epochs cannot be 0"),
    (lambda folds, _: predict(folds, [], sets=0.9), "sets is given without calibrate"),
    (lambda folds, oof: predict(folds, [], calibrate=oof, decide="d.json"), "calibrate is given with decide"),
    (lambda folds, _: predict(folds, [], tta="flip"), "there is no 'flip'"),
    (lambda folds, _: predict(folds, [], runtime="tensorrt"), "runtime cannot be 'tensorrt'"),  # type: ignore[arg-type]
    (lambda _, oof: ensemble([oof, oof], vote="sofft"), "did you mean soft?"),  # type: ignore[arg-type]
    (lambda _, oof: ensemble([oof, oof], vote="stacking"), "stacking learns from out-of-fold"),
    (lambda _, oof: ensemble([oof, oof], search="greedy"), "search is given without fit"),
    (lambda _, oof: ensemble([oof, oof], consensus="person"), "it needs to know the people"),
    (lambda *_: ensemble([]), "predictions is empty"),
    (lambda folds, oof: evaluate(folds, oof, by=["age:"]), "age:"),
    (lambda folds, oof: evaluate(folds, oof, sets_per="age"), "sets_per is given without sets"),
    (lambda *_: label("x.csv", ignore=["age"]), "age"),
    (lambda *_: label("x.csv", person_from="(a"), "(a"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "said"), USAGE, ids=[said for _, said in USAGE])
def test_what_the_command_refuses_as_usage_is_an_error_in_three_parts(
    function: Callable[[Manifest, Predictions], Any], said: str, folds: Manifest, oof: Predictions
) -> None:
    with pytest.raises(MaskkitError) as caught:
        function(folds, oof)
    assert said in str(caught.value)
    assert error_parts(str(caught.value)) == ["error", "why", "fix"]


def test_what_commands_say_is_logged_and_nothing_is_printed(
    folds: Manifest, oof: Predictions, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "maskkit"):
        evaluate(folds, ensemble([oof, oof], consensus="person", on=folds).predictions)
    assert capsys.readouterr().out == ""
    assert any("consensus" in record.message for record in caplog.records)
