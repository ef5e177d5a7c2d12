from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.parquet import to_parquet
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import HOME
from maskkit.splitting.quality import fold_quality
from maskkit.stages.label import label
from maskkit.stages.split import check_split, split

HEADER = Header("manifest", HOME, (Record("label", {"root": "."}, (Input("train.csv", "e" * 64),)),))
TASK = 'factors = [{name = "mask", levels = ["on", "off"]}]'
MASKS = ["wear"] * 5 + ["incorrect", "none"]


def manifest_of(
    person: Sequence[str | None],
    mask: Sequence[str],
    gender: Sequence[str],
    age: Sequence[int | None],
    *,
    origin: Sequence[str] | None = None,
    known: NDArray[np.bool_] | None = None,
) -> Manifest:
    """Make a manifest of rows that need no photos."""
    years = np.array([0 if value is None else value for value in age])
    label = np.array([HOME.factors[0].levels.index(value) * 6 for value in mask])
    label += np.array([HOME.factors[1].levels.index(value) * 3 for value in gender]) + np.digitize(
        years, [30, 60]
    )
    unknown = None if known is None else ~known
    table = pa.table(
        {
            "path": [f"{row}.jpg" for row in range(len(person))],
            "person_id": pa.array(person, pa.string()),
            "mask": mask,
            "gender": gender,
            "age": pa.array(age, pa.int16()),
            "label": pa.array(label, pa.int16(), mask=unknown),
            "target": pa.array(label, pa.int16(), mask=unknown),
            "weight": np.ones(len(person), np.float32),
            "origin": origin or ["given"] * len(person),
        }
    )
    return Manifest.read(Source("m.parquet", to_parquet(table, HEADER)))


def competition(*, people: int, seed: int = 0) -> Manifest:
    """Make a manifest of the competition's shape: its shares of gender and age, seven photos each."""
    random = np.random.default_rng(seed)
    gender = random.choice(["male", "female"], people, p=[0.386, 0.614])
    old = random.random(people) < 0.071
    age = np.where(
        old,
        60,
        np.where(
            random.random(people) < 0.51, random.integers(18, 30, people), random.integers(30, 60, people)
        ),
    )
    return manifest_of(
        np.repeat([f"{index:06d}" for index in range(people)], 7).tolist(),
        MASKS * people,
        np.repeat(gender, 7).tolist(),
        np.repeat(age, 7).tolist(),
    )


@pytest.fixture(scope="module")
def crowd() -> Manifest:
    return competition(people=2700)


def reread(manifest: Manifest) -> Manifest:
    return Manifest.read(Source("folds.parquet", manifest.to_bytes()))


def worst(images: NDArray[np.integer]) -> float:
    """Return the largest relative deviation from the mean fold, of counts (classes, folds)."""
    images = images[images.sum(1) > 0]
    return float(np.abs(images / images.mean(1, keepdims=True) - 1).max())


@pytest.mark.parametrize("folds", [2, 5, 24])
def test_keeps_each_person_in_one_fold_and_leaves_no_fold_empty(labels: Manifest, folds: int) -> None:
    result = split(labels, folds=folds)
    assert set(result.folds.tolist()) == set(range(folds))
    for code in range(len(labels.people)):
        assert len(set(result.folds[labels.people.codes == code])) == 1
    check_split(reread(result))


def test_adds_one_column_of_16_bits_and_a_record(labels: Manifest) -> None:
    result = split(labels, folds=3, seed=5)
    assert result.table.column_names == [*labels.table.column_names, "fold"]
    assert result.table.drop_columns(["fold"]).equals(labels.table)
    assert result.table.schema.field("fold").type == pa.int16()
    record = result.header.history[-1]
    assert record.stage == "split"
    assert record.options == {
        "by": "person", "folds": 3, "holdout": None, "stratify": None, "keep_with": None, "seed": 5,
    }  # fmt: skip
    assert record.inputs[0].made_by == labels.header.history[-1].id


def test_the_seed_alone_decides(labels: Manifest) -> None:
    assert split(labels, seed=1).to_bytes().equals(split(labels, seed=1).to_bytes())
    assert split(labels, seed=1).folds.tolist() != split(labels, seed=2).folds.tolist()


def test_splitting_again_replaces_the_folds(labels: Manifest) -> None:
    again = split(split(labels, folds=3, seed=1), folds=4)
    assert again.folds.tolist() == split(labels, folds=4).folds.tolist()
    assert again.table.column_names.count("fold") == 1
    assert [record.stage for record in again.header.history] == ["label", "split", "split"]


