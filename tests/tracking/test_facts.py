from pathlib import Path

import pytest
from tracked import SPACE, epoch, facts, record

from maskkit.artifacts.header import Input, Record
from maskkit.tracking.facts import RunFacts, final_measures, measures, plain


def test_a_run_keeps_its_id_when_it_is_gone_on_with() -> None:
    assert facts([epoch(1)]).id == facts().id


@pytest.mark.parametrize("changes", [{"learning_rate": 0.25}, {"fold": 1}, {"seed": 3}])
def test_a_run_with_other_options_has_another_id(changes: dict[str, float]) -> None:
    assert facts((), **changes).id != facts().id


def test_a_run_from_other_inputs_or_to_another_place_has_another_id(tmp_path: Path) -> None:
    other = Record("train", record().options, (Input("folds.parquet", "cd" * 32),))
    place = Path("run/fold0.safetensors")
    assert RunFacts.of(place, other, SPACE).id != RunFacts.of(place, record(), SPACE).id
    assert RunFacts.of(tmp_path / place, record(), SPACE).id != RunFacts.of(place, record(), SPACE).id


def test_a_place_is_the_same_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = RunFacts.of(tmp_path / "run" / "fold0.safetensors", record(), SPACE)
    assert RunFacts.of(Path("run/../run/fold0.safetensors"), record(), SPACE) == whole
    assert (whole.group, whole.name, whole.title) == ("run", "fold0", "run/fold0")


def test_the_two_losses_cannot_be_taken_for_each_other() -> None:
    found = measures(epoch(1))
    assert (found["train/loss"], found["held_out/loss"]) == (3.0, 2.0)
    assert {name.partition("/")[0] for name in found} == {"train", "held_out"}


def test_tracks_every_part_of_the_loss_and_every_score() -> None:
    found = measures(epoch(2))
    assert (found["train/joint"], found["train/regression"]) == (3.5, 0.5)
    assert (found["train/learning_rate"], found["train/photos_per_second"]) == (0.25, 100.0)
    assert {f"held_out/{name}" for name in epoch(2).scores} <= set(found)


def test_final_numbers_say_which_epoch_they_are_of() -> None:
    assert final_measures(epoch(4)) == {
        "kept/epoch": 4, "kept/held_out_loss": 5.0,
        "kept/macro_f1": 0.25, "kept/accuracy": 0.5, "kept/age_macro_f1": 0.125,
    }  # fmt: skip


def test_hyperparameters_stay_numbers_and_none_of_them_vanishes() -> None:
    assert plain({"rate": 0.5, "fold": 0, "root": None, "freeze": True, "size": "32x32", "mean": (1, 2)}) == {
        "rate": 0.5, "fold": 0, "root": "none", "freeze": "true", "size": "32x32", "mean": "(1, 2)",
    }  # fmt: skip
