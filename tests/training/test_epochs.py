import csv
import io
from collections.abc import Mapping

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from maskkit.labels import HOME
from maskkit.training.epochs import Epoch, held_out_scores, to_csv


def epoch(
    number: int,
    macro_f1: float = 0.5,
    parts: Mapping[str, float] | None = None,
    confident_share: float | None = None,
) -> Epoch:
    return Epoch(
        epoch=number,
        train_loss=2.5,
        held_out_loss=1.25,
        scores={"macro_f1": macro_f1, "accuracy": 0.75},
        learning_rate=1e-3,
        images_per_second=100.0,
        seconds=2.0,
        is_best=number == 1,
        parts=parts or {},
        confident_share=confident_share,
    )


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_macro_f1_is_that_of_scikit_learn_over_all_rows(random: np.random.Generator) -> None:
    label = random.integers(0, 12, 200)  # six of the classes do not occur
    probs = random.dirichlet(np.ones(18), 200).astype(np.float32)
    probs[np.arange(200), label] += 0.2
    probs /= probs.sum(1, keepdims=True)
    _, scores = held_out_scores(label, probs, HOME)
    assert scores["macro_f1"] == pytest.approx(f1_score(label, probs.argmax(1), average="macro"), abs=1e-12)
    assert scores["accuracy"] == (label == probs.argmax(1)).mean()


def test_loss_is_the_plain_cross_entropy_against_the_truth(random: np.random.Generator) -> None:
    label = random.integers(0, 18, 50)
    probs = random.dirichlet(np.ones(18), 50).astype(np.float32)
    loss, _ = held_out_scores(label, probs, HOME)
    exact = probs.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    assert loss == pytest.approx(log_loss(label, exact, labels=np.arange(18)), rel=1e-5)


def test_loss_of_a_certain_mistake_is_large_but_finite() -> None:
    loss, _ = held_out_scores(np.array([3]), np.eye(18, dtype=np.float32)[[5]], HOME)
    assert loss == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_factor_accuracies_count_the_factor_alone() -> None:
    wear_male_young, wear_female_young, none_male_old = 0, 3, 14
    answers = np.eye(18, dtype=np.float32)[[wear_male_young, wear_male_young, none_male_old, wear_male_young]]
    truth = np.array([wear_male_young, wear_female_young, none_male_old, none_male_old])
    _, scores = held_out_scores(truth, answers, HOME)
    assert [scores[f"{name}_accuracy"] for name in ("mask", "gender", "age")] == [0.75, 0.75, 0.75]
    assert scores["accuracy"] == 0.5


def test_factor_macro_f1_is_that_of_scikit_learn_over_the_factor_alone(random: np.random.Generator) -> None:
    label, answer = random.integers(0, 18, (2, 200))
    _, scores = held_out_scores(label, np.eye(18, dtype=np.float32)[answer], HOME)
    truths, answers = (np.unravel_index(classes, HOME.shape) for classes in (label, answer))
    for factor, truth, given in zip(HOME.factors, truths, answers, strict=True):
        assert scores[f"{factor.name}_macro_f1"] == pytest.approx(f1_score(truth, given, average="macro"))


def test_history_file_tells_the_two_losses_apart_by_name() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([epoch(1)]).decode()))
    assert row["train_loss"] == "2.5"
    assert row["held_out_loss"] == "1.25"
    assert row["held_out_macro_f1"] == "0.5"
    assert row["is_best"] == "1"
    assert not [name for name in row if name in ("loss", "macro_f1", "accuracy")]


def test_history_file_has_a_row_per_epoch() -> None:
    lines = to_csv([epoch(1), epoch(2)]).decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2"]


def test_history_file_has_a_column_for_each_part_of_the_training_loss() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([epoch(1, parts={"joint": 2.0, "regression": 0.5})]).decode()))
    assert (row["train_loss"], row["train_joint"], row["train_regression"]) == ("2.5", "2.0", "0.5")


def test_history_file_has_the_share_of_confident_photos_if_there_were_unlabelled_ones() -> None:
    given = [epoch(1, confident_share=0.25), epoch(2, confident_share=0.0)]
    rows = list(csv.DictReader(io.StringIO(to_csv(given).decode())))
    assert [row["confident_share"] for row in rows] == ["0.25", "0.0"]
    assert b"confident_share" not in to_csv([epoch(1)])
