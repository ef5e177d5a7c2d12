from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from members import out_of_fold
from sklearn.metrics import f1_score

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.script import script
from maskkit.errors import MaskkitError, RefusedError
from maskkit.options.train_options import Vote
from maskkit.predicting.adjustments import agreed
from maskkit.stages.ensemble import AfterVote, Ensemble, Fit, ensemble

SKILLS = (2.5, 2.0, 1.0)


def members_of(manifest: Manifest, *, suffix: str = "") -> list[Predictions]:
    return [
        out_of_fold(manifest, skill=skill, seed=number, name=f"m{number}{suffix}.parquet")
        for number, skill in enumerate(SKILLS)
    ]


@pytest.fixture(scope="module")
def oof(folds: Manifest) -> list[Predictions]:
    return members_of(folds)


@pytest.fixture(scope="module")
def unseen(labels: Manifest) -> list[Predictions]:
    """Predictions of other photos, in another order, by the same models."""
    table = labels.table.slice(0, 70)
    paths = pa.array([f"new/{index}.jpg" for index in range(70)])
    return members_of(Manifest(table.set_column(0, "path", paths), labels.header), suffix="-test")


def fit(oof: list[Predictions], folds: Manifest, **options: object) -> Fit:
    return Fit(oof, folds, **options)  # type: ignore[arg-type]


def answers(result: Ensemble) -> dict[str, int]:
    made = result.predictions
    return dict(zip(made.path.to_pylist(), made.answer.tolist(), strict=True))


@pytest.mark.parametrize("vote", get_args(Vote))
def test_what_is_found_on_one_set_of_photos_is_applied_to_another(
    vote: Vote, oof: list[Predictions], unseen: list[Predictions], folds: Manifest
) -> None:
    result = ensemble(unseen, vote=vote, fit=fit(oof, folds))
    assert result.fitted is not None
    assert result.predictions.path.to_pylist() == unseen[0].path.to_pylist()
    if vote == "stacking":
        assert result.fitted.rule.stack is not None
        expected = result.fitted.rule.stack.probabilities(
            [one.probs for one in unseen if one.probs is not None]
        )
        np.testing.assert_array_equal(result.predictions.probs, expected)
    else:
        by_hand = ensemble(unseen, vote=vote, weights=result.fitted.rule.weights)
        assert answers(result) == answers(by_hand)


def test_without_predictions_the_out_of_fold_ones_are_blended_by_rules_that_do_not_know_the_person(
    oof: list[Predictions], folds: Manifest
) -> None:
    result = ensemble([], vote="soft", fit=fit(oof, folds))
    made, found = result.predictions, result.fitted
    assert found is not None
    assert made.answer.tolist() == found.nested.answer.tolist()
    assert f1_score(folds.labels, made.answer, average="macro") == pytest.approx(found.blend.value)
    assert made.fold is not None
    assert made.fold.tolist() == folds.folds.tolist()
    again = Predictions.read(Source("blend.parquet", pa.py_buffer(made.encode("parquet"))))
    assert again.answer.tolist() == made.answer.tolist()


def test_rows_in_another_order_give_the_same_blend(
    oof: list[Predictions], unseen: list[Predictions], folds: Manifest
) -> None:
    order = np.random.default_rng(0).permutation(len(folds))
    assert oof[1].probs is not None
    assert oof[1].fold is not None
    shuffled = replace(
        oof[1],
        path=oof[1].path.take(pa.array(order)),
        answer=oof[1].answer[order],
        probs=oof[1].probs[order],
        fold=oof[1].fold[order],
    )
    plain = ensemble(unseen, vote="soft", fit=fit(oof, folds))
    other = ensemble(unseen, vote="soft", fit=fit([oof[0], shuffled, oof[2]], folds))
    assert plain.fitted is not None
    assert other.fitted is not None
    assert other.fitted.rule == plain.fitted.rule
    assert other.fitted.over_best == plain.fitted.over_best
    np.testing.assert_array_equal(other.predictions.probs, plain.predictions.probs)


def test_submissions_are_voted_on_with_weights_from_a_manifest(
    oof: list[Predictions], unseen: list[Predictions], folds: Manifest
) -> None:
    silent, given = (
        [Predictions.read(Source(f"{one.name}.csv", pa.py_buffer(one.encode("submission")))) for one in some]
        for some in (unseen, oof)
    )
    result = ensemble(silent, fit=fit(given, folds), history=False)
    assert result.fitted is not None
    assert result.predictions.probs is None
    assert answers(result) == answers(ensemble(silent, weights=result.fitted.rule.weights, history=False))
    with pytest.raises(MaskkitError, match="no probabilities in m0-test"):
        ensemble(silent, vote="soft", fit=fit(given, folds), history=False)


def test_a_member_that_saw_the_people_it_is_judged_on_is_refused(
    oof: list[Predictions], unseen: list[Predictions], folds: Manifest
) -> None:
    leaking = out_of_fold(folds, skill=9, seed=1, name="leaking.parquet", leaked=3)
    with pytest.raises(RefusedError, match=r"in leaking\.parquet"):
        ensemble(unseen, vote="soft", fit=fit([oof[0], leaking, oof[2]], folds))
    allowed = ensemble(unseen, vote="soft", fit=fit([oof[0], leaking, oof[2]], folds), allow_leak=True)
    assert allowed.fitted is not None


