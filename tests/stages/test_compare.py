import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score
from trainings import oof_of, opened, write_fold, write_history, write_oof, write_run

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.runs import Run, open_runs
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import Factor, LabelSpace
from maskkit.scoring.run_comparison import Compared
from maskkit.stages.compare import compare
from maskkit.stages.split import split


@pytest.fixture
def two(folds: Manifest, tmp_path: Path) -> list[Run]:
    """Two runs with predictions; the second is somewhat better."""
    for name, right, options in (("a", 0.5, {}), ("b", 0.8, {"loss": "focal"})):
        paths = write_run(tmp_path / name, folds, macro_f1=right, **options)
        write_oof(tmp_path / name / "oof.parquet", oof_of(folds, paths, right=right))
    return open_runs([tmp_path / "a", tmp_path / "b"])


def said(folds: Manifest, name: str, *, right: float = 0.7, seed: int = 0, **facts: object) -> Run:
    return Run(name, (), oof_of(folds, [], right=right, seed=seed, **facts))


def only_rows(run: Run, rows: np.ndarray) -> Run:
    given = run.predictions
    assert given is not None
    assert given.probs is not None
    assert given.fold is not None
    fewer = replace(
        given, path=given.path.take(pa.array(rows)), answer=given.answer[rows], probs=given.probs[rows],
        fold=given.fold[rows],
    )  # fmt: skip
    return replace(run, predictions=fewer)


def answers(run: Run) -> np.ndarray:
    assert run.predictions is not None
    return np.asarray(run.predictions.answer)


def test_scores_both_on_the_truth_and_says_that_one_is_better(folds: Manifest, two: list[Run]) -> None:
    found = compare(two, on=folds)
    f1 = [f1_score(folds.labels, answers(run), average="macro") for run in two]
    assert [run.own["macro_f1"].value for run in found.runs if run.own] == pytest.approx(f1)
    (one,) = found.versus
    assert one.difference is not None
    assert one.difference["macro_f1"].value == pytest.approx(f1[1] - f1[0])
    assert one.is_noise is False
    assert one.sentence.startswith(f"b is {f1[1] - f1[0]:.3f} better than a (95 % interval 0.")
    assert one.sentence.endswith("): better than the noise; 0.118 would be seen 8 times in 10")
    assert (found.photos, found.people, found.notes) == (168, 24, ())


def test_each_fold_is_scored_by_the_predictions_of_both(folds: Manifest, two: list[Run]) -> None:
    found = compare(two, on=folds)
    for run, scores in zip(two, found.runs, strict=True):
        assert scores.basis == "predictions"
        for fold in scores.folds:
            rows = folds.folds == fold.fold
            own = f1_score(folds.labels[rows], answers(run)[rows], average="macro")
            assert fold.macro_f1 == pytest.approx(own)
        assert scores.macro_f1 is not None
        assert scores.macro_f1.mean == pytest.approx(np.mean([fold.macro_f1 for fold in scores.folds]))
    assert (found.versus[0].folds, found.versus[0].folds_better) == (3, 3)
    assert found.same_folds


def test_names_the_options_that_differ(folds: Manifest, two: list[Run]) -> None:
    settings = compare(two, on=folds).settings
    assert [(one.stage, one.name, one.values) for one in settings] == [("train", "loss", ("ce", "focal"))]


def test_a_worse_run_and_one_inside_the_noise_are_said_to_be(folds: Manifest) -> None:
    good, bad, alike = (
        said(folds, name, right=right, seed=seed)
        for name, right, seed in (("good", 0.8, 0), ("bad", 0.3, 1), ("alike", 0.8, 2))
    )
    found = compare([good, bad, alike], on=folds)
    assert "bad is 0." in found.versus[0].sentence
    assert found.versus[0].sentence.endswith("would be seen 8 times in 10")
    assert "): inside the noise; 0." in found.versus[1].sentence
    assert "97.5 % interval" in found.versus[1].sentence


def test_without_the_truth_the_folds_of_training_are_compared(two: list[Run]) -> None:
    found = compare(two)
    (one,) = found.versus
    assert [run.basis for run in found.runs] == ["training", "training"]
    assert (one.difference, one.only, found.photos) == (None, None, 0)
    assert one.by_fold is not None
    assert one.by_fold["macro_f1"].value == pytest.approx(0.3)
    assert (
        one.sentence
        == "b is 0.300 better than a (95 % interval 0.300 to 0.300, over 3 folds): better than the noise"
    )
    assert any("give the truth by --on" in note for note in found.notes)


