"""Commands whose photos and artifacts are at addresses of an object store."""

import io
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from commandline import QUICK, run
from object_store import Fault, ObjectStore, always, first

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions
from maskkit.storage.address import Address
from maskkit.training.fold_rows import FoldRows

TRAIN = "s3://home/train/train.csv"
IMAGES = "s3://home/train/images"


@pytest.fixture
def home(store: ObjectStore, work: Path, train_csv: Path) -> ObjectStore:
    """A store with the photos of the home task in one bucket, and all artifacts of `work` in another."""
    store.fill("home", train_csv.parent, below="train/")
    store.make("work", {path.name: path.read_bytes() for path in work.iterdir()})
    return store


def ok(*words: str) -> str:
    found = run(*words)
    assert found.exit_code == 0, found.output
    return found.stdout


def why_not(*words: str) -> str:
    found = run(*words)
    assert found.exit_code in (1, 2), found.output
    return found.stderr


@pytest.mark.parametrize("given", [TRAIN, "s3://home/train"])
def test_a_manifest_of_a_store_has_the_rows_of_one_of_a_folder(
    home: ObjectStore, given: str, train_csv: Path
) -> None:
    ok("label", given, "-o", "theirs.parquet")
    ok("label", str(train_csv), "-o", "ours.parquet")
    ours, theirs = Manifest.read("ours.parquet"), Manifest.read("theirs.parquet")
    assert theirs.table == ours.table
    (ours_record,), (theirs_record,) = ours.header.history, theirs.header.history
    assert theirs_record.options == {**ours_record.options, "root": IMAGES}
    assert [one.sha256 for one in theirs_record.inputs] == [one.sha256 for one in ours_record.inputs]


