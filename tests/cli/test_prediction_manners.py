"""What every command that takes predictions refuses, and how; what one refuses, all refuse.

`python tests/cli/test_prediction_manners.py` prints the table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from commandline import error_parts, run

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.labels import Factor, LabelSpace
from maskkit.options.train_options import Inference
from maskkit.stages.label import label
from maskkit.stages.predict import predict

CASES = {
    "seen": "a model that has seen the people",
    "order": "columns in another order",
    "space": "another label space",
    "missing": "a missing photo",
    "twice": "a duplicate id",
    "foreign": "a foreign id",
}
REFUSED = {"seen": 3, "order": 1, "space": 1, "missing": 1, "twice": 1, "foreign": 1}


@dataclass(frozen=True)
class Command:
    """A command that takes predictions.

    Args:
        words: With `{}` where the predictions come, and `{good}` for good ones.
        output: A file that it writes.
        accepts: Cases that it rightly accepts, each with what it says of it on standard error.
        of: The photos that its predictions are of.
    """

    words: str
    output: str
    accepts: Mapping[str, str] = field(default_factory=dict)
    of: str = "folds"


COMMANDS = {
    "evaluate": Command("evaluate folds.parquet {} -o x.json", "x.json"),
    "evaluate --against": Command(
        "evaluate folds.parquet {good} --against {} -o x.json", "x.json",
        {"missing": "has no prediction of 1 labelled photos", "foreign": "predicts 1 photos that"},
    ),
    "evaluate --tune": Command(
        "evaluate folds.parquet {} --tune temperature --decision x.json", "x.json"
    ),
    "compare": Command(
        "compare {good} {} --on folds.parquet --html x.html", "x.html",
        {"missing": "has no prediction of 1 labelled photos", "foreign": "predicts 1 photos that"},
    ),
    "audit": Command(
        "audit folds.parquet {} --no-photos -o x.parquet", "x.parquet",
        {"missing": "", "foreign": "are not in folds.parquet: they are left out"},
    ),
    "pseudo": Command(
        "pseudo folds.parquet {} --unlabeled others.parquet --threshold 0.01 -o x.parquet", "x.parquet",
        {"missing": "6 of 6 photos added"}, of="others",
    ),
    "ensemble": Command(
        "ensemble {good} {} --vote soft -o x.parquet", "x.parquet", {"seen": ""}  # no truth, no people
    ),
    "ensemble --on": Command("ensemble {good} {} --vote soft --on folds.parquet -o x.parquet", "x.parquet"),
    "ensemble --fit": Command(
        "ensemble {good} {good} --vote soft --fit {good} {} --on folds.parquet -o x.parquet", "x.parquet"
    ),
    "ensemble --consensus": Command(
        "ensemble {} {} --vote soft --consensus person --who folds.parquet -o x.parquet", "x.parquet",
        {"missing": ""},
    ),
    "evaluate --sets": Command("evaluate folds.parquet {} --sets 0.5 -o x.json", "x.json"),
    "predict --sets": Command(
        "predict folds.parquet fold0.safetensors fold1.safetensors fold2.safetensors --oof --workers 0 "
        "--calibrate {} --sets 0.5 -o x.parquet", "x.parquet",
        {"missing": "of 167 out-of-fold photos", "foreign": "are not in folds.parquet: they are left out"},
    ),
    "predict --calibrate": Command(
        "predict folds.parquet fold0.safetensors fold1.safetensors fold2.safetensors --oof --workers 0 "
        "--calibrate {} -o x.parquet", "x.parquet",
        {"missing": "on 167 out-of-fold photos", "foreign": "are not in folds.parquet: they are left out"},
    ),
}  # fmt: skip


def some(predictions: Predictions, rows: Sequence[int], path: pa.ChunkedArray | None = None) -> Predictions:
    """Return some of the rows, under other paths if they are given."""
    assert predictions.probs is not None
    taken = np.array(rows)
    return replace(
        predictions,
        path=predictions.path.take(pa.array(taken)) if path is None else path,
        answer=predictions.answer[taken],
        probs=predictions.probs[taken],
        fold=None if predictions.fold is None else predictions.fold[taken],
        source=None,
    )


def spoilt(good: Predictions) -> dict[str, bytes]:
    """Return predictions that are as good as these but for one thing, by name of the file."""
    assert good.classes is not None
    assert good.header.space is not None
    rows = range(len(good))
    first = good.path[0].as_py()
    age = Factor("age", ("under30", "30to59", "60plus"), cuts=(30, 58))
    space = LabelSpace((*good.header.space.factors[:2], age))
    foreign = pa.chunked_array([[*good.path.to_pylist(), "foreign.jpg"]])
    twice = pa.chunked_array([[*good.path.to_pylist(), first]])
    return {
        "good.parquet": bytes(good.encode("parquet")),
        "again.parquet": bytes(good.encode("parquet")),
        "order.csv": bytes(replace(good, classes=good.classes[1:] + good.classes[:1]).encode("csv")),
        "space.parquet": bytes(replace(good, header=replace(good.header, space=space)).encode("parquet")),
        "missing.parquet": bytes(some(good, rows[1:]).encode("parquet")),
        "twice.parquet": bytes(some(good, [*rows, 0], twice).encode("parquet")),
        "foreign.parquet": bytes(some(good, [*rows, 0], foreign).encode("parquet")),
    }


@pytest.fixture(scope="module")
def made(
    folds: Manifest, checkpoints: list[Path], info_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with two manifests, models, and predictions of the photos of each, good and spoilt."""
    folder = tmp_path_factory.mktemp("manners")
    folds.write(folder / "folds.parquet")
    others = label(info_csv)
    others.write(folder / "others.parquet")
    models = [Checkpoint.read(path) for path in checkpoints]
    inference = Inference("cpu", workers=0)
    for number, path in enumerate(checkpoints):
        (folder / f"fold{number}.safetensors").symlink_to(path)
    # The same photos without people, so that nobody but the digests can tell who was seen.
    nobody = folds.table.column_names.index("person_id")
    column = pa.nulls(len(folds), pa.string())
    plain = replace(folds, table=folds.table.set_column(nobody, "person_id", column), source=None)
    given = {
        "folds": predict(folds, models, oof=True, inference=inference),
        "others": predict(others, models[:1], inference=inference),
    }
    seen = {
        "folds": predict(plain, models, inference=inference),
        "others": predict(others, models, inference=inference),
    }
    assert seen["folds"].leaked == 0
    for name, good in given.items():
        (folder / name).mkdir()
        for file, data in {**spoilt(good), "seen.parquet": bytes(seen[name].encode("parquet"))}.items():
            (folder / name / file).write_bytes(data)
    return folder


