from pathlib import Path

import pytest

from maskkit.errors import MaskkitError
from maskkit.reporting.curves import training_curves


def write_history(path: Path, *, scores: tuple[float, ...] = (0.2, 0.4)) -> Path:
    lines = ["epoch,train_loss,held_out_loss,held_out_macro_f1,seconds"]
    lines += [f"{number},{3 - number},{2 - number / 2},{score},1" for number, score in enumerate(scores, 1)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_draws_the_score_and_both_losses_of_each_training(tmp_path: Path) -> None:
    files = [write_history(tmp_path / f"fold{fold}.history.csv") for fold in range(2)]
    score, loss = training_curves(files)
    assert [line.name for line in score.lines] == ["fold0", "fold1"]
    assert (list(score.lines[0].x), list(score.lines[0].y)) == ([1, 2], [0.2, 0.4])
    assert [line.name for line in loss.lines[:2]] == ["fold0, training", "fold0, held out"]
    assert [line.is_dashed for line in loss.lines] == [False, True, False, True]
    assert score.groups == loss.groups == ["fold0", "fold1"]  # whose places are their colours
    assert list(loss.lines[0].y) == [2, 1]
    assert list(loss.lines[1].y) == [1.5, 1.0]


def test_trainings_of_one_name_in_two_folders_are_two_lines(tmp_path: Path) -> None:
    files = [
        write_history(tmp_path / run / "fold0.history.csv", scores=scores)
        for run, scores in (("a", (0.1, 0.2)), ("b", (0.3, 0.4)))
    ]
    score, loss = training_curves(files)
    assert [list(line.y) for line in score.lines] == [[0.1, 0.2], [0.3, 0.4]]
    assert len({line.name for line in score.lines}) == 2
    assert len(loss.lines) == 4
    assert score.groups == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("epoch,loss\n1,0.5\n", "it has no column train_loss, held_out_loss, held_out_macro_f1"),
        ("", "it is empty"),
        ("epoch,train_loss,held_out_loss,held_out_macro_f1\n1,low,2,0.5\n", "low"),
    ],
)
def test_another_file_is_an_error_that_names_it(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "notes.csv"
    path.write_text(content)
    with pytest.raises(MaskkitError, match=r"notes\.csv") as caught:
        training_curves([path])
    assert why in caught.value.why


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match=r"cannot read .*gone\.csv"):
        training_curves([tmp_path / "gone.csv"])