def test_two_people_are_too_few_to_judge_a_blend(folds: Manifest) -> None:
    few = folds.select(np.arange(14))
    with pytest.raises(MaskkitError, match="there are 2 people to fit to"):
        ensemble([], fit=fit(members_of(few), few))


def test_the_header_tells_what_was_read_and_found_and_its_script_is_what_was_typed(
    oof: list[Predictions], unseen: list[Predictions], folds: Manifest, tmp_path: Path
) -> None:
    folds.write(tmp_path / "folds.parquet")
    on = Manifest.read(tmp_path / "folds.parquet")
    header = ensemble(unseen, vote="soft", fit=fit(oof, on, max_members=2)).predictions.header
    record = header.history[-1]
    assert [(one.path, one.option) for one in record.inputs[:6]] == [
        *((f"m{number}-test.parquet", None) for number in range(3)),
        *((f"m{number}.parquet", "fit") for number in range(3)),
    ]
    assert [one.option for one in record.inputs[6:]] == ["on"]
    assert sum(header.facts["blend"]["weights"]) == pytest.approx(1)
    assert np.count_nonzero(header.facts["blend"]["weights"]) <= 2
    typed = script(header.history, output="blend.parquet").splitlines()[-1]
    assert typed.startswith("maskkit ensemble m0-test.parquet m1-test.parquet m2-test.parquet --vote soft")
    assert "--fit m0.parquet --fit m1.parquet --fit m2.parquet" in typed
    assert f"--on {tmp_path / 'folds.parquet'}" in typed
    assert "--search greedy --max-members 2" in typed


def test_gives_the_same_bytes_twice_by_stacking_too(oof: list[Predictions], folds: Manifest) -> None:
    first, second = (ensemble([], vote="stacking", fit=fit(oof, folds)).predictions for _ in range(2))
    assert bytes(first.encode("parquet")) == bytes(second.encode("parquet"))


def test_known_labels_tell_which_members_are_wrong_together(oof: list[Predictions], folds: Manifest) -> None:
    result = ensemble(oof, vote="soft", truth=folds)
    assert result.pairs is not None
    assert [(one.first, one.second) for one in result.pairs] == [(0, 1), (0, 2), (1, 2)]
    both = (oof[0].answer != folds.labels) & (oof[1].answer != folds.labels)
    assert result.pairs[0].double_fault == pytest.approx(both.mean())
    assert ensemble(oof, vote="soft").pairs is None


def test_photos_of_a_person_agree_after_the_blend_and_then_the_decision_speaks(
    oof: list[Predictions], folds: Manifest
) -> None:
    offsets = np.zeros(len(folds.space))
    offsets[5::6] = 1.0
    decision = Decision.make(folds.space, (Record("evaluate", {}),), method="classes", offsets=list(offsets))
    plain = ensemble(oof, vote="soft").predictions
    assert plain.probs is not None
    made = ensemble(oof, vote="soft", truth=folds, after=AfterVote(folds, decision)).predictions
    expected = decision.applied(agreed(plain.probs, folds.known_people, folds.space).astype(np.float32))
    np.testing.assert_allclose(made.probs, expected, atol=1e-6)  # type: ignore[arg-type]
    assert list(made.adjusted) == ["consensus", "decision"]
    record = made.header.history[-1]
    assert record.options["consensus"] == "person"
    assert [one.option for one in record.inputs[3:]] == ["on", "decide"]
    assert [one.stage for one in made.header.history].count("evaluate") == 1


def test_consensus_needs_a_manifest_of_the_blended_photos(
    oof: list[Predictions], unseen: list[Predictions], folds: Manifest
) -> None:
    with pytest.raises(MaskkitError, match="has 70 photos that are not in the manifest"):
        ensemble(unseen, vote="soft", fit=fit(oof, folds), after=AfterVote(consensus=folds))


def test_a_blend_of_adjusted_members_says_that_they_were(folds: Manifest) -> None:
    use = {"method": "age", "sha256": 64 * "0"}
    members = [out_of_fold(folds, skill=2, seed=seed, name=f"{seed}", decision=use) for seed in (0, 1)]
    made = ensemble(members, vote="soft").predictions
    assert made.adjusted == {"decision": use}
    decision = Decision.make(folds.space, (), method="temperature", temperature=2.0)
    with pytest.raises(MaskkitError, match="went through a decision before"):
        ensemble(members, vote="soft", after=AfterVote(decision=decision))


def test_a_decision_of_other_classes_is_an_error_for_a_csv_too(
    oof: list[Predictions], folds: Manifest
) -> None:
    space = replace(folds.space, factors=folds.space.factors[:1])
    decision = Decision.make(space, (), method="temperature", temperature=2.0)
    csv = Predictions.read(Source("a.csv", pa.py_buffer(oof[0].encode("csv"))))
    with pytest.raises(MaskkitError, match="have different classes"):
        ensemble([csv], vote="soft", after=AfterVote(decision=decision), history=False)
    assert Header("predictions", None).history == ()