def test_the_curve_is_the_mean_of_the_folds_as_far_as_all_go(folds: Manifest, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / name, folds)
    write_history(tmp_path / "a/fold1.history.csv", [0.1, 0.2, 0.9])
    (tmp_path / "b/fold1.history.csv").unlink()
    first, second = compare(open_runs([tmp_path / "a", tmp_path / "b"])).runs
    assert first.curve == pytest.approx([(0.4 + 0.1 + 0.42) / 3, (0.5 + 0.2 + 0.52) / 3])
    assert second.curve == ()


def test_one_fold_alone_says_nothing_of_noise(folds: Manifest, tmp_path: Path) -> None:
    scores = {"a": 0.5, "b": 0.6}
    paths = [write_fold(tmp_path / name, folds, 1, macro_f1=score) for name, score in scores.items()]
    (one,) = compare(open_runs(opened(*paths))).versus
    assert one.is_noise is None
    assert one.sentence == (
        "b is 0.100 better than a (no interval: one fold only): nobody can say whether that is noise"
    )


def test_means_are_over_the_folds_that_all_have(folds: Manifest, tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", folds, macro_f1=0.5)
    second = [write_fold(tmp_path / "b", folds, fold, macro_f1=0.6) for fold in (0, 2)]
    found = compare(open_runs(opened(*first, *second)))
    assert found.runs[0].macro_f1 is not None
    assert found.runs[0].macro_f1.mean == pytest.approx((0.50 + 0.52) / 2)
    assert (found.versus[0].folds, found.fold_numbers) == (2, [0, 1, 2])
    assert "the folds in all runs are 0, 2: means are over them" in found.notes


@pytest.fixture
def dealt_apart(folds: Manifest, labels: Manifest, tmp_path: Path) -> list[Run]:
    """Two runs whose folds hold other people."""
    for name, manifest in (("a", folds), ("b", split(labels, folds=3, seed=1))):
        paths = write_run(tmp_path / name, manifest)
        write_oof(tmp_path / name / "oof.parquet", oof_of(manifest, paths, seed=ord(name)))
    return open_runs([tmp_path / "a", tmp_path / "b"])


def test_folds_of_other_people_are_not_compared_unasked(dealt_apart: list[Run], folds: Manifest) -> None:
    silent = [replace(run, predictions=None) for run in dealt_apart]
    for on in (None, folds):
        with pytest.raises(MaskkitError, match="not known to have held out the same people") as caught:
            compare(silent, on=on)
        assert "--allow-different-folds" in caught.value.fix
    (one,) = compare(silent, allow_different_folds=True).versus
    assert one.is_noise is None
    assert "the folds hold other people" in one.sentence


def test_predictions_may_come_from_other_folds_and_that_is_told(
    dealt_apart: list[Run], folds: Manifest
) -> None:
    found = compare(dealt_apart, on=folds)
    assert found.versus[0].is_noise is not None
    assert not found.same_folds
    assert any("the luck of the split" in note for note in found.notes)


def test_folds_of_another_manifest_with_the_same_people_are_compared_with_the_truth(
    folds: Manifest, tmp_path: Path
) -> None:
    other = folds.then("edit", {"weight": pa.array([0.5] * len(folds), pa.float32())})
    first = write_run(tmp_path / "a", folds, macro_f1=0.5)
    second = write_run(tmp_path / "b", other, macro_f1=0.6)
    runs = open_runs(opened(*first, *second))
    found = compare(runs, on=folds)
    assert found.same_folds
    assert found.versus[0].by_fold is not None
    with pytest.raises(MaskkitError, match="not known"):
        compare(runs)


def test_scores_the_photos_that_both_have_and_tells_of_the_others(
    folds: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = said(folds, "a"), said(folds, "b", seed=1)
    with caplog.at_level(logging.WARNING, "maskkit"):
        found = compare([first, only_rows(second, np.arange(20, 168))], on=folds)
    assert found.photos == 148
    assert "b has no prediction of 20 labelled photos: they are left out for all" in caplog.text
    assert found.runs[0].own is not None
    expected = f1_score(folds.labels[20:], answers(first)[20:], average="macro")
    assert found.runs[0].own["macro_f1"].value == pytest.approx(expected)
    fewer = folds.select(np.arange(len(folds)) >= 7)
    strangers = compare([first, second], on=fewer)
    assert (strangers.photos, len(strangers.notes)) == (161, 2)
    assert "predicts 7 photos that" in strangers.notes[0]


def test_nothing_in_common_is_an_error(folds: Manifest) -> None:
    halves = [only_rows(said(folds, "a"), np.arange(80)), only_rows(said(folds, "b"), np.arange(80, 168))]
    with pytest.raises(MaskkitError, match=r"have no labelled photo of .* in common"):
        compare(halves, on=folds)


def test_refuses_models_that_have_seen_the_people(
    folds: Manifest, two: list[Run], caplog: pytest.LogCaptureFixture
) -> None:
    seen = two[0].trained[0].seen
    assert seen is not None
    for facts in ({"seen": [seen.to_json()]}, {"leaked": 5}):
        runs = [two[0], said(folds, "leaky", **facts)]
        with pytest.raises(RefusedError, match=r"were trained on .* whom they predict here") as caught:
            compare(runs, on=folds)
        assert caught.value.exit_code == 3
        with caplog.at_level(logging.WARNING, "maskkit"):
            assert compare(runs, on=folds, allow_leak=True).photos == 168
        assert "inflated" in caplog.text


def test_a_training_with_a_leak_is_told(folds: Manifest, tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", folds)
    second = write_run(tmp_path / "b", folds, allow_leak=True)
    assert any("--allow-leak" in note for note in compare(open_runs(opened(*first, *second))).notes)


def test_submissions_are_compared_though_nothing_is_known_of_them(folds: Manifest, tmp_path: Path) -> None:
    paths = []
    for seed in (0, 1):
        paths.append(tmp_path / f"{seed}.csv")
        paths[-1].write_bytes(memoryview(oof_of(folds, [], seed=seed).encode("submission")))
    found = compare(open_runs(opened(*paths)), on=folds)
    assert (found.photos, found.settings, len(found.runs[0].folds)) == (168, (), 3)
    assert any("a CSV carries no history" in note for note in found.notes)
    with pytest.raises(MaskkitError, match="does not say how right it is") as caught:
        compare(open_runs(opened(*paths)))
    assert "--on" in caught.value.fix


def test_a_run_without_predictions_is_compared_by_its_training(folds: Manifest, two: list[Run]) -> None:
    found = compare([*two, replace(two[0], name="c", predictions=None)], on=folds)
    first, second = found.versus
    assert first.difference is not None
    assert second.difference is None
    assert second.by_fold is not None
    assert {run.basis for run in found.runs} == {"training"}
    assert first.confidence == second.confidence == pytest.approx(0.975)
    assert any("c without predictions" in note for note in found.notes)


def test_other_classes_and_a_single_run_are_errors(folds: Manifest, two: list[Run]) -> None:
    with pytest.raises(MaskkitError, match="there is one run only"):
        compare(two[:1])
    age = Factor("age", ("under30", "30to59", "60plus"), cuts=(30, 58))
    space = LabelSpace((*folds.space.factors[:2], age))
    other = said(folds, "other")
    assert other.predictions is not None
    header = replace(other.predictions.header, space=space)
    runs = [two[0], Run("other", (), replace(other.predictions, header=header))]
    with pytest.raises(MaskkitError, match="different label spaces"):
        compare(runs, on=folds)


def test_photos_of_nobody_known_are_counted(folds: Manifest) -> None:
    nameless = folds.then("edit", {"person_id": pa.array([None] * len(folds), pa.string())})
    found = compare([said(folds, "a"), said(folds, "b", seed=1)], on=nameless)
    assert (found.people, found.photos_without_person) == (168, 168)


def test_folds_come_from_the_predictions_where_the_truth_has_none(labels: Manifest, folds: Manifest) -> None:
    found = compare([said(folds, "a"), said(folds, "b", seed=1)], on=labels)
    assert found.fold_numbers == [0, 1, 2]
    other = said(folds, "b", seed=1)
    assert isinstance(other.predictions, Predictions)
    unlike = replace(other, predictions=replace(other.predictions, fold=(folds.folds + 1) % 3))
    assert compare([said(folds, "a"), unlike], on=labels).fold_numbers == []


def test_the_json_begins_with_the_sentences(folds: Manifest, two: list[Run]) -> None:
    found: Compared = compare(two, on=folds)
    data = found.to_json()
    assert next(iter(data)) == "sentences"
    assert data["versus"][0]["is_noise"] is False
    assert data["runs"][1]["own"]["macro_f1"]["value"] > data["runs"][0]["own"]["macro_f1"]["value"]


def test_the_best_is_said_to_be_worth_less_than_its_luck(folds: Manifest) -> None:
    runs = [said(folds, name, right=0.6, seed=seed) for seed, name in enumerate("abcdef")]
    found = compare(runs, on=folds, best=True)
    assert found.best is not None
    own = [f1_score(folds.labels, answers(run), average="macro") for run in runs]
    assert found.best.place == int(np.argmax(own))
    assert found.best.own == pytest.approx(max(own))
    label = found.runs[found.best.place].label
    said_of_it = f"{label} is the best of 6 with {max(own):.3f}; so chosen, it is worth 0."
    assert found.sentences[-1].startswith(said_of_it)
    assert found.to_json()["best"]["label"] == label


def test_the_best_of_trainings_without_predictions_is_refused(folds: Manifest, two: list[Run]) -> None:
    without = [replace(run, predictions=None) for run in two]
    with pytest.raises(MaskkitError, match="no two runs with predictions"):
        compare(without, on=folds, best=True)
