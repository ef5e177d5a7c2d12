from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.header import Input, Record
from maskkit.artifacts.history import damaged, differences
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import augmentation
from maskkit.imaging.kept_photos import open_photos
from maskkit.modeling.backbone import build
from maskkit.modeling.device import compiled
from maskkit.modeling.heads import attach, timm_dropout
from maskkit.modeling.losses import LOSSES
from maskkit.modeling.runtimes import classifier
from maskkit.modeling.starting_head import settle_head
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.predicting.inference import probabilities
from maskkit.progress import Item, Measured, shown_by
from maskkit.training.average import Ema
from maskkit.training.epochs import Epoch
from maskkit.training.first_steps import LOOK_AT
from maskkit.training.fold import Fold
from maskkit.training.place import resume_path
from maskkit.training.saved_state import SavedState, save_state
from maskkit.training.schedule import cosine
from maskkit.training.trainer import Trainer

SMALL = Preprocess(32, 32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")
CPU = torch.device("cpu")
MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def fold(folds: Manifest) -> Fold:
    return Fold(
        space=folds.space,
        inputs=open_photos(folds, SMALL),
        target=folds.integers("target"),
        numbers=folds.table["age"].to_numpy().astype(np.float32)[:, None],
        people=folds.known_people,
        weight=np.ones(len(folds), np.float32),
        label=folds.labels,
        training=np.flatnonzero(folds.folds != 0),
        held_out=np.flatnonzero(folds.folds == 0),
    )


@pytest.fixture
def make(fold: Fold, quick: TrainOptions) -> MakeTrainer:
    """Makes a trainer of `fold`, given changes to it and to the quick options."""

    def trainer(given: Fold = fold, **changes: Any) -> Trainer:
        options = settle_head(replace(quick, **changes))
        heads = options.chosen("head")
        torch.manual_seed(0)
        model = build(options.one("model").name, classes=len(given.space), drop_rate=timm_dropout(heads))
        attach(model, heads, given.space)
        vary = augmentation(options.chosen("augment")) if "augment" in changes else given.vary
        return Trainer(model, replace(given, vary=vary), options)

    return trainer


class Rows:
    """A `track` that notes the rows of every training batch that passes."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        count = 0
        for item in items:
            count += items.size(item) if isinstance(items, Measured) else 1
            if what != "photos":
                self.batches.append(item[0].tolist())  # type: ignore[index]
            yield item
        assert count == total


@pytest.mark.parametrize("batch_size", [7, 16, 1000])
def test_trains_on_each_training_photo_once_an_epoch(make: MakeTrainer, fold: Fold, batch_size: int) -> None:
    rows = Rows()
    with shown_by(rows):
        make(batch_size=batch_size).run_epoch()
    assert sorted(row for batch in rows.batches for row in batch) == fold.training.tolist()


def test_shuffles_anew_in_every_epoch(make: MakeTrainer) -> None:
    trainer, first, second = make(), Rows(), Rows()
    with shown_by(first):
        trainer.run_epoch()
    with shown_by(second):
        trainer.run_epoch()
    assert first.batches != second.batches


@pytest.mark.parametrize("batch_size", [11, 64])
def test_scores_every_held_out_photo_exactly(make: MakeTrainer, fold: Fold, batch_size: int) -> None:
    trainer = make(batch_size=batch_size)
    epoch = trainer.run_epoch()
    held_out, truth = fold.held_out, fold.label[fold.held_out]
    probs = predicted(trainer, held_out)
    assert epoch.scores["macro_f1"] == pytest.approx(f1_score(truth, probs.argmax(1), average="macro"))
    assert epoch.scores["accuracy"] == (truth == probs.argmax(1)).mean()
    expected = -np.log(probs[np.arange(len(truth)), truth]).mean()
    assert epoch.held_out_loss == pytest.approx(expected, rel=1e-5)  # though trained with smoothing


def predicted(trainer: Trainer, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Predict with the trainer's model in one batch, unlike the trainer."""
    model = classifier(trainer.scored, runtime="torch", precision="float32", device=CPU, size=(32, 32))
    how = Inference("cpu", len(rows), 0)
    probs: NDArray[np.float32] = probabilities(model, trainer.fold.inputs, rows, how, classes=18)
    return probs


def test_moves_the_learning_rates_at_every_step(make: MakeTrainer) -> None:
    trainer = make(epochs=3, schedule="cosine:warmup=0.5", learning_rate=0.002, optimizer="adamw:head=5")
    rates: list[tuple[float, float]] = []

    def noting(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        for item in items:
            if what != "photos":
                found = {group["lr"] for group in trainer.learner.optimizer.param_groups}
                rates.append((min(found), max(found)))
            yield item

    for _ in range(3):
        with shown_by(noting):
            trainer.run_epoch()
    expected = [cosine(step, 6, 3, warmup=0.5) for step in range(3 * 6)]  # 112 photos in batches of 20
    assert [low for low, _ in rates] == pytest.approx([0.002 * factor for factor in expected])
    assert [high for _, high in rates] == pytest.approx([0.01 * factor for factor in expected])
    assert trainer.past.history[-1].learning_rate == 0


def test_training_loss_is_the_weighted_mean_of_the_criterion(make: MakeTrainer, fold: Fold) -> None:
    training = fold.training[:12]
    weight = np.ones(len(fold.inputs), np.float32)
    weight[training[:6]] = 3
    given = replace(fold, training=training, weight=weight)
    options = {"augment": "none", "head": "joint:dropout=0", "batch_size": 12, "loss": "ce:smoothing=0.1"}
    losses = []
    for rows in (training[:6], training[6:]):
        # Batch norm sees the whole batch in either case: the other half only weighs next to nothing.
        alone = np.full(len(fold.inputs), 1e-12, np.float32)
        alone[rows] = 1
        losses.append(make(replace(given, weight=alone), **options).run_epoch().train_loss)
    loss = make(given, **options).run_epoch().train_loss
    assert loss == pytest.approx((3 * losses[0] + losses[1]) / 4, rel=1e-5)
    assert abs(losses[0] - losses[1]) > 1e-3


def test_a_photo_of_next_to_no_weight_teaches_next_to_nothing(make: MakeTrainer, fold: Fold) -> None:
    target, light = fold.target.copy(), fold.weight.copy()
    target[fold.training[::2]] = 17
    light[fold.training[::2]] = 1e-30
    as_given, ignored, learnt = (
        weights_after_an_epoch(make(replace(fold, target=said, weight=weight), loss="ce"))
        for said, weight in ((fold.target, light), (target, light), (target, fold.weight))
    )
    name = "classifier.parts.factors.factors.0.last.weight"
    assert torch.allclose(as_given[name], ignored[name], atol=1e-5)
    assert not torch.allclose(as_given[name], learnt[name], atol=1e-3)


def weights_after_an_epoch(trainer: Trainer) -> dict[str, torch.Tensor]:
    trainer.run_epoch()
    return trainer.past.weights


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("class_weights", ["none", "inverse"])
def test_what_is_held_out_does_not_change_what_is_learnt(
    make: MakeTrainer, fold: Fold, class_weights: str
) -> None:
    target, weight = fold.target.copy(), fold.weight.copy()
    target[fold.held_out], weight[fold.held_out] = 17, 0
    changed = replace(fold, target=target, weight=weight)
    weights = [weights_after_an_epoch(make(given, class_weights=class_weights)) for given in (fold, changed)]
    assert same(*weights)


def test_learns_the_target_and_is_scored_by_the_label(make: MakeTrainer, fold: Fold) -> None:
    label = np.full_like(fold.label, 11)  # a truth that nothing in training tells of
    other_truth = make(replace(fold, label=label))
    as_usual = make()
    assert same(weights_after_an_epoch(other_truth), weights_after_an_epoch(as_usual))
    answers = predicted(other_truth, fold.held_out).argmax(1)
    assert other_truth.past.history[0].scores["accuracy"] == (answers == 11).mean()
    other_target = make(replace(fold, target=label))
    assert not same(weights_after_an_epoch(other_target), as_usual.past.weights)


def test_keeps_the_average_and_not_the_last_step(make: MakeTrainer) -> None:
    trainer = make(average="ema:decay=0.9")
    best = weights_after_an_epoch(trainer)
    average = trainer.learner.average
    assert isinstance(average, Ema)
    assert same(best, average.model.state_dict())
    assert not same(best, trainer.model.state_dict())
    assert int(average.state_dict()["n_averaged"]) == 1 + trainer.feed.steps


def test_keeps_the_model_itself_without_an_average(make: MakeTrainer) -> None:
    trainer = make(average="none")
    assert same(weights_after_an_epoch(trainer), trainer.model.state_dict())


def test_learns_the_mask_from_a_few_people(make: MakeTrainer) -> None:
    trainer = make(epochs=8)
    while not trainer.is_done:
        trainer.run_epoch()
    assert trainer.past.kept.scores["mask_accuracy"] > 0.95  # 5 of 7 photos show a mask
    assert trainer.past.kept.scores["gender_accuracy"] > 0.9


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("class_weights", ["none", "inverse"])
def test_memorises_one_batch(make: MakeTrainer, fold: Fold, loss: str, class_weights: str) -> None:
    batch = fold.training[:21]
    trainer = make(
        replace(fold, training=batch, held_out=batch),
        loss=loss,
        class_weights=class_weights,
        epochs=60,
        batch_size=21,
        augment="none",
        head="cosine" if loss == "ldam" else "joint:dropout=0",
        average="ema:decay=0.5",
    )
    while not trainer.is_done and not (
        trainer.past.history and trainer.past.history[-1].scores["accuracy"] == 1
    ):
        trainer.run_epoch()
    assert trainer.past.history[-1].scores["accuracy"] == 1


@pytest.mark.parametrize(("epochs", "batch_size"), [(3, 1000), (1, 2), (9, 4)])
def test_a_model_that_learns_but_a_constant_is_stopped_in_its_first_steps(
    make: MakeTrainer, fold: Fold, epochs: int, batch_size: int
) -> None:
    trainer = make(epochs=epochs, batch_size=batch_size)
    trainer.model.global_pool.register_forward_hook(lambda *given: given[2].detach())  # type: ignore[union-attr]
    before = (LOOK_AT - 1) // trainer.feed.steps if epochs * trainer.feed.steps >= LOOK_AT else epochs - 1
    for _ in range(before):
        trainer.run_epoch()
    with pytest.raises(MaskkitError, match="nothing of test_efficientnet but its last layer has learnt"):
        trainer.run_epoch()


@pytest.mark.parametrize("batch_size", [20, 1000])  # found by the training loss, or only in scoring
def test_stops_when_it_diverges(make: MakeTrainer, batch_size: int) -> None:
    rate = 1000
    trainer = make(
        batch_size=batch_size,
        learning_rate=1e10,
        optimizer=f"sgd:clip=0,head={rate:g}",
        schedule="constant:warmup=0",
    )
    with pytest.raises(MaskkitError, match=r"loss .*is (no longer finite|nan|inf)") as caught:
        trainer.run_epoch()
    assert "epoch" in caught.value.what
    assert "--learning-rate" in caught.value.fix
    assert trainer.past.history == []


def test_keeps_what_was_reached_before_it_diverged(make: MakeTrainer) -> None:
    trainer = make()
    best = {name: tensor.clone() for name, tensor in weights_after_an_epoch(trainer).items()}
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(torch.nan)
    with pytest.raises(MaskkitError, match=r"between steps 1 and 6 of the epoch"):
        trainer.run_epoch()
    assert len(trainer.past.history) == 1
    assert same(trainer.past.weights, best)


def scripted(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, scores: Iterable[float]) -> list[Epoch]:
    """Run a training whose held-out macro-F1 is given, and return its epochs."""
    results = iter(scores)
    monkeypatch.setattr(trainer, "train", lambda *_: {"joint": 0.0})
    monkeypatch.setattr(trainer, "score", lambda *_: (1.0, {"macro_f1": next(results)}))
    while not trainer.is_done:
        with torch.no_grad():
            for weight in trainer.scored.parameters():
                weight.fill_(len(trainer.past.history) + 1)
        trainer.run_epoch()
    return trainer.past.history


def test_keeps_the_weights_of_the_highest_macro_f1_and_the_first_of_equals(
    make: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make(epochs=5, schedule="cosine:keep=best")
    epochs = scripted(trainer, monkeypatch, [0.2, 0.5, 0.4, 0.5, 0.3])
    assert [epoch.is_best for epoch in epochs] == [True, True, False, False, False]
    assert trainer.past.kept.epoch == 2
    assert bool((trainer.past.weights["conv_stem.weight"] == 2).all())


def test_tells_what_the_best_of_several_epochs_is_worth_and_remembers_their_answers(
    make: MakeTrainer,
) -> None:
    trainer, resumed = (make(epochs=3, schedule="cosine:keep=best") for _ in range(2))
    trainer.run_epoch()
    of_one = trainer.past.worth
    assert of_one is None
    trainer.run_epoch()
    resumed.load_state(trainer.state(), partial(damaged, Path("x")))
    for one in (trainer, resumed):
        one.run_epoch()
        worth = one.past.worth
        assert worth is not None
        assert worth == trainer.past.worth
        assert (worth.models, worth.place + 1) == (3, one.past.kept.epoch)
        assert worth.own == pytest.approx(one.past.kept.scores["macro_f1"])
    last = make(epochs=2)
    last.run_epoch()
    last.run_epoch()
    assert last.past.worth is None


@pytest.mark.parametrize(
    "answers",
    [None, [], [torch.zeros(3, dtype=torch.int64)], "short", "unknown class", "fractions"],
)
def test_refuses_answers_of_epochs_that_are_of_other_photos(make: MakeTrainer, answers: object) -> None:
    trainer, other = (make(epochs=3, schedule="cosine:keep=best") for _ in range(2))
    trainer.run_epoch()
    state = trainer.state()
    (good,) = state["answers"]
    others = {"short": good[1:], "unknown class": good + 18, "fractions": good.float()}
    state["answers"] = [others[answers]] if isinstance(answers, str) else answers
    with pytest.raises(MaskkitError, match="not of these photos"):
        other.load_state(state, partial(damaged, Path("x")))


def test_keeps_the_last_weights_where_it_is_not_asked_for_the_best(
    make: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make(epochs=3)
    epochs = scripted(trainer, monkeypatch, [0.2, 0.5, 0.4])
    assert [epoch.is_best for epoch in epochs] == [True, True, False]
    assert trainer.past.kept.epoch == 3
    assert bool((trainer.past.weights["conv_stem.weight"] == 3).all())


def test_a_training_that_stops_early_keeps_the_best(
    make: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make(epochs=9, schedule="cosine:stop=2")
    scripted(trainer, monkeypatch, [0.2, 0.4, 0.3, 0.1])
    assert trainer.past.kept.epoch == 2
    assert bool((trainer.past.weights["conv_stem.weight"] == 2).all())


def test_stops_after_so_many_epochs_without_a_better_score(
    make: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        len(scripted(make(epochs=9, schedule="cosine:stop=2"), monkeypatch, [0.2, 0.1, 0.3, 0.3, 0.2, 0.9]))
        == 5
    )
    assert len(scripted(make(epochs=4, schedule="plateau:stop=4"), monkeypatch, [0.2, 0.1, 0.1, 0.1])) == 4
    assert len(scripted(make(epochs=5), monkeypatch, [0.2] * 5)) == 5


def test_a_score_of_zero_is_a_first_best(make: MakeTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make(epochs=2, schedule="cosine:keep=best")
    scripted(trainer, monkeypatch, [0.0, 0.0])
    assert trainer.past.kept.epoch == 1


@pytest.mark.parametrize("average", ["none", "ema:decay=0.9"])
def test_a_compiled_model_keeps_its_names_and_goes_on_from_its_state(
    make: MakeTrainer, monkeypatch: pytest.MonkeyPatch, average: str
) -> None:
    monkeypatch.setattr("maskkit.training.build_learner.compiled", partial(compiled, backend="eager"))
    whole, part, resumed = (make(compile=True, average=average) for _ in range(3))
    whole.run_epoch()
    whole.run_epoch()
    part.run_epoch()
    resumed.load_state(part.state(), partial(damaged, Path("x")))
    resumed.run_epoch()
    assert list(resumed.past.weights) == list(make(average=average).model.state_dict())
    assert same(resumed.model.state_dict(), whole.model.state_dict())
    assert resumed.past.history[-1].scores == whole.past.history[-1].scores


@pytest.mark.parametrize("buffer", [False, True])
def test_a_model_that_has_diverged_is_not_saved_in_the_middle_of_an_epoch(
    make: MakeTrainer, buffer: bool
) -> None:
    trainer = make()
    trainer.run_epoch()
    trainer.sums.steps = 1
    assert trainer.state()["unfinished"]
    named = dict(trainer.model.named_buffers() if buffer else trainer.model.named_parameters())
    next(one for one in named.values() if one.is_floating_point()).data[0] = torch.nan
    with pytest.raises(MaskkitError, match="no longer finite after step 1"):
        trainer.state()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_compiled_to_machine_code_learns_what_the_plain_one_does(
    make: MakeTrainer, precision: str
) -> None:
    losses = [make(compile=choice, precision=precision).run_epoch().train_loss for choice in (False, True)]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


RECORD = Record(
    "train",
    {"fold": 0, "epochs": 3},
    (Input("folds.parquet", "a" * 64), Input("start.pth", "b" * 64)),
)


def with_options(**options: object) -> Record:
    return replace(RECORD, options={**RECORD.options, **options})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "fold0.resume"
    save_state(path, RECORD, {"model": {"weight": torch.arange(300.0)}, "history": [{"epoch": 1}]})
    return path


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"history": None}, "its history should be a list"),
        ({"history": [{"epoch": "1"}]}, "its history[0]"),
        ({"kept": None}, "the epoch it keeps is not of this model"),
        ({"kept": {}}, "the epoch it keeps is not of this model"),
        ({"kept_probs": None}, "the epoch it keeps is not of this model"),
        ({"kept_probs": torch.zeros(1, 1)}, "the epoch it keeps is not of this model"),
        ({"model": {}}, "Error(s) in loading state_dict"),
        ({"model": None}, "Expected state_dict"),
        ({"optimizer": {}}, "'param_groups'"),
    ],
)
def test_a_state_of_something_else_is_refused(make: MakeTrainer, change: dict[str, Any], why: str) -> None:
    part = make(epochs=2)
    part.run_epoch()
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        make(epochs=2).load_state({**part.state(), **change}, partial(damaged, Path("x")))
    assert why in caught.value.why


def test_lies_beside_the_checkpoint() -> None:
    assert resume_path(Path("run/v1.2.safetensors")) == Path("run/v1.2.resume")


def test_gives_back_what_was_saved(saved: Path) -> None:
    state = SavedState.read(saved).state_for(RECORD)
    assert torch.equal(state["model"]["weight"], torch.arange(300.0))
    assert state["history"] == [{"epoch": 1}]


def test_names_every_option_that_differs(saved: Path) -> None:
    with pytest.raises(MaskkitError) as caught:
        SavedState.read(saved).state_for(with_options(epochs=5, fold=1))
    assert caught.value.why.endswith("fold was 0, is 1; epochs was 3, is 5")


def test_a_renamed_input_is_the_same_and_a_changed_one_is_not() -> None:
    renamed = replace(RECORD, inputs=(Input("moved/folds.parquet", "a" * 64), RECORD.inputs[1]))
    assert differences(RECORD, renamed) == []
    changed = replace(RECORD, inputs=(Input("folds.parquet", "cc"), RECORD.inputs[1]))
    assert differences(RECORD, changed) == ["an input file has other content"]
    assert differences(RECORD, replace(RECORD, inputs=RECORD.inputs[:1]))


def test_another_version_does_not_go_on_with_the_run() -> None:
    assert differences(replace(RECORD, version="0.0.1"), RECORD)[0].startswith("maskkit was 0.0.1")


def other_content(data: bytes) -> bytes:
    return b"epoch,train_loss\n1,0.5\n"


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda data: data[: len(data) // 2], lambda data: data[:-1], other_content]
)
def test_a_damaged_file_is_an_error_that_names_it(saved: Path, damage: Callable[[bytes], bytes]) -> None:
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(MaskkitError, match=r"cannot resume from .*fold0\.resume") as caught:
        SavedState.read(saved).state_for(RECORD)
    assert "damaged" in caught.value.why
    assert "--force" in caught.value.fix


@pytest.mark.parametrize("content", [[1, 2], {"state": {}}, {"record": {}, "state": {}}, torch.zeros(2)])
def test_another_file_of_torch_is_an_error_too(tmp_path: Path, content: object) -> None:
    path = tmp_path / "fold0.resume"
    torch.save(content, path)
    with pytest.raises(MaskkitError, match="cannot resume"):
        SavedState.read(path).state_for(RECORD)


class Harmful:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return Path.touch, (Path("harm"),)  # type: ignore[return-value]


def test_runs_no_code_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"record": RECORD.to_json(), "state": Harmful()}, "fold0.resume")
    with pytest.raises(MaskkitError, match="cannot resume"):
        SavedState.read(Path("fold0.resume")).state_for(RECORD)
    assert not Path("harm").exists()
