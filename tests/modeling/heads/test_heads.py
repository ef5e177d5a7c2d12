"""Heads of several parts: what they return, what they learn, and where they go."""

from __future__ import annotations

import inspect
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.modeling import heads
from maskkit.modeling.backbone import build, input_size_of, random_photos
from maskkit.modeling.device import compiled
from maskkit.modeling.ending import head_names
from maskkit.modeling.exchange import INPUT, OUTPUT, to_onnx
from maskkit.modeling.folding import folded
from maskkit.modeling.heads import (
    Heads,
    attach,
    heads_of,
    part_losses,
    stored_numbers,
    timm_dropout,
)
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.runtimes import Resolved, classifier
from maskkit.modeling.target import Target
from maskkit.options.choices import Choice, parse_sum
from maskkit.options.model_settings import is_plain
from maskkit.options.techniques import AUXILIARY, HEADS

SIZE = (32, 32)
AGES = torch.tensor([20.0, 44, 60] * 6)[:, None]  # of the 18 classes
TARGET = Target.of_labels(torch.arange(18), AGES, classes=18)
NUMBERS = Numbers.of(AGES, HOME)
EVERY = [
    "joint:samples=4",
    "joint:hidden=32,dropout=0.5",
    "factors",
    "factors:hidden=32,samples=2",
    "cosine",
    "arcface",
    "arcface:margin=0.5,centers=3",
    "joint+factors",
    "joint+regression",
    "factors+coral",
    "arcface+corn:step=5",
    "joint+factors+cosine+arcface+regression+coral+corn",
]


def classify(logits: Tensor, target: Tensor, factor: int | None, scale: float) -> Tensor:
    return cross_entropy(logits, target)


def choices(text: str) -> tuple[Choice, ...]:
    return parse_sum(text, HEADS, option="--head")


def headed(text: str, name: str = "test_efficientnet", *, pool: str = "default") -> nn.Module:
    torch.manual_seed(0)
    parts = choices(text)
    model = build(name, classes=18, drop_rate=timm_dropout(parts), pool=pool)
    return attach(model, parts, HOME, numbers=NUMBERS)


def test_every_head_of_the_table_is_there_with_its_defaults() -> None:
    assert ["auto", *heads.HEADS] == list(HEADS)
    assert set(heads.AUXILIARY) == AUXILIARY
    for name, settings in list(HEADS.items())[1:]:  # what `auto` takes is settled before
        parameters = inspect.signature(heads.HEADS[name]).parameters
        assert {key: setting.default for key, setting in settings.items()} == {
            key: parameters[key].default for key in settings
        }, name


@pytest.mark.parametrize("text", EVERY)
def test_in_training_each_part_gives_its_outputs_and_in_evaluation_all_give_joint_logits(text: str) -> None:
    model = headed(text).train()
    images = torch.rand(3, 3, *SIZE)
    outputs = model(images)
    assert list(outputs) == [choice.name for choice in choices(text)]
    for choice in choices(text):
        draws, count, _ = outputs[choice.name].shape
        assert (draws, count) == (choice.settings.get("samples", 1), 3)
    logits = model.eval()(images)
    assert logits.shape == (3, 18)
    assert torch.equal(logits, model(images))


@pytest.mark.parametrize("text", EVERY)
def test_memorises_one_batch(text: str) -> None:
    model = headed(text).train()
    images = torch.rand(18, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0)
    for _ in range(40):
        losses = part_losses(heads_of(model), model(images), TARGET, classify)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum(0).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert model.eval()(images).argmax(1).tolist() == list(range(18))
    for name in AUXILIARY & losses.keys():
        weight = next(choice for choice in choices(text) if choice.name == name).number("weight")
        assert float(losses[name].detach().mean()) < 0.2 * weight, name


def test_losses_come_with_the_weights_of_their_parts() -> None:
    features = torch.rand(18, 8)

    def losses(text: str) -> dict[str, Tensor]:
        torch.manual_seed(0)
        head = Heads(8, choices(text), HOME, numbers=NUMBERS)
        torch.manual_seed(0)
        return head.losses(head(features), TARGET, classify)

    once, more = losses("factors+regression:weight=1"), losses("factors:weight=3+regression:weight=0.25")
    assert {name: tuple(loss.shape) for name, loss in once.items()} == {
        "factors": (18,),
        "regression": (18,),
    }
    torch.testing.assert_close(more["factors"], 3 * once["factors"])
    torch.testing.assert_close(more["regression"], once["regression"] / 4)