def by_scikit_learn(manifest: Manifest) -> NDArray[np.int64]:
    fold = np.zeros(len(manifest), np.int64)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for number, (_, held_out) in enumerate(
        splitter.split(manifest.labels, manifest.labels, manifest.people.codes)
    ):
        fold[held_out] = number
    return fold


def per_fold(values: NDArray[np.int64], fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count each value in each of five folds, (values, folds)."""
    return np.stack(
        [np.bincount(values[fold == number], minlength=values.max() + 1) for number in range(5)], axis=1
    )


def test_no_class_is_more_than_one_person_off(crowd: Manifest) -> None:
    fold = split(crowd, folds=5).folds
    photos = np.repeat([5, 1, 1], 6)  # of each person in the classes of each mask state
    assert (np.ptp(per_fold(crowd.labels, fold), axis=1) <= photos).all()
    assert np.ptp(np.bincount(fold)) == 0  # 540 people each


def test_is_better_balanced_than_scikit_learn_where_photos_are_missing(crowd: Manifest) -> None:
    there = crowd.select(np.random.default_rng(1).random(len(crowd)) > 0.1)
    ours, theirs = split(there, folds=5).folds, by_scikit_learn(there)
    assert worst(per_fold(there.labels, ours)) < worst(per_fold(there.labels, theirs))
    assert np.ptp(np.bincount(ours)) < np.ptp(np.bincount(theirs))


def test_is_better_balanced_in_age_than_scikit_learn(crowd: Manifest) -> None:
    ours, theirs = split(crowd, folds=5).folds, by_scikit_learn(crowd)
    assert worst(per_fold(crowd.labels, ours)) <= worst(per_fold(crowd.labels, theirs))
    for years in (1, 3, 5):
        band = crowd.integers("age") // years
        assert worst(per_fold(band, ours)) < 0.5 * worst(per_fold(band, theirs))


def test_a_holdout_is_a_share_of_each_class_and_the_rest_is_never_held_out(crowd: Manifest) -> None:
    result = reread(split(crowd, holdout=0.2))
    assert set(result.folds.tolist()) == {0, -1}
    held_out = result.folds == 0
    assert abs(held_out.mean() - 0.2) < 0.005
    shares = [held_out[crowd.labels == index].mean() for index in range(18)]
    assert max(abs(share - 0.2) for share in shares) < 0.02
    options = result.header.history[-1].options
    assert (options["folds"], options["holdout"]) == (None, 0.2)


@pytest.mark.parametrize(
    ("people", "share", "is_missed"), [(6, 0.1, True), (6, 0.17, False), (40, 0.2, False)]
)
def test_a_holdout_far_from_its_share_is_warned_of(
    people: int, share: float, is_missed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    held_out = split(competition(people=people), holdout=share).folds == 0
    assert (abs(held_out.mean() - share) > share / 4) == is_missed
    said = f"--holdout {share} holds out {100 * held_out.mean():.1f} % of the photos"
    assert (said in caplog.text) == is_missed


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 20])
def test_a_holdout_is_a_share(labels: Manifest, share: float) -> None:
    with pytest.raises(MaskkitError, match="share"):
        split(labels, holdout=share)


@pytest.mark.parametrize(("people", "folds"), [(3, 4), (3, 1), (3, 0), (3, 100_000)])
def test_impossible_numbers_of_folds_are_refused(people: int, folds: int) -> None:
    with pytest.raises(MaskkitError, match=f"cannot make {folds} folds"):
        split(competition(people=people), folds=folds)


def test_rows_without_a_label_are_not_part_of_the_split(caplog: pytest.LogCaptureFixture) -> None:
    known = np.arange(70) % 7 != 3
    known[:7] = False
    crowd = competition(people=10)
    manifest = manifest_of(
        crowd.table["person_id"].to_pylist(),
        crowd.table["mask"].to_pylist(),
        crowd.table["gender"].to_pylist(),
        [None if not row else age for row, age in zip(known, crowd.table["age"].to_pylist(), strict=True)],
        known=known,
    )
    result = reread(split(manifest, folds=3))
    assert ((result.folds == -2) == ~known).all()
    assert result.table["fold"].null_count == (~known).sum()
    assert set(result.folds[known].tolist()) == {0, 1, 2}


def with_added(origin: str, person: str | None) -> Manifest:
    """Ten people of seven photos, and three photos added to them."""
    crowd = competition(people=10)
    return manifest_of(
        [*crowd.table["person_id"].to_pylist(), *[person] * 3],
        [*crowd.table["mask"].to_pylist(), *["wear"] * 3],
        [*crowd.table["gender"].to_pylist(), *["male"] * 3],
        [*crowd.table["age"].to_pylist(), *[20] * 3],
        origin=[*["given"] * 70, *[origin] * 3],
    )


@pytest.mark.parametrize("origin", ["pseudo", "extra"])
@pytest.mark.parametrize("person", ["stranger", None])
def test_added_photos_are_never_held_out(origin: str, person: str | None) -> None:
    result = reread(split(with_added(origin, person), folds=3))
    assert result.folds[70:].tolist() == [-1, -1, -1]
    assert set(result.folds[:70].tolist()) == {0, 1, 2}
    assert (result.folds[:70] == split(competition(people=10), folds=3).folds).all()


def test_corrected_photos_take_part() -> None:
    assert (split(with_added("corrected", "stranger"), folds=3).folds >= 0).all()


def test_added_photos_of_people_in_the_split_are_refused() -> None:
    with pytest.raises(MaskkitError, match="1 people have photos of their own and added ones: 000004"):
        split(with_added("extra", "000004"), folds=3)


def test_a_manifest_without_labels_is_refused() -> None:
    crowd = competition(people=3)
    manifest = manifest_of(
        crowd.table["person_id"].to_pylist(),
        MASKS * 3,
        ["male"] * 21,
        [None] * 21,
        known=np.zeros(21, np.bool_),
    )
    with pytest.raises(MaskkitError, match="label is empty"):
        split(manifest)


def test_photos_of_unknown_people_are_refused_by_person_and_counted() -> None:
    manifest = manifest_of(["1", None, "2", None], ["wear"] * 4, ["male"] * 4, [20] * 4)
    with pytest.raises(MaskkitError, match="2 photos without a person") as caught:
        split(manifest, folds=2)
    assert "--by image" in caught.value.fix
    assert r"maskkit label ... --person-from '(\d+)_.*'" in caught.value.fix


def test_what_was_measured_on_the_home_task_is_said_of_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = "path,mask,gender,age\n" + "".join(f"{row}.jpg,wear,male,20\n" for row in range(4))
    for text, is_said in ((home, True), (home.replace("wear", "on"), False)):
        (tmp_path / "photos.csv").write_text(text)
        (tmp_path / "task.toml").write_text(TASK)
        manifest = label(
            tmp_path / "photos.csv", task=None if is_said else tmp_path / "task.toml", no_check=True
        )
        caplog.clear()
        split(manifest, by="image", folds=2)
        assert "held-out scores will be far too good" in caplog.text
        assert ("0.99 where a leaderboard said 0.6" in caplog.text) == is_said


def test_by_image_warns_of_divided_people_and_is_refused_unless_recorded(
    labels: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "maskkit"):
        result = split(labels, by="image", folds=3)
    assert "24 people are in two folds" in caplog.text
    assert "--by person" in caplog.text
    assert reread(result).folds.tolist() == result.folds.tolist()  # what was asked for can be read
    with pytest.raises(RefusedError, match="24 people") as caught:
        check_split(reread(result))
    assert caught.value.exit_code == 3
    forgotten = Source("m", to_parquet(result.table, HEADER))
    with pytest.raises(RefusedError, match="people in two folds"):
        Manifest.read(forgotten)


def test_by_image_without_people_warns_that_nobody_can_tell(caplog: pytest.LogCaptureFixture) -> None:
    manifest = manifest_of([None] * 8, ["wear"] * 8, ["male"] * 8, [None] * 8, known=np.ones(8, np.bool_))
    with caplog.at_level(logging.WARNING, "maskkit"):
        result = split(manifest, by="image", folds=2)
    assert "without person_id nobody can tell" in caplog.text
    assert sorted(result.folds.tolist()) == [0] * 4 + [1] * 4


def test_by_a_column_keeps_its_groups_whole(labels: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    site = np.array([f"site{code // 4}" for code in labels.people.codes])
    manifest = labels.then("elsewhere", {"site": pa.array(site)})
    with caplog.at_level(logging.WARNING, "maskkit"):
        result = split(manifest, by="site", folds=3)
    assert not caplog.records  # whole sites are whole people
    for name in set(site):
        assert len(set(result.folds[site == name])) == 1
    check_split(reread(result))


@pytest.mark.parametrize("by", ["nothing", "flags", "box"])
def test_a_column_that_cannot_group_is_refused_with_those_there_are(labels: Manifest, by: str) -> None:
    flags = pa.array([["a"]] * len(labels), pa.list_(pa.string()))
    box = pa.array([[0.0, 0, 1, 1]] * len(labels), pa.list_(pa.float32(), 4))
    with pytest.raises(MaskkitError, match=f"no column '{by}'") as caught:
        split(labels.then("audit", {"flags": flags, "box": box}), by=by)
    assert "person_id" in caught.value.why


def test_people_of_unknown_age_are_split_too() -> None:
    manifest = manifest_of(
        np.repeat(list("abcdef"), 2).tolist(),
        ["wear", "none"] * 6,
        ["male"] * 12,
        [None] * 12,
        known=np.ones(12, np.bool_),
    )
    assert np.bincount(split(manifest, folds=3).folds).tolist() == [4, 4, 4]


def test_quality_counts_people_and_images_held_out(crowd: Manifest) -> None:
    result = split(crowd, folds=5)
    quality = fold_quality(result)
    for fold in range(5):
        rows = result.folds == fold
        assert quality.images[:, fold].tolist() == np.bincount(crowd.labels[rows], minlength=18).tolist()
        assert quality.people_per_fold[fold] == len(set(crowd.people.codes[rows]))


def test_checking_needs_folds(labels: Manifest) -> None:
    with pytest.raises(MaskkitError, match="has no fold"):
        check_split(labels)


def with_column(manifest: Manifest, name: str, values: pa.Array) -> Manifest:
    return reread(manifest.then("audit", {name: values}))


def most_uneven(values: NDArray[np.integer], fold: NDArray[np.int64]) -> float:
    """Return the largest relative deviation of any value from the mean of five folds."""
    return worst(per_fold(values.astype(np.int64), fold))


@pytest.mark.parametrize("kind", ["text", "number"])
def test_a_column_asked_for_is_balanced_too(crowd: Manifest, kind: str) -> None:
    random = np.random.default_rng(3)
    race = random.choice(4, len(crowd.people), p=[0.7, 0.2, 0.06, 0.04])[crowd.people.codes]
    column = pa.array([f"race {code}" for code in race]) if kind == "text" else pa.array(race / 8)
    manifest = with_column(crowd, "race", column)
    plain, finer = split(manifest).folds, split(manifest, stratify=["race"]).folds
    assert most_uneven(race, finer) < most_uneven(race, plain) / 2
    assert worst(per_fold(crowd.labels, finer)) <= worst(per_fold(crowd.labels, plain))


def test_a_person_with_several_values_counts_by_the_most_frequent(
    crowd: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    camera = np.random.default_rng(3).integers(0, 3, len(crowd.people))[crowd.people.codes]
    mixed = camera.copy()
    mixed[::7] = 3 - camera[::7]  # one photo of each person, though not the same camera for all
    with caplog.at_level(logging.INFO, "maskkit"):
        result = split(with_column(crowd, "camera", pa.array(mixed)), stratify=["camera"])
        same = split(with_column(crowd, "camera", pa.array(camera)), stratify=["camera"])
    assert caplog.text.count("camera differs within 2700 groups (people)") == 1
    assert np.array_equal(result.folds, same.folds)


@pytest.mark.parametrize("option", ["stratify", "keep_with"])
@pytest.mark.parametrize("column", ["nothing", "flags"])
def test_columns_that_cannot_be_used_are_refused_with_those_that_can(
    labels: Manifest, option: str, column: str
) -> None:
    flags = pa.array([["a"]] * len(labels), pa.list_(pa.string()))
    options: dict[str, Sequence[str]] = {option: [column]}
    with pytest.raises(MaskkitError, match=f"no column '{column}'") as caught:
        split(labels.then("audit", {"flags": flags}), folds=3, **options)  # type: ignore[arg-type]
    assert "person_id, mask" in caught.value.why
    assert "flags" not in caught.value.why


def near_copies(manifest: Manifest, *pairs: tuple[int, int]) -> Manifest:
    """Let photos of each pair of people, by code, be near-copies of each other."""
    names: list[str | None] = [None] * len(manifest)
    for number, pair in enumerate(pairs):
        for person in pair:  # another photo for each pair
            names[int(np.flatnonzero(manifest.people.codes == person)[number % 7])] = f"copy {number}"
    return with_column(manifest, "duplicate_group", pa.array(names, pa.string()))


def test_near_copies_stay_together_across_people_and_by_way_of_others(
    labels: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = [(0, 1), (1, 2), (5, 9), (11, 23)]
    manifest = near_copies(labels, *pairs)
    with caplog.at_level(logging.INFO, "maskkit"):
        results = [split(manifest, folds=3, seed=seed, keep_with=["duplicate_group"]) for seed in range(8)]
    assert "kept together by duplicate_group: 24 groups became 20" in caplog.text
    for result in results:
        for pair in [*pairs, (0, 2)]:
            assert len(set(result.folds[np.isin(labels.people.codes, pair)])) == 1
        assert set(result.folds) == {0, 1, 2}
        check_split(reread(result), keep_with=["duplicate_group"])
    assert results[0].header.history[-1].options["keep_with"] == ["duplicate_group"]


def test_columns_without_values_tie_nothing(labels: Manifest) -> None:
    kept = split(near_copies(labels), folds=3, keep_with=["duplicate_group"])
    assert np.array_equal(kept.folds, split(labels, folds=3).folds)


def test_checking_refuses_near_copies_in_two_folds(labels: Manifest) -> None:
    plain = split(near_copies(labels, *((one, one + 1) for one in range(23))), folds=3)
    check_split(plain)
    with pytest.raises(RefusedError, match="values of duplicate_group are in two folds: copy") as caught:
        check_split(plain, keep_with=["duplicate_group"])
    assert "--keep-with duplicate_group" in caught.value.fix


def test_checking_remembers_what_the_split_was_told_to_keep_together(labels: Manifest) -> None:
    kept = split(near_copies(labels, (0, 1)), folds=3, keep_with=["duplicate_group"])
    check_split(reread(kept))
    later = near_copies(kept, *((one, one + 1) for one in range(23)))  # a later audit finds more
    with pytest.raises(RefusedError, match="duplicate_group"):
        check_split(later)
    check_split(Manifest(later.table.drop_columns(["duplicate_group"]), later.header))


def test_a_tie_that_takes_most_people_is_warned_of(
    labels: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = near_copies(labels, *((one, one + 1) for one in range(11)))
    with caplog.at_level(logging.WARNING, "maskkit"):
        split(manifest, folds=3, keep_with=["duplicate_group"])
    assert "ties 12 groups (people) with 50.0 % of the photos into one" in caplog.text
    assert "33.3 %" in caplog.text


def test_near_copies_of_added_photos_are_refused() -> None:
    manifest = with_added("extra", "stranger")
    names = pa.array(["copy", *[None] * (len(manifest) - 2), "copy"])
    with pytest.raises(MaskkitError, match="1 values of duplicate_group are shared with added photos: copy"):
        split(with_column(manifest, "duplicate_group", names), folds=3, keep_with=["duplicate_group"])


def test_a_holdout_keeps_near_copies_together(labels: Manifest) -> None:
    manifest = near_copies(labels, (0, 1), (2, 3), (4, 5))
    for seed in range(5):
        result = split(manifest, holdout=0.3, seed=seed, keep_with=["duplicate_group"])
        check_split(reread(result))
        names = np.array(manifest.table["duplicate_group"].to_pylist(), object)
        assert all(len(set(result.folds[names == name])) == 1 for name in set(names) - {None})


def test_ids_beyond_32_bits_are_told_apart(labels: Manifest) -> None:
    ids = labels.people.codes.astype(np.int64) * 2**32 + 7  # the lower halves are all alike
    manifest = with_column(labels, "user", pa.array(ids))
    result = split(manifest, by="user", folds=3, keep_with=["user"], stratify=["user"])
    assert set(result.folds) == {0, 1, 2}
    for one in set(ids.tolist()):
        assert len(set(result.folds[ids == one])) == 1


def test_no_table_of_folds_that_hold_out_nothing(labels: Manifest) -> None:
    never = labels.then("split", {"fold": pa.array(np.full(len(labels), -1, np.int16))})
    with pytest.raises(MaskkitError, match="holds out no labelled photo"):
        fold_quality(never)
