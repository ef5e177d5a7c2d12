import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from maskkit.modeling.backbone import build
from maskkit.modeling.device import ResolvedPrecision
from maskkit.modeling.precision_trial import Rates, Work, choose_precision, fastest, photos_per_second

WORK = Work("test_efficientnet", 32, 32, 4)
CLEAR: Rates = {"float32": 118.0, "bfloat16": 212.0}


class Stopwatch:
    """Measures what it is told, and counts how often it is asked."""

    def __init__(self, rates: Rates) -> None:
        self.rates, self.asked = rates, 0

    def __call__(self, model: nn.Module, work: Work) -> Rates:  # noqa: ARG002
        self.asked += 1
        return self.rates


def never(model: nn.Module, work: Work) -> Rates:
    raise AssertionError("a trial was made")


@pytest.mark.parametrize(
    ("bfloat16", "choice"), [(212.0, "bfloat16"), (111.0, "bfloat16"), (109.0, "float32"), (0.0, "float32")]
)
def test_bfloat16_must_be_faster_by_a_margin(bfloat16: float, choice: ResolvedPrecision) -> None:
    assert fastest({"float32": 100.0, "bfloat16": bfloat16}) == choice


def test_says_what_was_chosen_and_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "maskkit"):
        choose_precision(nn.Identity(), WORK, folder=tmp_path, measure=Stopwatch(CLEAR))
        choose_precision(nn.Identity(), WORK, folder=tmp_path, measure=never)
    assert caplog.messages == [
        "precision: bfloat16 (212 photos/s in a trial; float32 118)",
        "precision: bfloat16 (212 photos/s in an earlier trial; float32 118)",
    ]


def test_remembers_a_trial_of_the_same_work_only(tmp_path: Path) -> None:
    watch = Stopwatch(CLEAR)

    def choose(work: Work) -> ResolvedPrecision:
        return choose_precision(nn.Identity(), work, folder=tmp_path, measure=watch)

    assert [choose(WORK), choose(WORK)] == ["bfloat16", "bfloat16"]
    assert watch.asked == 1
    others = (
        replace(WORK, model="resnet18"), replace(WORK, width=48), replace(WORK, batch_size=8),
        replace(WORK, settings="pad_type=same"),
    )  # fmt: skip
    for other in others:
        choose(other)
    assert watch.asked == 5


def test_what_is_remembered_says_for_what_it_holds(tmp_path: Path) -> None:
    choose_precision(nn.Identity(), WORK, folder=tmp_path, measure=Stopwatch(CLEAR))
    [path] = tmp_path.rglob("*.json")
    said = json.loads(path.read_text())
    assert said["rates"] == CLEAR
    assert {"model", "height", "width", "batch_size", "processor", "threads", "torch"} <= set(said)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"rates": {"float32": 1}}',
        b'{"rates": {"float32": 0, "bfloat16": 0}}',
        b'{"rates": {"float32": "x", "bfloat16": NaN}}',
    ],
)
def test_a_damaged_memory_is_replaced(tmp_path: Path, damage: bytes) -> None:
    choose_precision(nn.Identity(), WORK, folder=tmp_path, measure=Stopwatch(CLEAR))
    [path] = tmp_path.rglob("*.json")
    path.write_bytes(damage)
    watch = Stopwatch({"float32": 100.0, "bfloat16": 50.0})
    assert choose_precision(nn.Identity(), WORK, folder=tmp_path, measure=watch) == "float32"
    assert choose_precision(nn.Identity(), WORK, folder=tmp_path, measure=never) == "float32"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    watch = Stopwatch(CLEAR)
    for _ in range(2):
        found = choose_precision(nn.Identity(), WORK, folder=tmp_path / "file", measure=watch)
        assert found == "bfloat16"
    assert watch.asked == 2


def test_a_trial_disturbs_neither_the_model_nor_randomness() -> None:
    model = build("test_efficientnet", classes=3).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    rates = photos_per_second(model, WORK)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training
    assert all("forward" not in vars(module) for module in model.modules())
    assert min(rates.values()) > 0


class Picky(nn.Module):
    """A model with an operation that one precision does not have."""

    def __init__(self, refused: torch.dtype) -> None:
        super().__init__()
        self.layer, self.refused = nn.Conv2d(3, 4, 32), refused

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layer(images)
        if maps.dtype == self.refused:
            raise RuntimeError('"fft" not implemented')
        return maps.flatten(1)


def test_a_model_that_cannot_compute_in_bfloat16_trains_in_float32() -> None:
    rates = photos_per_second(Picky(torch.bfloat16), WORK)
    assert rates["bfloat16"] == 0
    assert fastest(rates) == "float32"
    with pytest.raises(RuntimeError, match="not implemented"):
        photos_per_second(Picky(torch.float32), WORK)


class NoSlope(nn.Module):
    """Computes in any precision, but its gradient in bfloat16 is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(images.mean((2, 3)))
        return logits + (self.head.weight.sum() * 0).sqrt() if torch.is_autocast_enabled("cpu") else logits


def test_a_model_whose_gradients_in_bfloat16_are_no_numbers_trains_in_float32() -> None:
    rates = photos_per_second(NoSlope(), WORK)
    assert rates["bfloat16"] == 0 < rates["float32"]


def test_uses_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKKIT_CACHE", str(tmp_path))
    choose_precision(nn.Identity(), WORK, measure=Stopwatch(CLEAR))
    assert [path.parent.name for path in tmp_path.rglob("*.json")] == ["precision"]


def test_does_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(cls: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("MASKKIT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(homeless))
    measure: Callable[[nn.Module, Work], Rates] = Stopwatch(CLEAR)
    assert choose_precision(nn.Identity(), WORK, measure=measure) == "bfloat16"