def test_timms_own_classifier_is_a_joint_head() -> None:
    model = build("test_efficientnet", classes=18)
    logits = model(torch.rand(18, 3, *SIZE))
    losses = part_losses(heads_of(model), logits, TARGET, classify)
    torch.testing.assert_close(
        losses, {"joint": nn.functional.cross_entropy(logits, TARGET.hard, reduction="none")}
    )


def test_several_parts_answer_with_the_mean_of_their_log_probabilities() -> None:
    head = Heads(8, choices("joint+factors+regression"), HOME, numbers=NUMBERS).eval()
    features = torch.randn(5, 8)
    answers = [head.parts[name].joint(head.parts[name](features)[0]) for name in ("joint", "factors")]  # type: ignore[operator]
    expected = sum(answer.log_softmax(1) for answer in answers) / 2
    torch.testing.assert_close(head(features), expected)


def test_auxiliary_parts_have_no_say() -> None:
    head = Heads(8, choices("joint+regression+coral+corn"), HOME, numbers=NUMBERS).eval()
    features = torch.randn(5, 8)
    before = head(features)
    for name in AUXILIARY:
        for parameter in head.parts[name].parameters():
            nn.init.normal_(parameter)
    assert torch.equal(head(features), before)


@pytest.mark.parametrize("text", ["regression", "coral+corn"])
def test_auxiliary_parts_alone_are_refused(text: str) -> None:
    with pytest.raises(MaskkitError, match="cannot answer") as caught:
        Heads(8, choices(text), HOME, numbers=NUMBERS)
    assert f"joint+{text}" in caught.value.fix


def test_an_auxiliary_part_needs_a_factor_cut_from_a_number() -> None:
    space = LabelSpace((Factor("mask", ("on", "off")),))
    with pytest.raises(MaskkitError, match="--head coral has nothing to learn"):
        Heads(8, choices("joint+coral"), space)


def test_an_auxiliary_part_without_statistics_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="regression"):
        Heads(8, choices("joint+regression"), HOME)


@pytest.mark.parametrize("text", EVERY)
def test_the_state_holds_all_that_was_learnt(text: str) -> None:
    model = headed(text).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    other = Numbers.of(AGES + 1, HOME)
    again = build("test_efficientnet", classes=18)
    attach(again, choices(text), HOME, numbers=heads.stored_numbers(model.state_dict()) or other)
    again.load_state_dict(model.state_dict())
    images = torch.rand(2, 3, *SIZE)
    assert torch.equal(again.eval()(images), model(images))
    for name, buffer in model.named_buffers():
        assert torch.equal(again.get_buffer(name), buffer), name


@pytest.mark.parametrize("text", EVERY)
def test_a_copy_answers_the_same_and_shares_nothing(text: str) -> None:
    model = headed(text).eval()
    copy = deepcopy(model).requires_grad_(requires_grad=False)
    images = torch.rand(2, 3, *SIZE)
    assert torch.equal(copy(images), model(images))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert not torch.equal(copy(images), model(images))


@pytest.mark.parametrize("text", EVERY)
def test_batch_norm_is_folded_under_any_head(text: str) -> None:
    model = headed(text, pool="gem").eval()
    images = random_photos(SIZE, count=2)
    fit = folded(model, images)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in fit.modules()) < sum(
        isinstance(module, nn.BatchNorm2d) for module in model.modules()
    )
    with torch.inference_mode():
        assert torch.allclose(fit(images), model(images), atol=1e-3)


