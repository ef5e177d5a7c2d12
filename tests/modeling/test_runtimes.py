from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest
import torch
from forked import run_forked
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.extras import install_line
from maskkit.modeling import runtimes
from maskkit.modeling.backbone import build
from maskkit.modeling.device import resolve_precision
from maskkit.modeling.runtimes import (
    MARGIN,
    NEEDS,
    RUNTIMES,
    classifier,
    fitted_classifier,
    predicting_precision,
    resolve_runtime,
    settled,
)
from maskkit.options.train_options import Precision

CPU, META = torch.device("cpu"), torch.device("meta")
HERE = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            any(find_spec(package) is None for package in NEEDS[name]), reason=f"needs maskkit[{name}]"
        ),
    )
    for name in RUNTIMES
]
ALLOWED = {"float32": 1e-5, "bfloat16": 0.05}  # difference of a probability


def photos(count: int, size: tuple[int, int] = (48, 32)) -> Tensor:
    images = torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(3))
    return images.contiguous(memory_format=torch.channels_last)


@pytest.fixture(scope="module", params=["test_efficientnet", "test_resnet", "test_vit"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    """A model whose answers differ from photo to photo."""
    torch.manual_seed(0)
    made = _vit() if request.param == "test_vit" else build(request.param, classes=6)
    with torch.no_grad():
        for _ in range(3):
            made(torch.randn(16, 3, 48, 32))  # statistics for the batch norms
    return made.eval()


def _vit() -> nn.Module:
    import timm

    made: nn.Module = timm.create_model("test_vit", num_classes=6, img_size=(48, 32))
    return made


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("runtime", HERE)
def test_probabilities_are_those_of_float32_and_answers_are_the_same(
    model: nn.Module, runtime: runtimes.Resolved, precision: str
) -> None:
    classify = classifier(model, runtime=runtime, precision=precision, device=CPU, size=(48, 32))
    for count in (1, 8, 19):  # of which 8 fills what OpenVINO takes at once
        with torch.inference_mode():
            wanted = model(photos(count))
            given = classify(photos(count))
        assert given.dtype == torch.float32
        assert (given.softmax(1) - wanted.softmax(1)).abs().max() < ALLOWED[precision]
        assert torch.equal(given.argmax(1), wanted.argmax(1))


@pytest.mark.parametrize("runtime", HERE)
def test_gives_the_same_bits_every_time(model: nn.Module, runtime: runtimes.Resolved) -> None:
    given = []
    for _ in range(2):
        classify = classifier(model, runtime=runtime, precision="bfloat16", device=CPU, size=(48, 32))
        with torch.inference_mode():
            given.append(classify(photos(21)))
    assert torch.equal(*given)


@pytest.mark.parametrize("runtime", HERE)
def test_the_order_of_memory_does_not_matter(model: nn.Module, runtime: runtimes.Resolved) -> None:
    classify = classifier(model, runtime=runtime, precision="float32", device=CPU, size=(48, 32))
    with torch.inference_mode():
        flipped = photos(3).flip(3)
        torch.testing.assert_close(classify(flipped), classify(flipped.contiguous()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", HERE)
def test_the_model_keeps_its_values_and_its_mode(runtime: runtimes.Resolved) -> None:
    model = build("test_resnet", classes=4).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    classifier(model, runtime=runtime, precision="bfloat16", device=CPU, size=(32, 32))
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


class Insisting(nn.Module):
    """Makes a float32 tensor of its own, which cannot be multiplied with one of bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, images: Tensor) -> Tensor:
        given: Tensor = self.head(images.mean((2, 3))) @ torch.eye(3)
        return given


def test_a_model_that_cannot_be_converted_to_bfloat16_computes_by_autocast() -> None:
    model = Insisting()
    classify = classifier(model, runtime="torch", precision="bfloat16", device=CPU, size=(32, 32))
    with torch.inference_mode():
        given, wanted = classify(photos(5)), model(photos(5))
    assert given.dtype == torch.float32
    assert not torch.equal(given, wanted)
    torch.testing.assert_close(given, wanted, rtol=0.02, atol=0.02)


class Deciding(nn.Module):
    """Chooses its way by what it sees, which tracing cannot follow."""

    def forward(self, images: Tensor) -> Tensor:
        sums = images.mean((2, 3))
        return sums if len(images) == 2 else -sums


class Mixing(nn.Module):
    """Has the number of photos that it was traced with in its graph, which spoils odd numbers alone."""

    def forward(self, images: Tensor) -> Tensor:
        is_traced = isinstance(images.shape[0], Tensor)
        return images.mean((2, 3)).reshape(-1, 2 if is_traced else 1, 3).flatten(0, 1)


class Unwritable(nn.Module):
    """Has a step that ONNX does not know."""

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = torch.special.bessel_j0(images.mean((2, 3)))
        return found


OTHERS = [name for name in HERE if name.values != ("torch",)]
UNFIT = [(Deciding, "off by"), (Unwritable, "bessel")]


def fitted(
    model: nn.Module, runtime: runtimes.Resolved, *, or_torch: bool
) -> tuple[runtimes.Classifier, runtimes.Resolved]:
    return fitted_classifier(
        model, runtime=runtime, precision="float32", device=CPU, size=(48, 32), name="odd_net",
        or_torch=or_torch,
    )  # fmt: skip


@pytest.mark.parametrize(("unfit", "why"), UNFIT)
@pytest.mark.parametrize("runtime", OTHERS)
def test_what_a_runtime_cannot_compute_is_an_error_if_it_was_asked_for(
    runtime: runtimes.Resolved, unfit: type[nn.Module], why: str
) -> None:
    with pytest.raises(MaskkitError, match=f"the runtime {runtime} cannot compute odd_net") as caught:
        fitted(unfit(), runtime, or_torch=False)
    assert why in caught.value.why
    assert "--runtime torch" in caught.value.fix


@pytest.mark.parametrize(("unfit", "why"), UNFIT)
@pytest.mark.parametrize("runtime", OTHERS)
def test_what_a_runtime_cannot_compute_is_left_to_torch_where_it_may_be(
    runtime: runtimes.Resolved, unfit: type[nn.Module], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    model = unfit()
    classify, used = fitted(model, runtime, or_torch=True)
    assert used == "torch"
    assert torch.equal(classify(photos(5)), model(photos(5)))
    assert f"torch computes odd_net, since {runtime} cannot" in caplog.text
    assert why in caplog.text


@pytest.mark.parametrize("runtime", OTHERS)
def test_a_graph_that_suits_some_numbers_of_photos_alone_is_not_used(runtime: runtimes.Resolved) -> None:
    model = Mixing()
    classify, _ = fitted(model, runtime, or_torch=True)
    for count in (1, 3, 5, 8):
        torch.testing.assert_close(classify(photos(count)), model(photos(count)), rtol=1e-4, atol=1e-5)


def test_auto_is_openvino_where_it_is_installed_and_torch_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda _: object())
    assert resolve_runtime("auto", CPU) == "openvino"
    assert resolve_runtime("auto", META) == "torch"
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None if name == "openvino" else object())
    assert resolve_runtime("auto", CPU) == "torch"


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_a_runtime_that_is_not_installed_is_an_error_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, name: Literal["openvino", "onnx"]
) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)
    with pytest.raises(MaskkitError, match=f"the runtime {name} is not installed") as caught:
        resolve_runtime(name, CPU)
    assert install_line(name) in caught.value.fix


def test_refuses_a_device_that_a_runtime_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda _: object())
    assert resolve_runtime("torch", META) == "torch"
    with pytest.raises(MaskkitError, match="openvino does not compute on meta"):
        resolve_runtime("openvino", META)


@pytest.mark.parametrize(
    ("choice", "trained", "has_bfloat16", "expected"),
    [
        ("auto", "bfloat16", True, "bfloat16"),
        ("auto", "bfloat16", False, "float32"),  # emulated, it would be slower than float32
        ("auto", "float32", True, "float32"),
        ("float32", "bfloat16", True, "float32"),
        ("bfloat16", "float32", False, "bfloat16"),
    ],
)
def test_predicts_as_trained_where_the_processor_can_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, choice: Precision, trained: Precision, has_bfloat16: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_bfloat16)
    assert resolve_precision("auto", CPU) == ("bfloat16" if has_bfloat16 else "float32")
    assert predicting_precision(choice, trained, CPU) == expected


@pytest.mark.skipif(find_spec("openvino") is None, reason="needs maskkit[openvino]")
def test_openvino_reports_nothing_to_anyone(tmp_path: Path) -> None:
    code = (
        "import sys, torch; from maskkit.modeling.runtimes import classifier;"
        "classifier(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten()), runtime='openvino',"
        "    precision='float32', device=torch.device('cpu'), size=(16, 16));"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry') and sys.modules[name]])"
    )
    ended, printed, said = run_forked(code=code, environment={"HOME": str(tmp_path)})
    assert (ended, printed) == (0, "[]\n"), said
    assert not (tmp_path / "intel").exists()


SIGNAL = """
import os, signal, torch
from maskkit.modeling.runtimes import classifier

def compiled():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten())
    how = dict(runtime="openvino", precision="float32", device=torch.device("cpu"), size=(16, 16))
    return classifier(model, **how)

models = [compiled() for _ in range(3)]
while models:
    del models[0]
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.skipif(find_spec("openvino") is None, reason="needs maskkit[openvino]")
def test_a_signal_is_handled_after_models_of_openvino_have_gone() -> None:
    ended, printed, said = run_forked(code=SIGNAL)
    assert (ended, printed) == (0, "handled\n"), said


@pytest.mark.skipif(find_spec("openvino") is None, reason="needs maskkit[openvino]")
def test_no_thread_of_openvino_calls_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that did while the interpreter ended aborted the process, in 6 of 400 runs."""
    import openvino

    monkeypatch.setattr(openvino, "AsyncInferQueue", None)
    monkeypatch.setattr(openvino.InferRequest, "set_callback", None)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten()).eval()
    photos = torch.randn(45, 3, 16, 16)
    classify = classifier(model, runtime="openvino", precision="float32", device=CPU, size=(16, 16))
    with torch.inference_mode():
        torch.testing.assert_close(classify(photos), model(photos), rtol=1e-4, atol=1e-4)


WANTED = torch.tensor([[4.0, 0.0, -4.0], [-1.0, 0.0, 1.0]])


def off_by(error: float) -> Tensor:
    """Logits of which each is off by `error` of the deviation of its photo's, in turns up and down."""
    return WANTED + error * WANTED.std(1, keepdim=True) * torch.tensor([1.0, -2.0, 1.0]) / 2**0.5


def test_only_photos_near_a_tie_are_computed_exactly() -> None:
    asked: list[int] = []

    def exact(images: Tensor) -> Tensor:
        asked.append(len(images))
        return images[:, :, 0, 0] + 100

    classify = settled(lambda images: images[:, :, 0, 0].clone(), exact, wanted=WANTED, given=off_by(0.02))
    close, clear = 0.9 * MARGIN * 0.02, 1.1 * MARGIN * 0.02
    logits = torch.tensor([[1.0, 0.0, -1.0], [close, 0.0, -2.0], [-2.0, 0.0, clear]])
    logits /= logits.std(1, keepdim=True)
    logits[1] *= close / (logits[1, 0] - logits[1, 1])
    images = logits[:, :, None, None].expand(3, 3, 4, 4)
    given = classify(images)
    assert torch.equal(given[0], logits[0])
    assert asked in ([1], [2])
    assert torch.equal(given[1], logits[1] + 100)


def test_nothing_is_asked_twice_where_nothing_is_close() -> None:
    def never(images: Tensor) -> Tensor:
        raise AssertionError(len(images))

    classify = settled(lambda images: images[:, :, 0, 0].clone(), never, wanted=WANTED, given=WANTED)
    images = torch.randn(5, 3, 4, 4)
    assert torch.equal(classify(images), images[:, :, 0, 0])


def test_an_error_that_is_common_to_all_classes_widens_nothing() -> None:
    def never(images: Tensor) -> Tensor:
        raise AssertionError(len(images))

    given = WANTED + torch.tensor([[0.5], [-0.25]])
    classify = settled(lambda images: images[:, :, 0, 0].clone(), never, wanted=WANTED, given=given)
    logits = torch.tensor([[1.0, 0.9, 0.0]])
    assert torch.equal(classify(logits[:, :, None, None].expand(1, 3, 2, 2)), logits)


def test_a_single_class_has_no_ties() -> None:
    one = torch.ones(2, 1)
    classify = settled(lambda images: images[:, :, 0, 0], lambda images: images, wanted=one, given=one)
    assert classify(torch.ones(4, 1, 2, 2)).shape == (4, 1)


def test_logits_that_are_no_numbers_pass_through() -> None:
    classify = settled(
        lambda images: images[:, :, 0, 0].clone(),
        lambda images: images,
        wanted=WANTED,
        given=WANTED * torch.nan,
    )
    assert classify(torch.full((2, 3, 1, 1), torch.nan)).isnan().all()
