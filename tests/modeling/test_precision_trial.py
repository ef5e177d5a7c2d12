import torch
from no_bfloat16 import NoSlope, Picky

from maskkit.modeling.backbone import build
from maskkit.modeling.precision_trial import Work, photos_per_second

WORK = Work(32, 32, 4)


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


def test_a_model_that_cannot_compute_in_bfloat16_has_no_rate_there() -> None:
    for model in (Picky(torch.bfloat16), NoSlope()):
        rates = photos_per_second(model, WORK)
        assert rates["bfloat16"] == 0 < rates["float32"]