@pytest.fixture
def work(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file_of(command: Command, case: str) -> str:
    return f"{command.of}/{case}{'.csv' if case == 'order' else '.parquet'}"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", COMMANDS)
def test_predictions_that_do_not_fit_are_refused_by_every_command(work: Path, name: str, case: str) -> None:
    command = COMMANDS[name]
    given = file_of(command, case)
    words = command.words.replace("{}", given).replace("{good}", file_of(command, "good"))
    result = run(*words.split())
    if case in command.accepts:
        assert result.exit_code == 0, result.stderr
        assert command.accepts[case] in result.stderr
        assert Path(command.output).exists()
        return
    assert result.exit_code == REFUSED[case], result.stderr
    assert error_parts(result.stderr) == ["error", "why", "fix"]
    assert given.split("/")[1] in result.stderr or case == "missing"
    assert not Path(command.output).exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_good_predictions_are_taken_by_every_command(work: Path, name: str) -> None:
    command = COMMANDS[name]
    good = file_of(command, "good")
    words = command.words.replace("{}", f"{command.of}/again.parquet").replace("{good}", good)
    result = run(*words.split())
    assert result.exit_code == 0, result.stderr
    assert Path(command.output).exists()


def table() -> str:
    """Return what each command does with each case: an exit code, and what it says where it goes on."""
    rows = [["", *CASES.values()]]
    for name, command in COMMANDS.items():
        told = [
            str(REFUSED[case]) if case not in command.accepts else f"0 {command.accepts[case]}".strip()
            for case in CASES
        ]
        rows.append([name, *told])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:], ""])


if __name__ == "__main__":
    sys.stdout.write(table())
