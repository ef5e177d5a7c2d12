from pathlib import Path

import pytest
from trainings import oof_of, opened, write_fold, write_history, write_oof, write_run

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import Run, labels_of, open_runs
from maskkit.errors import MaskkitError


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, so that names are short."""
    monkeypatch.chdir(tmp_path)
    return Path()


def numbers(run: Run) -> list[int]:
    return [one.fold for one in run.trained]


def test_a_folder_is_its_checkpoints_and_what_they_predicted(folds: Manifest, inside: Path) -> None:
    paths = write_run(inside / "a", folds)
    write_oof(inside / "a/oof.parquet", oof_of(folds, paths))
    folds.write(inside / "a/folds.parquet")
    (inside / "a/submission.csv").write_text("ImageID,ans\nx.jpg,1\n")
    (run,) = open_runs([Path("a")])
    assert (run.name, numbers(run)) == ("a", [0, 1, 2])
    assert [one.scores["macro_f1"] for one in run.trained] == pytest.approx([0.5, 0.51, 0.52])
    assert run.predictions is not None
    assert run.predictions.name == "a/oof.parquet"
    assert run.manifests == {folds.as_input().sha256}
    assert [record.stage for record in run.history] == ["label", "split", *["train"] * 3, "predict"]


def test_files_of_one_folder_and_the_same_options_are_one_run(folds: Manifest, inside: Path) -> None:
    plain = write_run(inside / "a", folds)
    focal = [write_fold(inside / "a", folds, fold, name="focal", loss="focal") for fold in (2, 0)]
    other = write_run(inside / "b", folds, workers=0)
    runs = open_runs(opened(plain[1], *focal, *other, plain[0]))
    assert [run.name for run in runs] == ["a/fold*", "a/focal*", "b/fold*"]
    assert [numbers(run) for run in runs] == [[0, 1], [0, 2], [0, 1, 2]]
    assert [run.name for run in open_runs([Path("a"), Path("b")])] == ["a/focal*", "a/fold*", "b"]


def test_a_checkpoint_and_its_history_are_one_fold(folds: Manifest, inside: Path) -> None:
    write_run(inside / "a", folds)
    (run,) = open_runs(opened(*sorted(Path("a").iterdir())))
    assert (run.name, numbers(run)) == ("a/fold*", [0, 1, 2])


def test_a_history_is_of_the_checkpoint_beside_it_and_else_of_the_fold_in_its_name(
    folds: Manifest, inside: Path
) -> None:
    write_fold(inside, folds, 2, name="best")
    Path("best2.safetensors").rename("best.safetensors")
    known = write_history(inside / "best.history.csv", [0.9])
    lone = write_history(inside / "c/fold4.history.csv", [0.3, 0.6, 0.4])
    first, second = open_runs(opened(known, lone))
    assert (numbers(first), first.trained[0].scores["macro_f1"]) == ([2], 0.5)
    assert (numbers(second), second.trained[0].scores["macro_f1"]) == ([4], 0.6)
    assert (second.name, second.history) == ("c/fold4.history.csv", ())
    with pytest.raises(MaskkitError, match=r"it is not known which fold .*plain\.history\.csv is of"):
        open_runs(opened(write_history(inside / "plain.history.csv", [0.5])))


def test_runs_whose_files_are_named_alike_are_told_apart(folds: Manifest, inside: Path) -> None:
    for fold in range(3):
        write_fold(inside / "a", folds, fold, loss="focal" if fold == 1 else "ce")
    names = [run.name for run in open_runs([Path("a")])]
    assert names == ["a/fold0.safetensors and 1 more", "a/fold1.safetensors"]


def test_a_damaged_history_is_an_error(inside: Path) -> None:
    path = write_history(inside / "fold0.history.csv", [0.5])
    for text in (
        *(path.read_text().replace("0.5,", f"{bad},") for bad in ("high", "inf", "nan")),
        path.read_text().splitlines()[0] + "\n",
    ):
        path.write_text(text)
        with pytest.raises(MaskkitError, match="is a damaged history"):
            open_runs(opened(path))


def test_a_checkpoint_needs_no_more_facts_than_its_score(folds: Manifest, inside: Path) -> None:
    path = write_fold(inside, folds, 1)
    text = path.read_bytes()[8:].replace(b'\\"heads\\"', b'\\"other\\"')
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    assert numbers(open_runs(opened(path))[0]) == [1]
    text = text.replace(b'\\"scores\\"', b'\\"others\\"')
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(MaskkitError, match="does not say how it scored") as caught:
        open_runs(opened(path))
    assert "scores" in caught.value.why


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_fold_that_is_still_trained_belongs_to_the_others(
    folds: Manifest, inside: Path, as_folder: bool
) -> None:
    write_run(inside / "a", folds)
    Path("a/fold0.safetensors").unlink()
    given = [Path("a")] if as_folder else opened(*sorted(Path("a").iterdir()))
    (run,) = open_runs(given)
    assert (numbers(run), run.name) == ([0, 1, 2], "a" if as_folder else "a/fold*")


def test_predictions_that_are_given_themselves_are_runs_of_their_own(folds: Manifest, inside: Path) -> None:
    paths = write_run(inside / "a", folds)
    for name in ("one", "other"):
        write_oof(inside / f"a/{name}.parquet", oof_of(folds, paths))
    Path("votes.csv").write_bytes(oof_of(folds, paths).encode("submission"))
    given = opened("a/one.parquet", "a/other.parquet", "votes.csv", *paths)
    assert [run.name for run in open_runs(given)] == [
        "a/one.parquet", "a/other.parquet", "votes.csv", "a/fold*",
    ]  # fmt: skip
    with pytest.raises(MaskkitError, match="holds out-of-fold predictions twice") as caught:
        open_runs([Path("a")])
    assert "a/one.parquet" in caught.value.what


def test_weights_of_another_program_are_passed_over_in_a_folder(folds: Manifest, inside: Path) -> None:
    write_run(inside / "a", folds)
    (inside / "a/resnet.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (run,) = open_runs([Path("a")])
    assert numbers(run) == [0, 1, 2]
    with pytest.raises(MaskkitError, match="has no maskkit header"):
        open_runs(opened("a/resnet.safetensors"))


def test_says_what_is_no_run(folds: Manifest, inside: Path) -> None:
    folds.write("folds.parquet")
    with pytest.raises(MaskkitError, match=r"folds\.parquet is a manifest") as caught:
        open_runs(opened("folds.parquet"))
    assert "--on folds.parquet" in caught.value.fix
    Path("empty").mkdir()
    with pytest.raises(MaskkitError, match="empty holds no run"):
        open_runs([Path("empty")])
    Path("notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MaskkitError, match="is not a table of predictions"):
        open_runs(opened("notes.csv"))
    with pytest.raises(MaskkitError, match="cannot read nowhere"):
        open_runs([Source.open("nowhere")])


def test_a_run_that_is_given_again_stays_one(folds: Manifest, inside: Path) -> None:
    paths = write_run(inside / "a", folds)
    write_oof(inside / "a/oof.parquet", oof_of(folds, paths))
    write_run(inside / "b", folds)
    runs = open_runs([Path("a"), Path("b"), Path("a"), *opened(*paths)])
    assert [(run.name, numbers(run)) for run in runs] == [("a", [0, 1, 2]), ("b", [0, 1, 2])]
    (run,) = open_runs([*opened(*paths), Path("a")])
    assert (run.name, run.predictions is None) == ("a", False)
    assert len(open_runs(opened("a/oof.parquet", "a/oof.parquet"))) == 1


def test_refuses_a_fold_that_was_trained_twice(folds: Manifest, inside: Path) -> None:
    write_run(inside / "a", folds)
    write_fold(inside / "a", folds, 1, name="again")
    with pytest.raises(MaskkitError, match=r"fold 1 is in one run twice: a/.*1.safetensors and a/"):
        open_runs([Path("a")])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["run/a", "run/b"], ["a", "b"]),
        (["run/a/oof.parquet", "run/b/oof.parquet"], ["a", "b"]),
        (["a.parquet", "b.parquet"], ["a", "b"]),
        (["a.parquet", "b.csv"], ["a.parquet", "b.csv"]),
        (["run", "run/oof.parquet"], ["run", "run/oof.parquet"]),
        (["x/run", "run"], ["x/run", "run"]),
        (["c/x0.safetensors", "c/y*", "d"], ["c/x0.safetensors", "c/y*", "d"]),
        (["standard input", "a/b"], ["standard input", "a/b"]),
    ],
)
def test_labels_are_the_part_in_which_names_differ(names: list[str], expected: list[str]) -> None:
    assert labels_of(names) == expected