@pytest.mark.parametrize(
    "line",
    [
        f"label {TRAIN} -o x.parquet",
        f"predict folds.parquet fold0.safetensors --allow-leak --cache-size 0 --root {IMAGES} -o x",
        pytest.param(
            f"predict folds.parquet fold0.safetensors --allow-leak --cache cache --root {IMAGES} -o x",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_photos_are_read_side_by_side_whatever_the_number_of_cores(home: ObjectStore, line: str) -> None:
    with home.failing(always(0.05, method="GET", where=".jpg")):
        ok(*line.split())
        assert home.most_at_once > 8


def test_class_folders_of_a_store_are_those_of_a_folder(
    store: ObjectStore, train_csv: Path, tmp_path: Path
) -> None:
    photos = sorted((train_csv.parent / "images").rglob("*.jpg"))[:6]
    names = ["b/x.jpg", "b/y \N{LATIN SMALL LETTER U WITH DIAERESIS}.JPG", "b/.hidden.jpg", "a/x.jpg",
             "a/z.jpg", "a/readme"]  # fmt: skip
    for name, photo in zip(names, photos, strict=True):
        (tmp_path / "parts" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / "parts" / name)
    store.fill("parts", tmp_path / "parts")
    store.make("parts", {"c/": b""})  # a folder that some programs make, without a photo
    (tmp_path / "parts" / "c").mkdir()
    ok("label", str(tmp_path / "parts"), "-o", str(tmp_path / "ours.parquet"))
    found = run("label", "s3://parts", "-o", str(tmp_path / "theirs.parquet"))
    assert "passed over 1 photos under s3://parts" in found.stderr
    theirs = Manifest.read(tmp_path / "theirs.parquet")
    assert theirs.table == Manifest.read(tmp_path / "ours.parquet").table
    assert theirs.paths == ["a/x.jpg", "a/z.jpg", "b/x.jpg", names[1]]


def test_keys_that_no_reader_can_name_are_passed_over_and_said(store: ObjectStore, train_csv: Path) -> None:
    data = next((train_csv.parent / "images").rglob("*.jpg")).read_bytes()
    store.make("doubled", {"a/x.jpg": data, "b//y.jpg": data, "b/z.jpg": data})
    found = run("label", "s3://doubled", "-o", "-")
    assert found.exit_code == 0
    assert "passed over 1 objects below s3://doubled" in found.stderr
    assert pq.read_table(io.BytesIO(found.stdout_bytes))["path"].to_pylist() == ["a/x.jpg", "b/z.jpg"]


def test_photos_are_found_in_the_form_of_unicode_that_their_keys_have(
    store: ObjectStore, train_csv: Path, tmp_path: Path
) -> None:
    data = next((train_csv.parent / "images").rglob("*.jpg")).read_bytes()
    store.make("forms", {"u\N{COMBINING DIAERESIS}/u\N{COMBINING DIAERESIS}.jpg": data})
    name = "\N{LATIN SMALL LETTER U WITH DIAERESIS}"
    (tmp_path / "table.csv").write_text(f"path\n{name}/{name}.jpg\n")
    found = run("label", str(tmp_path / "table.csv"), "--root", "s3://forms", "-o", "-")
    assert found.exit_code == 0, found.stderr
    assert pq.read_table(io.BytesIO(found.stdout_bytes))["path"].to_pylist() == store.keys("forms")


def test_an_empty_bucket_has_no_photos_and_no_bucket_is_said(store: ObjectStore) -> None:
    store.make("empty")
    assert "s3://empty has no photos" in why_not("label", "s3://empty", "-o", "x.parquet")
    assert "there is no bucket nowhere" in why_not("label", "s3://nowhere", "-o", "x.parquet")
    assert "no such object, nor any below it" in why_not("label", "s3://empty/x", "-o", "x.parquet")


def test_a_missing_object_is_left_out_and_a_store_that_fails_is_not(home: ObjectStore) -> None:
    lost = next(key for key in home.keys("home") if key.endswith("mask1.jpg"))
    with home.failing(always(500, where=lost)) as requests:
        said = why_not("label", TRAIN, "--skip-bad", "-o", "x.parquet")
    assert f"cannot read s3://home/{lost}" in said
    assert "after 2 attempts" in said
    assert len([one for one in requests if lost in one.path and one.method == "GET"]) == 2
    assert not Path("x.parquet").exists()
    with home.failing(first(1, 500, where=lost)):
        ok("label", TRAIN, "-o", "whole.parquet")
    assert len(Manifest.read("whole.parquet")) == 168
    home.remove("home", lost)
    assert "left out 1 of 168 photos" in run("label", TRAIN, "--skip-bad", "-o", "x.parquet").stderr


@pytest.mark.parametrize(
    "line",
    [
        "eda folds.parquet",
        "predict folds.parquet fold0.safetensors --allow-leak --cache cache -o x.parquet",
        "predict folds.parquet fold0.safetensors --allow-leak --cache-size 0 -o x.parquet",
        "evaluate folds.parquet oof.parquet --photos --html x.html",
    ],
)
def test_no_photo_is_left_out_since_its_store_fails(home: ObjectStore, line: str) -> None:
    with home.failing(always(500, where="normal.jpg")):
        assert "after 2 attempts" in why_not(*line.split(), "--root", IMAGES)
    assert not Path("x.parquet").exists()


def test_no_photo_is_left_out_since_its_store_fails_after_it_was_known(home: ObjectStore) -> None:
    key, seen = next(key for key in home.keys("home") if key.endswith("normal.jpg")), count()

    def fail_later(method: str, path: str) -> Fault | None:
        return 500 if method == "GET" and key in path and next(seen) else None

    given = ["predict", "folds.parquet", "fold0.safetensors", "--allow-leak", "--root", IMAGES]
    with home.failing(fail_later):
        assert "after 2 attempts" in why_not(*given, "--cache", "cache", "-o", "x.parquet")
    assert not Path("x.parquet").exists()


def test_a_manifest_alone_makes_nothing_be_fetched(home: ObjectStore) -> None:
    ok("label", TRAIN, "--no-check", "-o", "theirs.parquet")
    ok("split", "theirs.parquet", "--folds", "3", "-o", "split.parquet")
    for line in (
        "eda theirs.parquet",
        "crop theirs.parquet --detector detector -o x.parquet",
        "audit split.parquet -o x.parquet",
        f"train split.parquet -o x.safetensors {QUICK}",
        "predict theirs.parquet fold0.safetensors --allow-leak -o x.parquet",
        "predict folds.parquet fold0.safetensors --allow-leak --oof --on theirs.parquet -o x.parquet",
        f"train folds.parquet -o x.safetensors {QUICK} --unlabeled theirs.parquet --consistency fixmatch",
    ):
        with home.watched() as requests:
            found = run(*line.split())
            assert not requests, line
        if "--on" not in line:
            assert f"give it with --root {IMAGES}" in found.stderr, line


def test_unlabelled_photos_are_read_from_the_bucket_that_was_given(home: ObjectStore) -> None:
    ok("label", TRAIN, "--no-check", "-o", "more.parquet")
    home.make("other", {f"train/{key}": home.data("home", key) for key in home.keys("home")})
    ok("label", "s3://other/train/train", "--no-check", "-o", "elsewhere.parquet")
    given = [
        "train",
        "folds.parquet",
        *QUICK.split(),
        "--consistency",
        "fixmatch",
        "--allow-leak",
        "--root",
        IMAGES,
    ]
    ok(*given, "--unlabeled", "more.parquet", "-o", "x.safetensors", "--dry-run")
    said = why_not(*given, "--unlabeled", "elsewhere.parquet", "-o", "x.safetensors", "--dry-run")
    assert "an address is only read if somebody gives it" in said


def test_predictions_from_a_store_are_those_from_a_folder(
    home: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["predict", "folds.parquet", *(f"fold{fold}.safetensors" for fold in range(3)), "--oof"]
    ok(*given, "--workers", "0", "-o", "ours.parquet")
    monkeypatch.setenv("MASKKIT_ROOT", IMAGES)  # which no record has, as it has --root
    ok(*given, "--workers", "0", "-o", "theirs.parquet")
    ok(*given, "--workers", "2", "-o", "s3://work/new/theirs.parquet")
    ours = Path("ours.parquet").read_bytes()
    assert Path("theirs.parquet").read_bytes() == ours
    assert home.data("work", "new/theirs.parquet") == ours


def test_a_model_trained_from_a_store_is_that_from_a_folder(
    home: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["train", "folds.parquet", *QUICK.split()]
    ok(*given, "-o", "ours.safetensors")
    monkeypatch.setenv("MASKKIT_ROOT", IMAGES)
    ok(*given, "-o", "s3://work/new/fold{fold}.safetensors")
    assert home.data("work", "new/fold0.safetensors") == Path("ours.safetensors").read_bytes()
    assert home.data("work", "new/fold0.history.csv").startswith(b"epoch,")
    assert "new/fold0.resume" not in home.keys("work")
    assert "finished already" in run(*given, "-o", "s3://work/new/fold{fold}.safetensors", "--resume").stderr


def test_a_training_at_an_address_goes_on_where_another_machine_stopped(
    home: ObjectStore, folds: Manifest, quick: TrainOptions, tmp_path: Path
) -> None:
    from maskkit.stages.train import train  # torch: most tests do without

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    rows, output = FoldRows.of(folds, 0), Address("s3", "work", "new/fold0.safetensors")
    with pytest.raises(KeyboardInterrupt):
        train(rows, output, options=quick, on_epoch=stop)
    assert "new/fold0.resume" in home.keys("work")
    with pytest.raises(MaskkitError, match="interrupted"):
        train(rows, output, options=quick)
    train(rows, output, options=quick, resume=True)
    train(rows, tmp_path / "whole.safetensors", options=quick)
    assert home.data("work", "new/fold0.safetensors") == (tmp_path / "whole.safetensors").read_bytes()
    assert "new/fold0.resume" not in home.keys("work")
    train(rows, output, options=quick, resume=True)  # finished already


def test_photos_that_were_decoded_once_are_not_read_again(home: ObjectStore) -> None:
    given = ["predict", "folds.parquet", "fold0.safetensors", "--allow-leak", "--root", IMAGES]
    ok(*given, "--cache", "cache", "-o", "first.parquet")
    with home.watched() as requests:
        ok(*given, "--cache", "cache", "-o", "second.parquet")
    assert {one.method for one in requests} == {"HEAD"}  # whether they are the same
    assert Path("first.parquet").read_bytes() == Path("second.parquet").read_bytes()
    key = next(key for key in home.keys("home") if key.endswith("normal.jpg"))
    home.make("home", {key: home.data("home", key.replace("normal", "mask1"))})
    with home.watched() as requests:
        ok(*given, "--cache", "cache", "-o", "third.parquet")
    assert {one.path for one in requests if one.method == "GET"} == {f"/home/{key}"}


@pytest.mark.parametrize(
    "line",
    [
        "show fold0.safetensors",
        "eda folds.parquet --half --root {images}",
        "crop labels.parquet --detector detector --root {images} -o {out}.parquet",
        "split labels.parquet --folds 3 -o {out}.parquet",
        "join part1.parquet part2.parquet -o {out}.parquet",
        "join part*.parquet -o {out}.parquet",
        "ensemble oof.parquet oof.parquet -o {out}.csv",
        "evaluate folds.parquet oof.parquet --photos --root {images} --html {out}.html",
        "compare oof.parquet again.parquet --on truth",
        "audit folds.parquet oof.parquet --root {images} -o {out}.parquet --corrections {out}.csv",
        "pseudo folds.parquet test-fold0.parquet --unlabeled unlabelled --threshold 1e-2 -o {out}.parquet",
    ],
)  # fmt: skip
def test_artifacts_are_read_and_written_at_addresses(home: ObjectStore, work: Path, line: str) -> None:
    names = {path.name for path in work.iterdir()} - {"detector"} | {"part*.parquet"}
    for path in work.glob("*.parquet"):
        path.unlink()  # so that nothing here is read instead
    words = line.format(images=IMAGES, out="s3://work/made").split()
    ok(*(f"s3://work/{word}" if word in names else word for word in words))
    made = {word.removeprefix("s3://work/") for word in words if "made" in word}
    assert made <= set(home.keys("work"))
    for name in made:
        if name.endswith(".parquet"):
            assert len(pq.read_table(io.BytesIO(home.data("work", name))))


def test_photos_are_predicted_by_their_addresses(home: ObjectStore) -> None:
    keys = [key for key in home.keys("home") if key.endswith("normal.jpg")][:2]
    photos = [f"s3://home/{key}" for key in keys]
    ok("predict", *photos, "fold0.safetensors", "-o", "few.parquet")
    assert len(Predictions.read("few.parquet")) == 2
    ok("predict", photos[0].rpartition("/")[0], "fold0.safetensors", "-o", "folder.parquet")
    assert len(Predictions.read("folder.parquet")) == 7
    said = why_not("predict", photos[0], "s3://work/x.jpg", "fold0.safetensors", "-o", "x.parquet")
    assert "are in no folder that holds all of them" in said


def test_what_is_there_is_replaced_by_force_alone(home: ObjectStore) -> None:
    given = ["split", "labels.parquet", "--folds", "3", "-o", "s3://work/folds.parquet"]
    before = home.data("work", "folds.parquet")
    with home.watched() as requests:
        assert "s3://work/folds.parquet exists already" in why_not(*given)
    assert not [one for one in requests if one.method == "PUT"]
    ok(*given, "--by", "image", "--force")
    assert home.data("work", "folds.parquet") != before


def test_an_upload_that_fails_leaves_what_was_there(home: ObjectStore) -> None:
    before = home.data("work", "folds.parquet")
    with home.failing(always(500, method="PUT")):
        said = why_not("split", "labels.parquet", "--folds", "2", "-o", "s3://work/folds.parquet", "--force")
    assert "cannot write s3://work/folds.parquet" in said
    assert home.data("work", "folds.parquet") == before


def test_another_object_under_the_name_meanwhile_is_left_and_the_work_kept(
    home: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskkit.artifacts.upload import Upload

    appear = Upload.appear

    def after_another(one: Upload, **how: Any) -> None:
        home.make("work", {"raced.parquet": b"another"})
        appear(one, **how)

    monkeypatch.setattr(Upload, "appear", after_another)
    said = why_not("split", "labels.parquet", "--folds", "3", "-o", "s3://work/raced.parquet")
    assert "s3://work/raced.parquet exists already" in said
    assert "is kept: s3://work/raced.2.parquet" in said
    assert home.data("work", "raced.parquet") == b"another"
    assert home.data("work", "raced.2.parquet").startswith(b"PAR1")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("s3://nowhere/x.parquet", "there is no bucket nowhere"),
        ("s3://work", "is a bucket"),
        ("s3://home/train", "is a folder"),
        ("https://host/x.parquet", "addresses begin with s3:// or gs://"),
        ("s3://id:secret@work/x.parquet", "credentials and endpoints never stand in an address"),
        ("s3://work/folds.parquet", "exists already"),
    ],
)
def test_a_dry_run_finds_what_cannot_be_written(home: ObjectStore, output: str, reason: str) -> None:
    with home.watched() as requests:
        said = why_not("split", "labels.parquet", "--folds", "3", "-o", output, "--dry-run")
    assert reason in said
    assert not [one for one in requests if one.method in ("PUT", "POST")]
    assert why_not("split", "labels.parquet", "--folds", "3", "-o", output) == said


def test_a_dry_run_finds_a_wrong_root_and_writes_nothing(home: ObjectStore) -> None:
    given = ["predict", "folds.parquet", "fold0.safetensors", "--allow-leak", "--dry-run"]
    assert "there is no bucket nowhere" in why_not(*given, "--root", "s3://nowhere", "-o", "x.parquet")
    assert "not under s3://home/eval" in why_not(*given, "--root", "s3://home/eval", "-o", "x.parquet")
    with home.watched() as requests:
        ok(*given, "--root", IMAGES, "-o", "s3://work/x.parquet")
    assert {one.method for one in requests} <= {"HEAD", "GET"}


def test_trainings_of_a_folder_are_compared(home: ObjectStore, work: Path) -> None:
    for path in work.glob("fold?.safetensors"):
        home.make("work", {f"run/{path.name}": path.read_bytes()})
    assert "s3://work/run" in ok("compare", "s3://work/run", "fold0.safetensors", "--json")


def test_what_needs_a_folder_of_this_machine_says_so(home: ObjectStore) -> None:
    given = ["predict", "folds.parquet", "fold0.safetensors", "--allow-leak", "-o", "x.parquet"]
    assert "the cache cannot be at s3://work/x" in why_not(*given, "--cache", "s3://work/x")
    assert "folder of this machine" in why_not("demo", "s3://work/demo")
    assert not Path("s3:").exists()


def test_progress_is_kept_on_this_machine_alone(home: ObjectStore) -> None:
    said = why_not("label", TRAIN, "-o", "s3://work/x.parquet", "--resume")
    assert "what is finished is kept beside a file of this machine, and -o is an address" in said
    assert "file of this machine" in why_not("review", "folds.parquet", "-o", "s3://work/x.csv")
    lost = next(key for key in home.keys("home") if key.endswith("normal.jpg"))
    with home.failing(always(500, where=lost)):
        why_not("label", TRAIN, "-o", "here.parquet")
    with home.watched() as requests:
        ok("label", TRAIN, "-o", "here.parquet", "--resume")
    assert len(requests) > 168  # no block is full: all are looked at again


def test_it_is_said_that_an_object_cannot_be_locked(home: ObjectStore) -> None:
    found = run("label", TRAIN, "--no-check", "-o", "s3://work/x.parquet")
    assert found.exit_code == 0
    assert "s3://work/x.parquet cannot be locked" in found.stderr
