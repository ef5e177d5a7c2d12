"""`maskkit pseudo` from photos to a second round, and the leak that it is there to prevent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import QUICK, error_parts, run

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.options.train_options import Inference
from maskkit.stages.label import label
from maskkit.stages.predict import predict

TEST = "--unlabeled test.parquet --threshold 0.01 --quiet"


@pytest.fixture(scope="module")
def made(
    folds: Manifest, checkpoints: list[Path], info_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with folds, their models, test photos, and what each fold's model says of these."""
    folder = tmp_path_factory.mktemp("pseudo")
    folds.write(folder / "folds.parquet")
    test = label(info_csv)
    test.write(folder / "test.parquet")
    models = [Checkpoint.read(path) for path in checkpoints]
    for number, path in enumerate(checkpoints):
        (folder / f"fold{number}.safetensors").symlink_to(path)
        said = predict(test, [models[number]], inference=Inference("cpu", workers=0))
        (folder / f"test-fold{number}.parquet").write_bytes(said.encode("parquet"))
    return folder


@pytest.fixture
def work(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own working folder with links to these."""
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def maskkit(words: str, code: int = 0) -> str:
    result = run(*words.split())
    assert result.exit_code == code, result.stderr
    return result.stderr


def test_labels_of_one_folds_model_never_train_the_other_folds(work: Path) -> None:
    """The mistake of a well-known solution: fold 1's model labelled the test photos for all five folds."""
    maskkit(f"pseudo folds.parquet test-fold1.parquet {TEST} -o pseudo1.parquet")
    for fold in ("0", "2", "all"):
        output = f"again{'{fold}' if fold == 'all' else fold}.safetensors"
        told = maskkit(f"train pseudo1.parquet --fold {fold} {QUICK} -o {output}", 3)
        assert "7 pseudo labels of pseudo1.parquet are for fold 1, not for fold" in told
        assert error_parts(told) == ["error", "why", "fix"]
        assert not list(work.glob("again*"))
    told = maskkit(f"train pseudo1.parquet --fold 0 {QUICK} -o again0.safetensors --allow-leak")
    assert "the held-out score is inflated" in told
    told = maskkit("predict folds.parquet again0.safetensors --oof --workers 0 -o oof.parquet", 3)
    assert "every model has seen their people" in told


def test_each_fold_learns_the_labels_of_its_own_model_and_is_scored_as_before(work: Path) -> None:
    for fold in range(3):
        maskkit(f"pseudo folds.parquet test-fold{fold}.parquet {TEST} -o pseudo{fold}.parquet")
        maskkit(f"train pseudo{fold}.parquet --fold {fold} {QUICK} -o again{fold}.safetensors")
    models = "again0.safetensors again1.safetensors again2.safetensors"
    told = maskkit(f"predict folds.parquet {models} --oof --workers 0 -o oof.parquet")
    assert "168 photos by 3 models" in told
    assert "left out" not in told
    maskkit("evaluate folds.parquet oof.parquet")
    maskkit("predict test.parquet again0.safetensors --workers 0 -o test-again0.parquet")
    history = Checkpoint.read("again0.safetensors").header.history
    stages = [
        "label",
        "label",
        "split",
        "train",
        "predict",
        "pseudo",
        "train",
    ]  # all that is needed to make it again
    assert [record.stage for record in history] == stages
    assert history[-2].found == {"folds": [0], "for_fold": [0]}
    facts = json.loads(run("show", "pseudo0.parquet", "--json").stdout)
    assert facts["pseudo labels for fold"] == {"0": 7}


def test_predictions_of_all_models_together_are_refused(work: Path) -> None:
    maskkit("predict test.parquet fold0.safetensors fold1.safetensors --workers 0 -o both.parquet")
    maskkit("ensemble test-fold0.parquet test-fold1.parquet --vote soft -o blend.parquet")
    for name in ("both", "blend"):
        told = maskkit(f"pseudo folds.parquet {name}.parquet {TEST} -o pseudo.parquet", 3)
        assert "no fold may train on labels from" in told
        assert error_parts(told) == ["error", "why", "fix"]
        assert not (work / "pseudo.parquet").exists()


def test_a_csv_tells_nothing_of_its_models(work: Path) -> None:
    maskkit("predict test.parquet fold0.safetensors --workers 0 -o test.csv")
    assert "not known on whom" in maskkit(f"pseudo folds.parquet test.csv {TEST} -o pseudo.parquet", 3)
    told = maskkit(
        f"pseudo folds.parquet test.csv {TEST.replace(' --quiet', '')} --allow-leak -o pseudo.parquet"
    )
    assert "7 of 7 photos added, to train no fold, unless with --allow-leak" in told
    assert "for no fold" in maskkit(f"train pseudo.parquet {QUICK} -o x.safetensors", 3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--threshold 0.9 --share 0.3", "both say which"),
        ("--share 0", "0 is no photo"),
        ("--share 1.5", "--share"),
        ("--threshold 2", "--threshold"),
        ("--weight none", "--weight"),
        ("--balance even", "--balance"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(work: Path, words: str, told: str) -> None:
    shown = maskkit(
        f"pseudo folds.parquet test-fold0.parquet --unlabeled test.parquet -o x.parquet {words}", 2
    )
    assert told in " ".join(shown.split())


def test_says_what_to_do_where_the_photos_are_not_known(work: Path) -> None:
    told = maskkit("pseudo folds.parquet test-fold0.parquet -o x.parquet", 1)
    assert "7 photos that are not in folds.parquet" in told
    assert "--unlabeled" in told


def test_its_history_makes_it_again(work: Path) -> None:
    words = "--unlabeled test.parquet --share 0.9 --balance none --targets soft --weight confidence:0.5"
    maskkit(f"pseudo folds.parquet test-fold0.parquet {words} -o a.parquet")
    before = Path("a.parquet").read_bytes()
    script = run("show", "a.parquet", "--history").stdout
    (line,) = [line for line in script.splitlines() if line.startswith("maskkit pseudo")]
    maskkit(line.removeprefix("maskkit ") + " --force")
    assert Path("a.parquet").read_bytes() == before
