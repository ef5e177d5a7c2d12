import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, layer_numbers
from maskkit.modeling.ending import head_names
from maskkit.options import techniques
from maskkit.options.choices import Choice, parse
from maskkit.training.optimizers import build_optimizer
from maskkit.training.unfreezing import FREEZES, Unfreezing

MODELS = ["test_efficientnet", "test_resnet", "test_vit", "convnext_atto", "mobilenetv3_small_050"]
ADAMW = dict(parse("adamw", techniques.OPTIMIZERS, option="--optimizer").settings)
OPTIMIZERS = ["adamw", "sgd", "adamp", "lamb", "madgradw", "lion", "muon", "adafactorbv"]


def part_frozen(model: nn.Module, name: str, epochs: int = 1, *, of: int = 50) -> Unfreezing:
    return Unfreezing(
        model, Choice(name, {"epochs": epochs} if name in ("phase", "gradual") else {}), epochs=of
    )


def begun(unfreezing: Unfreezing, number: int) -> set[str]:
    """Begin an epoch as the training does, and return the names of what learns."""
    unfreezing.model.train()
    unfreezing.begin_epoch(number)
    return {name for name, parameter in unfreezing.model.named_parameters() if parameter.requires_grad}


def learn(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    images, target = torch.randn(4, 3, 64, 64), torch.arange(4) % 3
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(model(images), target).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(model: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def test_there_is_a_plan_for_every_choice() -> None:
    assert list(FREEZES) == list(techniques.FREEZES)


@pytest.mark.parametrize("name", MODELS)
def test_in_a_phase_the_head_learns_alone_and_then_all(name: str) -> None:
    model = build(name, classes=3)
    unfreezing, everything = part_frozen(model, "phase", 2), set(dict(model.named_parameters()))
    learning = [begun(unfreezing, number) for number in (1, 2, 3, 4)]
    assert learning == [set(head_names(model))] * 2 + [everything] * 2


@pytest.mark.parametrize("name", MODELS)
def test_gradually_one_more_stage_learns_from_the_top(name: str) -> None:
    model = build(name, classes=3)
    unfreezing, stages = part_frozen(model, "gradual", 2), layer_numbers(model, coarse=True, fix="")
    top = max(stages.values())
    for number in range(1, 2 * top + 3):
        lowest = max(0, top - (number - 1) // 2)
        assert begun(unfreezing, number) == {name for name, stage in stages.items() if stage >= lowest}
    assert begun(unfreezing, 2 * top + 1) == set(stages)
    assert begun(unfreezing, 2 * top) != set(stages)


@pytest.mark.parametrize("choice", ["none", "all"])
def test_otherwise_everything_learns_from_the_beginning(choice: str) -> None:
    model = build("test_resnet", classes=3)
    assert begun(part_frozen(model, choice, of=1), 1) == set(dict(model.named_parameters()))
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_vit"])
@pytest.mark.parametrize(("plan", "epoch"), [("phase", 1), ("gradual", 1), ("gradual", 3)])
def test_what_is_frozen_keeps_every_weight_and_statistic(name: str, plan: str, epoch: int) -> None:
    torch.manual_seed(0)
    model = build(name, classes=3, drop_path=0.2)
    unfreezing = part_frozen(model, plan)
    optimizer = build_optimizer(model, Choice("adamw", ADAMW), 0.01)
    learning = begun(unfreezing, epoch)
    before = tensors(model)
    learn(model, optimizer)
    learn(model, optimizer)
    found = changed(model, before)
    parameters = set(dict(model.named_parameters()))
    assert found & parameters == learning
    frozen = {each.rpartition(".")[0] for each in parameters - learning}
    assert not [each for each in found if each.rpartition(".")[0] in frozen]
    norms = {each.rpartition(".")[0] for each in before if each.endswith("running_mean")}
    assert {f"{norm}.running_mean" for norm in norms - frozen} <= found  # those that learn do move


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_moves_what_is_frozen_even_if_it_had_learnt(name: str) -> None:
    # Unfreezinged first, so that there are momenta that could go on without a gradient.
    torch.manual_seed(0)
    model = build("test_efficientnet", classes=3)
    unfreezing = part_frozen(model, "phase")
    optimizer = build_optimizer(model, Choice(name, ADAMW), 0.01)
    begun(unfreezing, 2)
    learn(model, optimizer)
    F.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.arange(4) % 3).backward()  # type: ignore[no-untyped-call]
    learning = begun(unfreezing, 1)  # with gradients at hand
    before = tensors(model)
    optimizer.step()
    assert changed(model, before) <= learning
    learn(model, optimizer)
    assert changed(model, before) & set(dict(model.named_parameters())) == learning


def test_what_is_frozen_has_no_dropout_and_the_head_has() -> None:
    model = build("test_vit", classes=3, drop_rate=0.5, drop_path=0.5)
    begun(part_frozen(model, "phase"), 1)
    modes = {name: module.training for name, module in model.named_modules()}
    assert modes["head"]
    assert modes["head_drop"]
    assert modes[""]
    assert not any(mode for name, mode in modes.items() if name.startswith("blocks."))
    assert not modes["norm"]


def test_dropout_inside_a_part_that_learns_is_on() -> None:
    model = build("convnext_atto", classes=3, drop_rate=0.5, drop_path=0.5)
    begun(part_frozen(model, "gradual"), 2)
    modes = {name: module.training for name, module in model.named_modules()}
    assert modes["head.drop"]
    assert modes["stages.3.blocks.1.drop_path"]
    assert not modes["stages.2.blocks.1.drop_path"]


def test_an_epoch_does_not_depend_on_those_before() -> None:
    """As after resuming, or in a search that begins in the middle."""
    one, other = build("test_resnet", classes=3), build("test_resnet", classes=3)
    along, alone = part_frozen(one, "gradual"), part_frozen(other, "gradual")
    for number in range(1, 8):
        begun(along, number)
        assert begun(along, number) == begun(alone, number)
        assert [each.training for each in one.modules()] == [each.training for each in other.modules()]
    assert begun(along, 1) == begun(alone, 1)


def test_what_never_learnt_is_not_frozen() -> None:
    model = build("test_resnet", classes=3)
    model.get_parameter("conv1.0.weight").requires_grad_(False)
    assert begun(part_frozen(model, "phase"), 2) == set(dict(model.named_parameters())) - {"conv1.0.weight"}


def test_changes_nothing_before_the_first_epoch() -> None:
    model = build("test_resnet", classes=3).eval()
    part_frozen(model, "phase")
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("plan", "epochs", "enough"), [("phase", 3, 4), ("gradual", 1, 6), ("gradual", 2, 11)]
)
def test_refuses_a_run_that_ends_before_all_learns(plan: str, epochs: int, enough: int) -> None:
    model = build("test_resnet", classes=3)  # a stem, four stages, and the head
    part_frozen(model, plan, epochs, of=enough)
    with pytest.raises(MaskkitError, match=f"not done after {enough - 1} epochs") as caught:
        part_frozen(model, plan, epochs, of=enough - 1)
    assert f"--epochs {enough} or more" in caught.value.fix


def test_refuses_stages_of_a_model_that_does_not_tell_them() -> None:
    class Flat(nn.Sequential):
        def get_classifier(self) -> nn.Module:
            return self[-1]

    model = Flat(nn.Linear(3, 3), nn.Linear(3, 2))
    assert begun(part_frozen(model, "phase"), 1) == {"1.weight", "1.bias"}
    with pytest.raises(MaskkitError, match="layers of Flat are not known") as caught:
        part_frozen(model, "gradual")
    assert "phase" in caught.value.fix