@pytest.mark.parametrize("text", EVERY)
def test_onnx_gives_the_logits_of_torch_for_any_number_of_photos(text: str) -> None:
    pytest.importorskip("onnx", reason="needs maskkit[onnx]")
    runtime = pytest.importorskip("onnxruntime", reason="needs maskkit[onnx]")
    model = headed(text, pool="gem").eval()
    session = runtime.InferenceSession(to_onnx(model, SIZE), providers=["CPUExecutionProvider"])
    for count in (1, 5):
        photos = random_photos(SIZE, count=count).contiguous()
        (given,) = session.run([OUTPUT], {INPUT: photos.numpy()})
        with torch.inference_mode():
            assert np.allclose(given, model(photos).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("text", EVERY)
def test_trains_and_answers_in_bfloat16(text: str) -> None:
    model = headed(text, pool="gem").train()
    images = torch.rand(18, 3, *SIZE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = part_losses(heads_of(model), model(images), TARGET, classify)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(loss.dtype == torch.float32 for loss in losses.values())
    assert all(
        parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None
    )
    exact = model.eval()(images).log_softmax(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (model(images).float().log_softmax(1) - exact).abs().max() < 0.5
    assert model.to(torch.bfloat16)(images.to(torch.bfloat16)).shape == (18, 18)


@pytest.mark.parametrize("text", EVERY)
def test_all_its_parameters_are_the_head_of_the_model(text: str) -> None:
    model = headed(text)
    assert head_names(model) == [
        name for name, _ in model.named_parameters() if name.startswith("classifier.")
    ]
    head = heads_of(model)
    assert head is not None
    assert len(head_names(model)) == len(list(head.parameters()))


@pytest.mark.parametrize("runtime", ["torch", "openvino", "onnx"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_runtime_answers_as_the_model(runtime: Resolved, precision: str) -> None:
    if runtime != "torch":
        pytest.importorskip("onnx", reason="needs maskkit[onnx]")
        pytest.importorskip({"onnx": "onnxruntime"}.get(runtime, runtime), reason="needs the runtime")
    model = headed(EVERY[-1], pool="gem").eval()
    answer = classifier(model, runtime=runtime, precision=precision, device=torch.device("cpu"), size=SIZE)
    photos = random_photos(SIZE, count=5)
    with torch.inference_mode():
        off = (answer(photos).log_softmax(1) - model(photos).log_softmax(1)).abs().max()
    assert off < (1e-4 if precision == "float32" else 0.5)


def test_compiled_training_gives_the_same_outputs_by_part() -> None:
    model = headed(EVERY[-1], pool="gem").train()
    images, outputs = torch.rand(3, 3, *SIZE), []
    for network in (model, compiled(model, torch.device("cpu"), backend="eager")):
        torch.manual_seed(0)
        outputs.append(network(images))
    torch.testing.assert_close(outputs[0], outputs[1])


@pytest.mark.parametrize("text", ["joint", "joint:dropout=0.5"])
def test_the_plain_head_is_timms_own(text: str) -> None:
    model = build("test_efficientnet", classes=18, drop_rate=timm_dropout(choices(text)))
    before = model.state_dict()
    assert is_plain(choices(text))
    assert attach(model, choices(text), HOME) is model
    assert type(model.classifier) is nn.Linear
    assert model.state_dict().keys() == before.keys()
    assert model.drop_rate == choices(text)[0].settings["dropout"]


@pytest.mark.parametrize("text", ["joint:hidden=8", "joint:samples=2", "joint+factors", "factors", "cosine"])
def test_other_heads_drop_features_themselves(text: str) -> None:
    assert not is_plain(choices(text))
    assert timm_dropout(choices(text)) == 0


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("test_efficientnet", "classifier"),
        ("test_resnet", "fc"),
        ("test_vit", "head"),
        ("test_convnext", "head.fc"),
        ("caformer_s18", "head.fc.fc2"),
    ],
)
def test_stands_in_the_place_of_the_classifier(name: str, place: str) -> None:
    model = build(name, classes=18)
    features = model.get_submodule(place).in_features
    attach(model.eval(), choices("factors"), HOME)
    head = model.get_submodule(place)
    assert head is heads_of(model)
    assert isinstance(head, Heads)
    assert not head.training  # as the model
    assert [layers.last.in_features for layers in head.parts["factors"].factors] == [features] * 3  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["resnetv2_18", "dla46_c", "dpn48b", "caformer_s18", "levit_256d"])
def test_a_head_takes_the_place_of_whatever_the_last_layer_is(name: str) -> None:
    model = headed("factors+coral", name)
    images = torch.rand(2, 3, *(input_size_of(model) if name.startswith("levit") else (64, 64)))
    outputs = model.train()(images)
    assert [output.shape[:2] for output in outputs.values()] == [(1, 2), (1, 2)]
    logits = model.eval()(images)
    assert logits.shape == (2, 18)
    assert float((logits[0] - logits[1]).detach().abs().max()) > 1e-6  # features tell photos apart


def test_a_model_with_several_classifiers_is_refused() -> None:
    with torch.device("meta"):
        model = build("deit_tiny_distilled_patch16_224", classes=18)
    with pytest.raises(MaskkitError, match="cannot have another head"):
        attach(model, choices("factors"), HOME)


def test_a_model_that_was_not_asked_for_another_head_may_have_any_classifier() -> None:
    model = build("dla46x_c", classes=18)
    assert heads_of(attach(model, choices("joint"), HOME)) is None


def test_a_state_without_auxiliary_parts_holds_no_numbers() -> None:
    model = attach(build("test_resnet", classes=18), choices("factors"), HOME)
    assert stored_numbers(model.state_dict()) is None
