from dataclasses import replace
from pathlib import Path

import pytest
from trainings import oof_of

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.reporting.curves import curves_beside, training_curves


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


def test_curves_are_found_beside_the_checkpoints_that_made_predictions(
    folds: Manifest, checkpoints: list[Path], tmp_path: Path
) -> None:
    assert curves_beside(oof_of(folds, checkpoints)) == []  # which names no file
    made = [Checkpoint.read(path) for path in checkpoints]
    inputs = tuple(
        one.header.input_from(Source.open(path)) for one, path in zip(made, checkpoints, strict=True)
    )
    oof = oof_of(folds, checkpoints)
    record = replace(oof.header.history[-1], inputs=inputs)
    oof = replace(oof, header=replace(oof.header, history=(*oof.header.history[:-1], record)))
    score, loss = curves_beside(oof)
    assert score.groups == ["fold0", "fold1", "fold2"]
    assert len(loss.lines) == 6
    moved = tuple(replace(one, path=f"gone/{Path(one.path).name}") for one in inputs)
    lost = replace(oof, header=replace(oof.header, history=(replace(record, inputs=moved),)))
    assert curves_beside(lost) == []
    beside = replace(lost, source=Source(str(checkpoints[0].with_name("oof.parquet")), b""))
    assert [chart.groups for chart in curves_beside(beside)] == [score.groups, loss.groups]


def test_a_checkpoint_that_was_trained_anew_has_no_curve_and_a_damaged_history_is_a_warning(
    folds: Manifest, checkpoints: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "fold0.safetensors"
    file.write_bytes(checkpoints[0].read_bytes())
    write_history(tmp_path / "fold0.history.csv")
    item = Checkpoint.read(file).header.input_from(Source.open(file))
    oof = oof_of(folds, checkpoints)
    for made_by, count in ((item.made_by, 2), ("another", 0)):
        record = replace(oof.header.history[-1], inputs=(replace(item, made_by=made_by),))
        assert len(curves_beside(replace(oof, header=replace(oof.header, history=(record,))))) == count
    (tmp_path / "fold0.history.csv").write_text("a,b\n")
    record = replace(oof.header.history[-1], inputs=(item,))
    assert curves_beside(replace(oof, header=replace(oof.header, history=(record,)))) == []
    assert "the page has no curves" in caplog.text


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
