"""A dry run refuses what the run refuses before its work, in the same words, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import COMMANDS, DESCRIBED, QUICK, error_parts, run

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.header import Record
from maskkit.artifacts.locks import held
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.progress_file import ProgressFile, progress_path
from maskkit.cli.shell import terminal
from maskkit.imaging.surveyed import surveyed
from maskkit.labels import Factor, LabelSpace
from maskkit.stages.label import label
from maskkit.stages.split import split

SMALL = QUICK.replace(" --device cpu", "")
TRAIN = f"train folds.parquet -o x.safetensors {SMALL}"
FIND = f"lr-find folds.parquet {SMALL.replace('--epochs 1 ', '')}"
PREDICT = "predict folds.parquet fold0.safetensors -o x.parquet --allow-leak --workers 0"
OOF = "predict folds.parquet fold0.safetensors fold1.safetensors fold2.safetensors --oof -o x.parquet"
FIT = "--fit oof.parquet again.parquet --on folds.parquet"
BOTH = "fold0.safetensors fold1.safetensors"

# What is refused, by the options that are wrong: of each command every kind of thing that it looks at before
# its work.
REFUSED = [
    # training: the model, its weights and what it learns with
    f"{TRAIN} --model resnet99",
    f"{TRAIN} --model test_efficientnet:nothing=3",
    f"{TRAIN} --weights nowhere.pth",
    f"{TRAIN} --weights folds.parquet",
    f"{TRAIN} --weights fold0.safetensors --model test_resnet",
    f"{TRAIN} --model convnext_atto_rms --weights hub",
    f"{TRAIN} --size 8 --model test_vit",
    f"{TRAIN} --optimizer adamx",
    f"{TRAIN} --optimizer adahessian",
    f"{TRAIN} --optimizer fusedlamb",
    f"{TRAIN} --device cuda",
    f"{TRAIN} --precision float16 --device cpu",
    f"{TRAIN} --freeze gradual:epochs=9",
    f"{TRAIN} --batch-size 1",
    # what it learns from
    f"{TRAIN} --fold 7",
    f"{TRAIN} --root nowhere",
    f"{TRAIN} --mix half:partner=age=old",
    f"{TRAIN} --oversample age=old:2",
    f"{TRAIN} --augment-rare age=old:strong",
    f"{TRAIN} --unlabeled nowhere --consistency fixmatch",
    f"{TRAIN} --unlabeled lost.parquet --consistency fixmatch",
    f"{TRAIN} --unlabeled folds.parquet --consistency fixmatch",
    f"{TRAIN} --unlabeled other.parquet --consistency fixmatch",
    f"{TRAIN} --teacher nowhere",
    f"{TRAIN} --teacher folds.parquet",
    f"{TRAIN} --teacher oof.parquet",
    f"{TRAIN} --teacher other-oof.csv",
    # where it writes, and whom it tells
    f"{TRAIN} --track nowhere:runs",
    f"{TRAIN} --track wandb:project",
    f"{TRAIN} --track tensorboard:runs,all=1",
    f"{TRAIN} --resume -o old.safetensors",
    f"{TRAIN} -o taken.safetensors",
    f"{TRAIN} -o held.safetensors",
    f"{TRAIN} --fold all -o run{{{{fold}}}}.safetensors --track nowhere:runs",
    f"{TRAIN} --fold none --schedule cosine:stop=3",
    f"{TRAIN} --preview x.png --freeze all",
    f"{TRAIN} --preview x.png --fold 7",
    f"train labels.parquet -o x.safetensors {SMALL}",
    f"{FIND} --model resnet99",
    f"{FIND} --fold 9",
    f"{FIND} --start 1 --end .1",
    f"{FIND} --freeze phase",
    f"{FIND} --root nowhere",
    f"{FIND} --optimizer fusedlamb",
    f"{FIND} --device cuda",
    "bench folds.parquet --model resnet99",
    "bench folds.parquet --device cuda",
    "bench folds.parquet --root nowhere --model test_efficientnet --size 32",
    f"soup {BOTH} -o x.safetensors --on folds.parquet",
    f"soup {BOTH} -o x.safetensors --on truth --uniform --root nowhere",
    "soup fold0.safetensors fold0.safetensors -o x.safetensors --uniform",
    f"soup {BOTH} -o x.safetensors --uniform --device cuda",
    f"soup {BOTH} -o x.safetensors --uniform --on other.parquet",
    # predicting
    "predict nowhere fold0.safetensors -o x.parquet",
    f"{PREDICT} --root nowhere",
    f"{PREDICT} --device cuda",
    f"{PREDICT} --decide other.json",
    f"{PREDICT} --calibrate oof.parquet --on other.parquet",
    f"{PREDICT} --resume -o old.parquet",
    "predict folds.parquet fold0.safetensors -o x.parquet",
    "predict other.parquet fold0.safetensors -o x.parquet",
    f"{OOF} --consensus person --root nowhere",
    "ensemble oof.parquet other-oof.csv -o x.parquet",
    "ensemble oof.parquet leaky-oof.parquet -o x.parquet",
    "ensemble oof.parquet again.parquet -o x.parquet --vote soft --decide other.json",
    "ensemble oof.parquet again.parquet -o x.parquet --consensus person --who unlabelled",
    f"ensemble oof.parquet test.parquet -o x.parquet {FIT}",
    f"ensemble oof.parquet again.parquet -o x.parquet --vote soft --decide other.json {FIT}",
    f"ensemble test.parquet test.parquet -o x.parquet --consensus person --who truth {FIT}",
    # judging
    "evaluate folds.parquet leaky-oof.parquet",
    "evaluate unlabelled oof.parquet",
    "evaluate folds.parquet oof.parquet --tune nothing",
    "evaluate folds.parquet oof.parquet --by nothing",
    "evaluate folds.parquet oof.parquet --by brightness --tune nothing",
    "evaluate folds.parquet oof.parquet --by brightness --html x.html --curves oof.parquet",
    "evaluate folds.parquet oof.parquet --by brightness --root nowhere",
    "evaluate folds.parquet oof.parquet --html x.html --photos --root nowhere",
    "compare oof.parquet again.parquet --best --on other.parquet",
    "compare oof.parquet --on folds.parquet",
    "audit folds.parquet test.parquet",
    "audit folds.parquet --root nowhere",
    "audit folds.parquet --against lost.parquet",
    "review folds.parquet nowhere -o x.csv",
    "review labels.parquet -o x.csv",
    "pseudo folds.parquet test.parquet -o x.parquet --unlabeled unlabelled",
    "pseudo folds.parquet test-fold0.parquet -o x.parquet --unlabeled unlabelled --threshold 1",
    "export nowhere -o x.onnx",
    "export folds.parquet -o x.onnx",
    "show nowhere",
    # data
    "label {train_csv} -o x.parquet --root nowhere",
    "label {train_csv} -o x.parquet --task labels.toml",
    "label {train_csv} -o x.parquet --ignore age=old",
    "label {train_csv} -o x.parquet --corrections labels.toml",
    "label nowhere -o x.parquet",
    "label {train_csv} -o x.parquet --person-from (a+)_.*",
    "crop folds.parquet -o x.parquet --detector nowhere",
    "crop folds.parquet -o x.parquet --detector labels.toml",
    "crop folds.parquet -o x.parquet --detector detector --root nowhere",
    "split folds.parquet -o x.parquet --by nobody",
    "join folds.parquet -o x.parquet",
    "join part1.parquet -o x.parquet",
    "split folds.parquet -o x.parquet --folds 99",
    "split folds.parquet -o x.parquet --stratify nothing",
    "split unlabelled -o x.parquet",
    "split leaky.parquet --check",
    "eda nowhere",
    "eda folds.parquet --root nowhere",
    "eda folds.parquet lost.parquet",
    "eda folds.parquet -o x.parquet --root nowhere",
    "eda folds.parquet --survey folds.parquet",
    "eda folds.parquet --survey survey.parquet",
    "audit folds.parquet --survey part1.parquet",
    "audit folds.parquet --against unlabelled --survey survey.parquet",
    "demo full",
]


@pytest.fixture
def spoiled(work: Path, folds: Manifest) -> Iterator[Path]:
    """The folder of the artifacts, and beside them what commands refuse; one output is of another run."""
    Path("lost.csv").write_text("path\nlost.jpg\n")
    label("lost.csv", no_check=True).write("lost.parquet")
    other = LabelSpace((Factor("part", ("ok", "scratched")),))
    Path("other.toml").write_text(other.to_toml())
    parts = folds.table.select(["path"]).append_column("part", pa.array(["ok"] * len(folds)))
    pq.write_table(parts, "parts.parquet")
    split(label("parts.parquet", root=str(folds.root), task="other.toml"), by="image").write("other.parquet")
    Path("other.json").write_bytes(Decision.make(other, (), method="classes", offsets=[0.0, 0.5]).to_bytes())
    Path("other-oof.csv").write_text("path,ok,scratched\n" + "".join(f"{one},1,0\n" for one in folds.paths))
    Path("survey.parquet").write_bytes(surveyed(folds, half=True).to_bytes())
    for output in ("taken.safetensors", "old.history.csv", "full/of-it"):
        Path(output).parent.mkdir(exist_ok=True)
        Path(output).touch()
    record = Record("predict", {"tta": "hflip"}, ())
    with ProgressFile(progress_path(Path("old.parquet")), record) as kept:
        kept.append(b"finished")
    with held(Path("held.safetensors")):
        yield work


def folder(place: Path) -> dict[str, tuple[int, int]]:
    """Return when each thing in a folder was changed, and how large it is."""
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(place.rglob("*"))}


def refusal(said: str) -> str:
    """Return the error in what a command has said, beside what it noted before."""
    return said[said.index("error: ") :] if "error: " in said else said


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_what_the_run_refuses_in_the_same_words_and_changes_nothing(
    text: str, spoiled: Path, words: Any
) -> None:
    before = folder(spoiled)
    dry = run(*words(text), "--dry-run")
    assert dry.exit_code in (1, 3), dry.stdout
    assert (dry.stdout, error_parts(refusal(dry.stderr))) == ("", ["error", "why", "fix"])
    assert folder(spoiled) == before
    wet = run(*words(text))
    assert (wet.exit_code, refusal(wet.stderr)) == (dry.exit_code, refusal(dry.stderr))
    assert folder(spoiled).keys() == before.keys()  # the run had not begun its work either


def test_every_command_has_something_that_a_dry_run_refuses() -> None:
    assert {text.split()[0] for text in REFUSED} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_does_no_work_and_changes_nothing_also_by_force_and_where_files_are(
    name: str, words: Any, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = DESCRIBED[name]
    output = ["-o", f"made{one.suffix}", "--force"] if one.suffix else []
    if output:
        Path(output[1]).write_text("before")
    before = folder(work)
    worked: list[str] = []

    def shown(items: Iterable[Any], _total: int, what: str) -> Iterator[Any]:
        worked.append(what)
        return iter(items)

    monkeypatch.setattr(terminal, "track", shown)
    result = run(name, *words(one.words), *output, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"[{name}]\n")  # and no result
    assert folder(work) == before
    assert worked == []


def test_what_is_begun_is_looked_at_and_left(work: Path) -> None:
    words = [*TRAIN.split(), "--epochs", "2"]
    assert run(*words).exit_code == 0
    before = folder(work)
    assert run(*words, "--dry-run").exit_code == 1
    again = run(*words, "--resume", "--dry-run")
    assert (again.exit_code, "is finished already" in again.stderr) == (0, True)
    other = run(*words, "--learning-rate", "1", "--resume", "--dry-run")
    assert (other.exit_code, "learning_rate" in other.stderr) == (1, True)
    assert run(*words, "--force", "--dry-run").exit_code == 0
    assert folder(work) == before


def test_fetches_no_weights_and_finds_what_else_is_wrong(work: Path) -> None:
    words = TRAIN.replace(" --weights none", " --weights hub").split()
    fine = run(*words, "--dry-run")
    assert fine.exit_code == 0, fine.stderr
    assert "are not downloaded, and a dry run fetches none" in fine.stderr
    assert "took the weights" not in fine.stderr
    assert "cannot work here" in run(*words, "--optimizer", "fusedlamb", "--dry-run").stderr


def test_photos_that_would_leak_are_read_for_it(work: Path) -> None:
    words = [*TRAIN.split(), "--unlabeled", "truth", "--consistency", "fixmatch", "--dry-run"]
    result = run(*words)
    assert result.exit_code == 3
    assert "are of people whom fold 0 holds out" in result.stderr
