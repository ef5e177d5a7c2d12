from typing import Any

import pytest

from maskkit.artifacts.header import Input, Record
from maskkit.artifacts.history import differing, key_of

FOLDS = Input("folds.parquet", "f" * 64, made_by="split")


def train(fold: int = 0, *, weights: Input | None = None, **options: Any) -> Record:
    settings = {"fold": fold, "loss": "ce", "epochs": 10, "weights": "none", "workers": 2, **options}
    inputs = (FOLDS,) if weights is None else (FOLDS, weights)
    return Record("train", settings if weights is None else {**settings, "weights": weights.path}, inputs)


def weights(path: str, digest: str) -> Input:
    return Input(path, digest * 64, option="weights")


def test_names_the_options_that_differ_and_their_values() -> None:
    found = differing([[train(loss="ce")], [train(loss="focal")], [train(loss="ce", epochs=5)]])
    assert found == [
        (("train", "loss"), ("ce", "focal", "ce")),
        (("train", "epochs"), ("10", "10", "5")),
    ]


def test_the_folds_of_a_run_are_no_difference() -> None:
    assert differing([[train(0), train(1)], [train(0)]]) == []


def test_files_count_by_content_and_not_by_place() -> None:
    here, there = weights("a/w.safetensors", "1"), weights("b/w.safetensors", "1")
    assert differing([[train(weights=here)], [train(weights=there)]]) == []
    other = weights("a/w.safetensors", "2")
    assert differing([[train(weights=here)], [train(weights=other)]]) == [
        (("train", "weights"), ("w.safetensors (11111111)", "w.safetensors (22222222)"))
    ]
    assert differing([[train(weights=here)], [train(weights=None)]]) == [
        (("train", "weights"), ("w.safetensors (11111111)", "none"))
    ]


def test_an_option_that_a_version_did_not_have_differs_only_from_one_that_is_on() -> None:
    assert differing([[train()], [train(compile=False, margin=None)]]) == []
    assert differing([[train()], [train(margin=0.3)]]) == [(("train", "margin"), (None, "0.3"))]


def test_random_weights_are_those_of_the_versions_in_which_they_were_no_choice() -> None:
    before = Record("train", {**train().options, "weights": None}, (FOLDS,))
    assert differing([[before], [train()]]) == []


def test_a_history_that_does_not_know_a_stage_differs_from_none_in_it() -> None:
    predict = [Record("predict", {"tta": tta}) for tta in ("none", "hflip")]
    assert differing([[train()], [train(), predict[0]], []]) == []
    assert differing([[train()], [train(), predict[0]], [train(), predict[1]]]) == [
        (("predict", "tta"), (None, "none", "hflip"))
    ]


def test_a_run_of_several_trainings_shows_all_values() -> None:
    blend = [train(loss="ce"), train(loss="focal")]
    assert differing([blend, [train(loss="ce")]]) == [(("train", "loss"), ("ce | focal", "ce"))]


def test_photos_and_versions_are_told_too() -> None:
    label = [Record("label", {}, (Input(f"{name}/train.csv", name * 64),), name) for name in "12"]
    assert differing([[label[0], train()], [label[1], train()]]) == [
        (("label", "version"), ("1", "2")),
        (("label", "input"), ("train.csv (11111111)", "train.csv (22222222)")),
    ]


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (train(1), True),
        (train(0, loss="focal"), False),
        (train(0, weights=weights("w", "1")), False),
    ],
)
def test_folds_of_one_training_have_one_key(other: Record, is_same: bool) -> None:
    assert (key_of(train(0)) == key_of(other)) is is_same
    moved = [train(weights=weights(path, "1")) for path in ("a/w", "b/w")]
    assert key_of(moved[0]) == key_of(moved[1])


def test_folds_with_pseudo_labels_of_their_own_are_one_training() -> None:
    def trained(fold: int, share: float) -> tuple[Record, Record]:
        read = (Input("folds", "f0", "split"), Input(f"said{fold}", f"d{fold}", "predict"))
        made = Record("pseudo", {"share": share}, read)
        return made, Record("train", {"fold": fold}, (Input(f"pseudo{fold}", f"p{fold}", made.id),))

    keys = [key_of(train, (made, train)) for made, train in (trained(0, 0.5), trained(1, 0.5))]
    assert keys[0] == keys[1]
    made, train = trained(1, 0.9)
    assert key_of(train, (made, train)) != keys[0]
    assert key_of(train) != keys[0]


def test_a_long_line_of_pseudo_labels_has_a_key_too() -> None:
    made = [Record("pseudo", {"share": 0.5})]
    for number in range(3000):
        made.append(Record("pseudo", {"share": 0.5}, (Input(f"m{number}", "f0", made[-1].id),)))
    last = Record("train", {"fold": 0}, (Input("m", "f1", made[-1].id),))
    assert key_of(last, made) == key_of(last, made)
    assert key_of(last, made[2:]) != key_of(last, made)
